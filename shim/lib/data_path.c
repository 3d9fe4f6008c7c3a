/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * data_path.c: bt_receive() and bt_send(): a frame's way between the guest and the kernel, on
 * the emulator's own threads. One system call each way for a frame, no copy, no allocation.
 *
 * Must never: block, wait for the control thread, or let the guest see a frame that route_frame()
 * did not send to it.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "capture.h"
#include "clock.h"
#include "device.h"

#define RECEIVE_BUDGET 256 /* frames looked at in one bt_receive() that are not the guest's */
#define TURN	       32  /* frames from one source before the other one is looked at */
#define HEARD_MS       60000
#define STRANGER_MS    2  /* at most one notice about strangers in so many ms */
#define UNPROVEN_RATE  20 /* group frames a second to peers that were never heard of */

enum source { SOURCE_TAP, SOURCE_TUNNEL, SOURCE_FAST, SOURCES };

void device_notice(const struct bt_device *device, const struct notice *notice)
{
	send(device->notice[1], notice, sizeof(*notice), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void notice_mac(const struct bt_device *device, enum notice_kind kind,
		       const struct mac *mac, const struct tunnel_target *from)
{
	struct notice notice = { .kind = kind, .mac = *mac };

	if (from)
		notice.from = *from;
	device_notice(device, &notice);
}

/* @from is NULL for the TAP. A confirmation frame has one length; another is not one. */
static void notice_control(struct bt_device *d, const uint8_t *frame, size_t len,
			   const struct tunnel_target *from)
{
	struct notice notice = { .kind = NOTICE_CONTROL };

	if (len != CONTROL_LEN) {
		count(&d->counters.control_bad);
		return;
	}
	memcpy(notice.frame, frame, CONTROL_LEN);
	if (from)
		notice.from = *from;
	device_notice(d, &notice);
}

/* A stranger is worth a notice, a flood of them is not. */
static void notice_stranger(struct bt_device *d, const struct mac *mac,
			    const struct tunnel_target *from)
{
	uint32_t now = clock_ms_coarse();
	uint32_t next = atomic_load_explicit(&d->notice_next, memory_order_relaxed);

	if (!mac_is_guest(mac) || time_after(next, now))
		return;
	if (atomic_compare_exchange_strong(&d->notice_next, &next, now + STRANGER_MS))
		notice_mac(d, NOTICE_STRANGER, mac, from);
}

static void dropped(struct bt_device *d, enum drop reason)
{
	count(&d->counters.drop[reason]);
}

/* 0, or the reason why the frame must not go on, whoever sent it. */
static enum drop check(const uint8_t *frame, size_t len)
{
	static const enum drop reason[FRAME_ERRORS] = {
		[FRAME_OK] = DROP_NONE,
		[FRAME_SHORT] = DROP_SHORT,
		[FRAME_LONG] = DROP_LONG,
		[FRAME_GROUP_SOURCE] = DROP_GROUP_SOURCE,
	};

	return reason[frame_check(frame, len)];
}

/* ---- to the guest ---- */

/* The peer was heard by the TAP: a copy of its group frames by the tunnel is one too many. */
static void heard_by_tap(struct bt_device *d, const struct mac *source)
{
	struct peer *peer;

	if (!mac_is_guest(source))
		return;
	pthread_mutex_lock(&d->lock);
	peer = peers_find(&d->peers, source);
	if (peer) {
		peer->heard = peer->tap_heard = clock_ms_coarse();
		peer->on_tap = 1;
	}
	pthread_mutex_unlock(&d->lock);
}

/* A frame's length for the guest; 0: it was dropped or passed on; -EAGAIN: there is none. */
static ssize_t take_tap(struct bt_device *d, uint8_t *buffer)
{
	uint8_t more[4]; /* a frame that reaches in here is too long */
	struct iovec part[2] = { { buffer, FRAME_MAX }, { more, sizeof(more) } };
	struct route_query query = { .from = ROUTE_FROM_TAP, .has_tap = true };
	struct mac source;
	enum drop drop;
	ssize_t n;

	if (!atomic_load_explicit(&d->tap_alive, memory_order_acquire))
		return -EAGAIN;
	n = readv(d->tap, part, 2);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != EFAULT)
			device_tap_lost(d);
		return errno == EFAULT ? -EFAULT : -EAGAIN;
	}
	drop = check(buffer, (size_t)n);
	if (drop != DROP_NONE) {
		dropped(d, drop);
		return 0;
	}
	source = frame_source(buffer);
	query.from_us = mac_equal(&source, &d->mac);
	query.group = frame_is_group(buffer);
	query.control = control_is(buffer, (size_t)n);
	switch (route_frame(&query, &drop)) {
	case ROUTE_GUEST:
		heard_by_tap(d, &source);
		count(&d->counters.from_tap);
		return n;
	case ROUTE_CONTROL:
		notice_control(d, buffer, (size_t)n, NULL);
		return 0;
	default:
		dropped(d, drop);
		return 0;
	}
}

