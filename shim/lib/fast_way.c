/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fast_way.c: see fast_way.h.
 */
#include "fast_way.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "log.h"
#include "socket_drops.h"

#define CHECK_MS 2000
#define LOOK_MS	 10 /* whether all wait for it, */
#define LOOKS	 20 /* so often: then traffic goes one way, and nobody comes round */

bool fast_way_note(struct fast_way *way, const struct mac *mac, unsigned int now_ms)
{
	if (!mac_equal(&way->mac, mac) || now_ms - way->since_ms > 1000) {
		way->mac = *mac;
		way->frames = 0;
		way->since_ms = now_ms;
	}
	return ++way->frames == FAST_WAY_FRAMES;
}

void fast_way_close(struct bt_device *device)
{
	struct fast_way *way = &device->fast;

	if (!way->open && !way->next.port)
		return;
	device_lock_to_change(device);
	way->to.port = 0;
	way->open = false;
	pthread_mutex_unlock(&device->lock);
	way->next.port = 0;
	wait_remove(&device->wait, SOURCE_FAST);
	device->counters.drop[DROP_NOT_READ] += socket_drops(way->fd);
	/*
	 * The number must not become something else while a thread may be about to use it, so it
	 * becomes one more for a descriptor that is there, even if the process has none left, and
	 * that is no socket. A datagram that is still in the queue is lost, as on any network.
	 */
	dup3(device->wait.set, way->fd, O_CLOEXEC);
}

/* Frames that it has ever carried. */
static uint64_t used(const struct bt_device *device)
{
	return device->fast.used + device->sending.count[LATELY_FAST] +
	       device->receiving.count[LATELY_FAST];
}

static int connect_next(struct bt_device *device)
{
	struct fast_way *way = &device->fast;
	struct tunnel_target to = way->next;
	char text[ADDRESS_TEXT_SIZE];

	if (!wait_all_see(&device->wait) && ++way->looks < LOOKS)
		return LOOK_MS;
	if (way->looks == LOOKS || tunnel_connect(&device->tunnel, way->fd, &to) < 0) {
		fast_way_close(device);
		return -1;
	}
	way->next.port = 0;
	way->used_before = used(device);
	way->pending_before = false;
	/* before anybody receives by it: .to tells where a frame came from */
	device_lock_to_change(device);
	way->to = to;
	pthread_mutex_unlock(&device->lock);
	way->open = true;
	log_say(LOG_DEBUG, "a way of its own for %s", address_format(&to.address, to.port, text));
	return CHECK_MS;
}

int fast_way_open(struct bt_device *device, const struct tunnel_target *to)
{
	struct fast_way *way = &device->fast;
	int fd;

	fast_way_close(device);
	fd = tunnel_socket(to);
	if (fd < 0)
		return -1;
	if (way->fd < 0) {
		way->fd = fd;
	} else {
		dup3(fd, way->fd, O_CLOEXEC);
		close(fd);
	}
	way->next = *to;
	way->looks = 0;
	if (wait_add(&device->wait, SOURCE_FAST, way->fd) < 0 || !wait_begin_round(&device->wait)) {
		fast_way_close(device);
		return -1;
	}
	return connect_next(device);
}

int fast_way_check(struct bt_device *device)
{
	struct fast_way *way = &device->fast;
	uint64_t carried = used(device);
	int pending = 0;

	if (way->next.port)
		return connect_next(device);
	if (!way->open)
		return -1;
	ioctl(way->fd, SIOCINQ, &pending);
	if (carried == way->used_before && (pending == 0 || way->pending_before)) {
		log_say(LOG_DEBUG, "no way of its own any more: %s",
			pending ? "the guest does not read" : "nothing is sent");
		fast_way_close(device);
		return -1;
	}
	way->used_before = carried;
	way->pending_before = pending > 0;
	return CHECK_MS;
}
