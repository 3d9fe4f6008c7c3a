/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fast_way.c: see fast_way.h.
 */
#include "fast_way.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "log.h"

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
	int nothing;

	if (!way->open)
		return;
	device_lock_to_change(device);
	way->to.port = 0;
	way->open = false;
	pthread_mutex_unlock(&device->lock);
	epoll_ctl(device->epoll, EPOLL_CTL_DEL, way->fd, NULL);
	/*
	 * The number must not become something else while a thread may be about to use it; a
	 * datagram that is still in the queue is lost, as on any network.
	 */
	nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing >= 0) {
		dup3(nothing, way->fd, O_CLOEXEC);
		close(nothing);
	}
}

void fast_way_open(struct bt_device *device, const struct tunnel_target *to)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct fast_way *way = &device->fast;
	char text[ADDRESS_TEXT_SIZE];
	int fd;

	fast_way_close(device);
	fd = tunnel_connect(&device->tunnel, to);
	if (fd < 0)
		return;
	if (way->fd < 0) {
		way->fd = fd;
	} else {
		dup3(fd, way->fd, O_CLOEXEC);
		close(fd);
	}
	way->used_before = way->used;
	way->pending_before = false;
	/* before anybody can receive by it: .to tells where a frame came from */
	device_lock_to_change(device);
	way->to = *to;
	pthread_mutex_unlock(&device->lock);
	way->open = true;
	if (epoll_ctl(device->epoll, EPOLL_CTL_ADD, way->fd, &event) < 0) {
		fast_way_close(device);
		return;
	}
	log_say(LOG_DEBUG, "a way of its own for %s", address_format(&to->address, to->port, text));
}

bool fast_way_check(struct bt_device *device)
{
	struct fast_way *way = &device->fast;
	unsigned int used = way->used;
	int pending = 0;

	if (!way->open)
		return false;
	ioctl(way->fd, SIOCINQ, &pending);
	if (used == way->used_before && (pending == 0 || way->pending_before)) {
		log_say(LOG_DEBUG, "no way of its own any more: %s",
			pending ? "the guest does not read" : "nothing is sent");
		fast_way_close(device);
		return false;
	}
	way->used_before = used;
	way->pending_before = pending > 0;
	return true;
}