static void look_up_source(struct bt_device *d, const struct mac *source,
			   const struct tunnel_target *from, struct route_query *query)
{
	uint32_t now = clock_ms_coarse();
	struct peer *peer;

	pthread_mutex_lock(&d->lock);
	peer = peers_find(&d->peers, source);
	if (peer) {
		query->peer = true;
		query->address = peer_address(peer, &from->address, from->port) >= 0;
		query->heard_on_tap = peer->on_tap && !time_after(now, peer->tap_heard + HEARD_MS);
		if (query->address) {
			peer->heard = now;
			peer->spoke = 1;
		}
	}
	pthread_mutex_unlock(&d->lock);
}

static ssize_t take_tunnel(struct bt_device *d, int fd, uint8_t *buffer)
{
	struct route_query query = { .from = ROUTE_FROM_PEER };
	struct tunnel_target from;
	struct mac source, destination;
	enum drop drop;
	ssize_t n = tunnel_receive(fd, buffer, FRAME_MAX, &from);

	if (n == -EAGAIN || n == -EFAULT || n == -EBADF || n == -ENOTSOCK)
		return n == -EFAULT ? n : -EAGAIN;
	if (n < 0) {
		dropped(d, n == -EMSGSIZE ? DROP_LONG : DROP_RECEIVE);
		return 0;
	}
	drop = check(buffer, (size_t)n);
	if (drop != DROP_NONE) {
		dropped(d, drop);
		return 0;
	}
	source = frame_source(buffer);
	destination = frame_destination(buffer);
	query.from_us = mac_equal(&source, &d->mac);
	query.to_us = mac_equal(&destination, &d->mac);
	query.group = frame_is_group(buffer);
	query.control = control_is(buffer, (size_t)n);
	query.has_tap = atomic_load_explicit(&d->tap_alive, memory_order_relaxed);
	if (!query.from_us && (query.group || query.to_us))
		look_up_source(d, &source, &from, &query);
	switch (route_frame(&query, &drop)) {
	case ROUTE_GUEST:
		count(&d->counters.from_tunnel);
		return n;
	case ROUTE_CONTROL:
		notice_control(d, buffer, (size_t)n, &from);
		return 0;
	default:
		dropped(d, drop);
		if (drop == DROP_UNKNOWN || drop == DROP_ADDRESS)
			notice_stranger(d, &source, &from);
		return 0;
	}
}

static ssize_t take_fast(struct bt_device *d, uint8_t *buffer)
{
	ssize_t n;

	if (!atomic_load_explicit(&d->fast.open, memory_order_acquire))
		return -EAGAIN;
	n = take_tunnel(d, d->fast.fd, buffer);
	if (n > 0)
		atomic_fetch_add_explicit(&d->fast.used, 1, memory_order_relaxed);
	return n;
}

/*
 * .turn: which source is looked at first, whether it has given a frame since the last "there is
 * none", and how many in a row. If it has, the others are not looked at in vain: if they have
 * something, the descriptor says so at once, and as nothing was given the second time, all are
 * looked at. A busy source gives way after TURN frames.
 */
#define TURN_SOURCE 3u
#define TURN_GAVE   4u
#define TURN_COUNT  8u /* and up */

static ssize_t take(struct bt_device *d, unsigned int source, uint8_t *buffer)
{
	switch (source) {
	case SOURCE_TAP:
		return take_tap(d, buffer);
	case SOURCE_FAST:
		return take_fast(d, buffer);
	default:
		return take_tunnel(d, d->tunnel.data, buffer);
	}
}

