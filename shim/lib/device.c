/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.c: bt_open() and bt_close(): a device is put together here, in the order slot, helper,
 * tunnel, descriptor, control thread, and taken apart in the reverse one.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attachment.h"
#include "capture.h"
#include "clock.h"
#include "control_thread.h"
#include "log.h"
#include "process.h"
#include "raw.h"
#include "socket_drops.h"
#include "standard.h"

int bt_is_ours(const char *ether)
{
	return ether_option_is_ours(ether);
}

/* ---- parts ---- */

void device_notice(const struct bt_device *device, const struct notice *notice)
{
	raw_sendto(device->notice[1], notice, sizeof(*notice), MSG_DONTWAIT | MSG_NOSIGNAL, NULL,
		   0);
}

void device_notice_mac(const struct bt_device *device, enum notice_kind kind, const struct mac *mac,
		       const struct tunnel_target *from)
{
	struct notice notice = { .kind = kind, .mac = *mac };

	if (from)
		notice.from = *from;
	device_notice(device, &notice);
}

enum drop device_check(const uint8_t *frame, size_t len)
{
	static const enum drop reason[FRAME_ERRORS] = {
		[FRAME_OK] = DROP_NONE,
		[FRAME_SHORT] = DROP_SHORT,
		[FRAME_LONG] = DROP_LONG,
		[FRAME_GROUP_SOURCE] = DROP_GROUP_SOURCE,
	};

	return reason[frame_check(frame, len)];
}

struct traffic device_traffic(const struct bt_device *d)
{
	const struct counters *c = &d->counters;
	uint64_t to_tap = d->sending.count[LATELY_TAP], to_fast = d->sending.count[LATELY_FAST];

	return (struct traffic){
		.from_tap = c->from_tap + d->receiving.count[LATELY_TAP],
		.from_tunnel = c->from_tunnel + d->receiving.count[LATELY_FAST],
		.sent = c->sent + to_tap + to_fast,
		.to_tap = c->to_tap + to_tap,
		.to_tunnel = c->to_tunnel + to_fast,
	};
}

uint64_t device_drops(const struct bt_device *d, enum drop reason)
{
	uint64_t dropped = d->counters.drop[reason];

	if (reason == DROP_NOT_READ)
		dropped += (uint64_t)socket_drops(d->tunnel.data) +
			   socket_drops(d->tunnel.control) + socket_drops(d->fast.fd);
	return dropped;
}

bool device_tap_lost(struct bt_device *device)
{
	struct notice notice = { .kind = NOTICE_TAP_LOST };

	if (!atomic_exchange(&device->tap_alive, false))
		return false;
	/* who waits for it is woken by its error; for the one that may take its place nobody would
	 * be */
	wait_by_set(&device->wait);
	/* at once: its error would make the set readable for ever */
	wait_remove(&device->wait, SOURCE_TAP);
	atomic_store(&device->attach, ATTACH_NO);
	device_notice(device, &notice);
	return true;
}

int device_tap_replace(struct bt_device *device, int tap, enum attach attach)
{
	int err;

	if (dup3(tap, device->tap, O_CLOEXEC) < 0)
		return -errno;
	err = wait_add(&device->wait, SOURCE_TAP, device->tap);
	if (err)
		return err;
	close(tap);
	atomic_store(&device->attach, (int)attach);
	atomic_store_explicit(&device->tap_alive, true, memory_order_release);
	return 0;
}

/* The page that tells the process that opened the device from its children. */
static int owner_new(struct bt_device *d)
{
	long size = sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	if (madvise(page, (size_t)size, MADV_WIPEONFORK) < 0) {
		munmap(page, (size_t)size);
		return -errno;
	}
	d->owner = page;
	*d->owner = 1;
	return 0;
}

/*
 * Who finds it taken looks again for a while before it sleeps: it is held for less than that, and
 * the guest's write() would lose the processor.
 */
static void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t kind;

	pthread_mutexattr_init(&kind);
#ifdef __GLIBC__
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
	pthread_mutex_init(lock, &kind);
	pthread_mutexattr_destroy(&kind);
}

static struct bt_device *device_new(void)
{
	struct bt_device *d = aligned_alloc(alignof(struct bt_device), sizeof(*d));
	uint64_t secret;