ssize_t bt_receive(struct bt_device *d, void *buffer, size_t size)
{
	unsigned int turn, empty = 0;
	ssize_t n = -EAGAIN;

	if (size < FRAME_MAX)
		return -EINVAL;
	if (!device_is_ours(d))
		return -ECHILD;
	turn = atomic_load_explicit(&d->turn, memory_order_relaxed);
	for (int budget = RECEIVE_BUDGET; budget; budget--) {
		n = take(d, turn & TURN_SOURCE, buffer);
		if (n == -EAGAIN) {
			if (turn & TURN_GAVE || ++empty == SOURCES) {
				turn &= ~TURN_GAVE;
				break;
			}
			turn = ((turn & TURN_SOURCE) + 1) % SOURCES;
			continue;
		}
		turn = (turn | (n > 0 ? TURN_GAVE : 0)) + TURN_COUNT;
		if (turn >= TURN * TURN_COUNT)
			turn = ((turn & TURN_SOURCE) + 1) % SOURCES;
		if (n)
			break;
		n = -EAGAIN;
	}
	atomic_store_explicit(&d->turn, turn, memory_order_relaxed);
	if (n > 0)
		capture_frame(d->capture, buffer, (size_t)n);
	return n;
}

/* ---- from the guest ---- */

/* True where the frame went out by the TAP; false where there is no TAP any more. */
static bool write_tap(struct bt_device *d, const uint8_t *frame, size_t len)
{
	if (write(d->tap, frame, len) >= 0) {
		count(&d->counters.to_tap);
		return true;
	}
	if (errno == EBADFD || errno == ENODEV || errno == EBADF) {
		device_tap_lost(d);
		return false;
	}
	/* EIO: the TAP is down; it may come up again */
	dropped(d, errno == EAGAIN || errno == ENOBUFS ? DROP_FULL : DROP_SEND);
	return true;
}

void device_send_by_tap(struct bt_device *d, const void *frame, size_t len)
{
	if (atomic_load(&d->tap_alive) && write(d->tap, frame, len) < 0 &&
	    (errno == EBADFD || errno == ENODEV))
		device_tap_lost(d);
}

static bool is_full(int err)
{
	return err == EAGAIN || err == ENOBUFS || err == ENOMEM;
}

/* The second and the number of frames in it, in one word so that no lock is needed. */
static bool unproven_allowed(struct bt_device *d)
{
	uint64_t second = clock_ms_coarse() / 1000;
	uint64_t was = atomic_load_explicit(&d->unproven_allowed, memory_order_relaxed);
	uint64_t is = was >> 8 == second ? was + 1 : second << 8;

	if ((is & 0xff) >= UNPROVEN_RATE)
		return false;
	atomic_store_explicit(&d->unproven_allowed, is, memory_order_relaxed);
	return true;
}

static void send_to_peers(struct bt_device *d, const uint8_t *frame, size_t len, bool has_tap)
{
	enum attach attach = has_tap ? (enum attach)atomic_load(&d->attach) : ATTACH_NO;
	struct tunnel_target to[TUNNEL_BATCH];
	struct peer *peer = NULL;
	bool asked = false, allowed = false;
	unsigned int n, failed;
	uint32_t next = 0;
	int err = 0;

	do {
		n = 0;
		pthread_mutex_lock(&d->lock);
		/* the table may have grown meanwhile; places in it stay */
		peer = next ? &d->peers.slab[next - 1] : NULL;
		while (n < TUNNEL_BATCH && (peer = peers_next(&d->peers, peer))) {
			if (peer->sending == PEER_ADDRESSES ||
			    peer_reached_by_tap(peer, &d->mac, attach))
				continue;
			if (!peer_is_proven(peer) && !peer->spoke) {
				if (!asked)
					allowed = unproven_allowed(d);
				asked = true;
				if (!allowed) {
					dropped(d, DROP_UNPROVEN);
					continue;
				}
			}
			to[n].address = peer->address[peer->sending];
			to[n++].port = peer->port;
		}
		next = peer ? (uint32_t)(peer - d->peers.slab) + 1 : 0;
		pthread_mutex_unlock(&d->lock);
		failed = n ? tunnel_send_all(&d->tunnel, to, n, frame, len, &err) : 0;
		atomic_fetch_add_explicit(&d->counters.to_tunnel, n - failed,
					  memory_order_relaxed);
		atomic_fetch_add_explicit(&d->counters.drop[is_full(err) ? DROP_FULL : DROP_SEND],
					  failed, memory_order_relaxed);
	} while (peer);
}