	if (!d)
		return NULL;
	memset(d, 0, sizeof(*d));
	d->wait.set = d->tap = d->tunnel.data = d->tunnel.control = d->fast.fd = d->capture = -1;
	d->notice[0] = d->notice[1] = d->slot.lock = d->slot.directory = -1;
	d->notice_next = clock_ms_coarse(); /* 0 may be later than now: the clock wraps round */
	lock_init(&d->lock);
	if (getrandom(&secret, sizeof(secret), 0) == sizeof(secret) &&
	    peers_init(&d->peers, secret) == 0)
		return d;
	free(d);
	return NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void device_free(struct bt_device *d)
{
	process_forget(d);
	wait_close(&d->wait);
	close_fd(&d->tap);
	close_fd(&d->fast.fd);
	tunnel_close(&d->tunnel);
	close_fd(&d->notice[0]);
	close_fd(&d->notice[1]);
	close_fd(&d->capture);
	slot_release(&d->slot);
	peers_free(&d->peers);
	if (d->owner)
		munmap((void *)(uintptr_t)d->owner, (size_t)sysconf(_SC_PAGESIZE));
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* ---- opening ---- */

#define REPORT "report this if it repeats"

static int fail(int err, const char *what, const char *remedy)
{
	if (err == -EMFILE || err == -ENFILE)
		remedy = "end other programs, or raise 'ulimit -n'";
	else if (err == -ENOMEM)
		remedy = "end other programs: there is no memory left";
	log_say(LOG_ERROR, "no network: %s (%s): %s", what, strerrordesc_np(-err), remedy);
	return err;
}

static int open_slot(struct bt_device *d)
{
	int wanted = d->option.slot;
	int err = wanted < 0 ? slot_take(0, MAC_SLOTS - 1, &d->slot) :
			       slot_take((unsigned int)wanted, (unsigned int)wanted, &d->slot);
	char path[SLOT_PATH_SIZE];

	if (err == -EBUSY && wanted >= 0)
		log_say(LOG_ERROR,
			"no network: slot %d is in use by another emulator: leave out "
			"slot=, or end that one",
			wanted);
	else if (err == -EBUSY)
		log_say(LOG_ERROR, "no network: all %d slots are in use: end an emulator",
			MAC_SLOTS);
	else if (err)
		return fail(err, "no slot can be locked", "is there room in /tmp?");
	if (!err && d->slot.directory < 0 && geteuid() != getuid())
		log_say(LOG_INFO, "started as a set-user-id program: running without status, and "
				  "perhaps with another emulator's address");
	else if (!err && d->slot.directory < 0)
		log_say(LOG_INFO,
			"%s is not a directory of this user's alone: running without "
			"status, and perhaps with another emulator's address: have it removed",
			slot_path(getuid(), path));
	return err;
}

static int open_tunnel(struct bt_device *d)
{
	int err = tunnel_open(&d->tunnel, d->option.port);

	if (err == -EADDRINUSE && d->option.port) {
		log_say(LOG_ERROR,
			"no network: UDP port %u is in use: leave out port=, or choose "
			"another",
			d->option.port);
		return -EBUSY;
	}
	return err ? fail(err, "no UDP port can be opened", "choose another by port=") : 0;
}

static int open_descriptor(struct bt_device *d)
{
	int err;

	err = wait_open(&d->wait);
	if (!err)
		err = wait_add(&d->wait, SOURCE_TUNNEL, d->tunnel.data);
	if (!err && d->tap >= 0)
		err = wait_add(&d->wait, SOURCE_TAP, d->tap);
	return err ? fail(err, "no epoll descriptor", REPORT) : 0;
}

static int open_parts(struct bt_device *d)
{
	int err = open_slot(d);

	if (err)
		return err;
	err = attachment_open(d);
	if (err) {
		log_say(LOG_ERROR, "no network: no slot is left that has no TAP yet: leave out "
				   "slot=, or end an emulator or a guest of QEMU's");
		return err;
	}
	if (d->option.mode == ETHER_BRIDGE &&
	    !attach_is_bridged((enum attach)atomic_load(&d->attach))) {
		log_say(LOG_ERROR, "no network: ether auto-bridge, and not bridged: %s",
			d->said.reason[0] ? d->said.reason : "there is no way to the LAN");
		return -ENODEV;
	}
	err = open_tunnel(d);
	if (!err)
		err = open_descriptor(d);
	if (err)
		return err;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, d->notice) < 0)
		return fail(-errno, "no socket pair", REPORT);
	err = owner_new(d);
	if (err)
		return fail(err, "no memory that a child does not inherit",
			    "this needs Linux 4.14 or newer");
	err = process_remember(d);
	if (!err)
		err = control_thread_start(d, &d->control);
	return err ? fail(err, "the control thread does not start", REPORT) : 0;
}