/* The destination's way, as the table has it. */
struct way {
	struct tunnel_target to;
	bool fast; /* by the socket that is connected there */
	bool busy; /* it deserves one */
};

static void send_to_peer(struct bt_device *d, const struct mac *mac, const struct way *way,
			 const uint8_t *frame, size_t len)
{
	int err = -ENOTCONN;

	if (way->fast) {
		atomic_fetch_add_explicit(&d->fast.used, 1, memory_order_relaxed);
		if (send(d->fast.fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			err = 0;
	}
	/* "refused" to the connected socket may be about the frame before */
	if (err)
		err = tunnel_send(&d->tunnel, &way->to, frame, len);
	if (!err) {
		count(&d->counters.to_tunnel);
		if (way->busy)
			notice_mac(d, NOTICE_BUSY, mac, &way->to);
		return;
	}
	dropped(d, is_full(-err) ? DROP_FULL : DROP_SEND);
	if (!is_full(-err))
		notice_mac(d, NOTICE_DOUBT, mac, NULL);
}

static void look_up_destination(struct bt_device *d, const struct mac *destination,
				struct route_query *query, struct way *way)
{
	enum attach attach = (enum attach)atomic_load_explicit(&d->attach, memory_order_relaxed);
	const struct peer *peer;

	pthread_mutex_lock(&d->lock);
	peer = peers_find(&d->peers, destination);
	if (peer) {
		query->peer_on_tap = query->has_tap && peer_reached_by_tap(peer, &d->mac, attach);
		query->peer = peer->sending != PEER_ADDRESSES;
	}
	if (query->peer && !query->peer_on_tap) {
		way->to = (struct tunnel_target){ peer->address[peer->sending], peer->port };
		way->fast = fast_way_is_for(&d->fast, &way->to);
		way->busy = !way->fast && peer_is_proven(peer) &&
			    fast_way_note(&d->fast, destination, clock_ms_coarse());
	}
	pthread_mutex_unlock(&d->lock);
}

/* True once it is sent or dropped; false where the TAP has just gone: decide once more. */
static bool send_frame(struct bt_device *d, const uint8_t *frame, size_t len)
{
	struct route_query query = { .from = ROUTE_FROM_GUEST };
	struct mac source = frame_source(frame), destination = frame_destination(frame);
	struct way way;
	enum drop drop;
	unsigned int ways;

	query.group = frame_is_group(frame);
	query.control = control_is(frame, len);
	query.has_tap = atomic_load_explicit(&d->tap_alive, memory_order_acquire);
	query.from_us = mac_equal(&source, &d->mac);
	if (!query.group)
		look_up_destination(d, &destination, &query, &way);
	ways = route_frame(&query, &drop);
	if (!ways)
		dropped(d, drop);
	if (ways & ROUTE_TAP && !write_tap(d, frame, len))
		return false;
	if (ways & ROUTE_PEER)
		send_to_peer(d, &destination, &way, frame, len);
	if (ways & ROUTE_PEERS)
		send_to_peers(d, frame, len, query.has_tap);
	if (ways)
		count(&d->counters.sent);
	return true;
}

ssize_t bt_send(struct bt_device *d, const void *frame, size_t len)
{
	enum drop drop;

	if (len < FRAME_MIN || len > FRAME_MAX)
		return len < FRAME_MIN ? -EINVAL : -EMSGSIZE;
	if (!device_is_ours(d))
		return -ECHILD;
	drop = check(frame, len);
	if (drop != DROP_NONE) {
		dropped(d, drop);
		return (ssize_t)len;
	}
	capture_frame(d->capture, frame, len);
	if (!send_frame(d, frame, len))
		send_frame(d, frame, len);
	return (ssize_t)len;
}