int bt_open(const char *ether, struct bt_device **device)
{
	char error[ETHER_ERROR_SIZE];
	struct standard standard;
	const char *path;
	struct bt_device *d;
	int err;

	*device = NULL;
	log_start();
	standard_hold(&standard);
	d = device_new();
	if (!d) {
		standard_release(&standard);
		return fail(-ENOMEM, "cannot start", REPORT);
	}
	err = ether_option_parse(ether ? ether : "", &d->option, error);
	if (err) {
		log_say(LOG_ERROR, "no network: ether %s", error);
		goto out;
	}
	path = secure_getenv("BASILISK_TAP_CAPTURE");
	if (path && *path) {
		d->capture = capture_open(path);
		if (d->capture == -EPERM)
			log_say(LOG_INFO,
				"no capture: %s is a link, or not a file of this user's "
				"own: name another file",
				path);
		else if (d->capture < 0)
			log_say(LOG_INFO, "no capture: %s (%s): name another file", path,
				strerrordesc_np(-d->capture));
	}
	err = open_parts(d);
	if (err)
		goto out;
	attachment_say(d);
	*device = d;
out:
	if (err)
		device_free(d);
	standard_release(&standard);
	return err;
}

/* ---- the rest of the interface ---- */

int bt_fd(const struct bt_device *device)
{
	struct bt_device *d = (struct bt_device *)(uintptr_t)device;
	int err = device_is_ours(d) ? wait_use_set(&d->wait) : -ECHILD;

	return err ? err : d->wait.set;
}

int bt_wait(struct bt_device *device, int timeout)
{
	return device_is_ours(device) ? wait_for(&device->wait, timeout) : -ECHILD;
}

void bt_mac(const struct bt_device *device, uint8_t mac[BT_MAC_LEN])
{
	memcpy(mac, device->mac.byte, MAC_LEN);
}

void bt_get_status(const struct bt_device *device, struct bt_status *status, size_t size)
{
	struct bt_device *d = (struct bt_device *)(uintptr_t)device; /* for its lock */
	enum attach attach = (enum attach)atomic_load(&d->attach);
	struct traffic traffic = device_traffic(d);
	struct bt_status s = { .port = d->tunnel.port,
			       .slot = (uint8_t)d->slot.number,
			       .bridged = attach_is_bridged(attach) };

	memcpy(s.mac, d->mac.byte, MAC_LEN);
	snprintf(s.attach, sizeof(s.attach), "%s", attach_name(attach));
	pthread_mutex_lock(&d->lock);
	memcpy(s.tap, d->said.tap, sizeof(s.tap));
	memcpy(s.uplink, d->said.uplink, sizeof(s.uplink));
	memcpy(s.reason, d->said.reason, sizeof(s.reason));
	s.peers = peers_present(&d->peers);
	pthread_mutex_unlock(&d->lock);
	s.received = traffic.from_tap + traffic.from_tunnel;
	s.sent = traffic.sent;
	for (int i = 0; i < DROP_REASONS; i++)
		s.dropped += device_drops(d, (enum drop)i);
	memset(status, 0, size);
	memcpy(status, &s, size < sizeof(s) ? size : sizeof(s));
}

void bt_close(struct bt_device *device)
{
	struct control_thread *control;

	if (!device)
		return;
	/* a child has copies of all but the thread; and the descriptors are closed already */
	if (device->owner && !device_is_ours(device))
		return;
	if (!process_claim_end(device))
		return;
	control = device->control;
	device->control = NULL; /* a fork() of now finds none, and not one that is gone */
	control_thread_stop(control);
	if (wait_end(&device->wait, device->tunnel.data))
		device_free(device);
}
