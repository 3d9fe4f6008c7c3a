/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * receive.c: bt_receive(): a frame's way from the kernel to the guest, on the emulator's own
 * thread. One system call for a frame, no allocation.
 *
 * Must never: block, wait for the control thread, or let the guest see a frame that route_frame()
 * did not send to it.
 */
#include <errno.h>

#include "capture.h"
#include "clock.h"
#include "device.h"
#include "raw.h"
#include "turn.h"

#define RECEIVE_BUDGET 256 /* frames looked at in one bt_receive() that are not the guest's */
#define HEARD_MS       60000
#define STRANGER_MS    2 /* at most one notice about strangers in so many ms */

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
		device_notice_mac(d, NOTICE_STRANGER, mac, from);
}

/* As peer_heard(), with the lock held: that something is sent to the peer has to be noted anew. */
static void heard(struct bt_device *d, struct peer *peer, bool there, uint32_t now)
{
	peer_heard(peer, there, now);
	if (there)
		lately_forget(&d->sending);
}

static APART bool is_of_that_time(const struct lately *lately, enum lately_way way)
{
	return atomic_load_explicit(&lately->time[way], memory_order_relaxed) == clock_ms_coarse();
}

/*
 * True where nothing is to be noted or decided for a frame that came by @way: one more of the same
 * peer, for the guest alone, at the same time. Those of a burst are: to ask for the time takes as
 * long as all else here.
 */
static inline bool is_as_lately(const struct bt_device *d, enum lately_way way, bool burst,
				const uint8_t *frame, ssize_t n)
{
	const struct lately *lately = &d->receiving;

	return n >= FRAME_MIN && n <= FRAME_MAX && lately_is(lately, way, lately_from(frame)) &&
	       memcmp(frame, d->mac.byte, MAC_LEN) == 0 && !control_is(frame, (size_t)n) &&
	       (burst || is_of_that_time(lately, way));
}

/* The peer was heard by the TAP: a copy of its group frames by the tunnel is one too many. */
static void heard_by_tap(struct bt_device *d, const struct mac *source, const uint8_t *frame)
{
	uint32_t now = clock_ms_coarse();
	struct mac destination = frame_destination(frame);
	struct peer *peer;

	pthread_mutex_lock(&d->lock);
	peer = peers_find(&d->peers, source);
	if (peer) {
		peer->tap_heard = now;
		peer->on_tap = 1;
		heard(d, peer,
		      peer_reached_by_tap(peer, &d->mac, (enum attach)atomic_load(&d->attach)),
		      now);
	}
	if (mac_equal(&destination, &d->mac))
		lately_keep(&d->receiving, LATELY_TAP, lately_from(frame), now);
	pthread_mutex_unlock(&d->lock);
}

/* A frame's length for the guest; 0: it was dropped or passed on; -EAGAIN: there is none. */
static APART ssize_t take_tap(struct bt_device *d, bool burst, uint8_t *buffer)
{
	/* with room for a byte too many: to copy costs less than to read into two places */
	uint8_t frame[FRAME_MAX + 1];
	struct route_query query = { .from = ROUTE_FROM_TAP, .has_tap = true };
	bool mine = lately_is_mine(&d->receiving);
	struct mac source;
	enum drop drop;
	ssize_t n;

	if (!atomic_load_explicit(&d->tap_alive, memory_order_acquire))
		return -EAGAIN;
	n = raw_read(d->tap, frame, sizeof(frame));
	if (n < 0) {
		if (n != -EAGAIN && n != -EINTR)
			device_tap_lost(d);
		return -EAGAIN;
	}
	if (mine && is_as_lately(d, LATELY_TAP, burst, frame, n)) {
		memcpy(buffer, frame, (size_t)n);
		lately_count(&d->receiving, LATELY_TAP);
		return n;
	}
	drop = device_check(frame, (size_t)n);
	if (drop != DROP_NONE) {
		device_dropped(d, drop);
		return 0;
	}
	source = frame_source(frame);
	query.from_us = mac_equal(&source, &d->mac);
	query.group = frame_is_group(frame);
	query.control = control_is(frame, (size_t)n);
	switch (route_frame(&query, &drop)) {
	case ROUTE_GUEST:
		if (mac_is_guest(&source)) /* no other station is a peer */
			heard_by_tap(d, &source, frame);
		memcpy(buffer, frame, (size_t)n);
		count(&d->counters.from_tap);
		return n;
	case ROUTE_CONTROL:
		notice_control(d, frame, (size_t)n, NULL);
		return 0;
	default:
		device_dropped(d, drop);
		return 0;
	}
}

/*
 * @from is looked up too where it came by the @fast way, whose other end is known. False where that
 * was given up just now, and whose the frame was is not known any more.
 */
static bool look_up_source(struct bt_device *d, const uint8_t *frame, bool fast,
			   struct tunnel_target *from, struct route_query *query)
{
	uint32_t now = clock_ms_coarse();
	struct mac source = frame_source(frame);
	struct peer *peer;
	int index;

	pthread_mutex_lock(&d->lock);
	if (fast)
		*from = d->fast.to;
	peer = peers_find(&d->peers, &source);
	if (peer) {
		query->peer = true;
		index = peer_address(peer, &from->address, from->port);
		query->address = index >= 0;
		query->heard_on_tap = peer->on_tap && !time_after(now, peer->tap_heard + HEARD_MS);
		if (query->address) {
			heard(d, peer, index == (int)peer->sending, now);
			peer->spoke = 1;
			if (fast && query->to_us && !query->from_us)
				lately_keep(&d->receiving, LATELY_FAST, lately_from(frame), now);
		}
	}
	pthread_mutex_unlock(&d->lock);
	return !fast || from->port;
}

/* As take_tap(), for what the @fast way or the socket for all gave: @n bytes or an error. */
static ssize_t judge(struct bt_device *d, bool fast, uint8_t *buffer, ssize_t n,
		     struct tunnel_target *from)
{
	struct route_query query = { .from = ROUTE_FROM_PEER };
	struct mac source, destination;
	enum drop drop;

	if (n == -EAGAIN || n == -EFAULT || n == -EBADF || n == -ENOTSOCK)
		return n == -EFAULT ? n : -EAGAIN;
	if (n < 0) {
		device_dropped(d, n == -EMSGSIZE ? DROP_LONG : DROP_RECEIVE);
		return 0;
	}
	drop = device_check(buffer, (size_t)n);
	if (drop != DROP_NONE) {
		device_dropped(d, drop);
		return 0;
	}
	source = frame_source(buffer);
	destination = frame_destination(buffer);
	query.from_us = mac_equal(&source, &d->mac);
	query.to_us = mac_equal(&destination, &d->mac);
	query.group = frame_is_group(buffer);
	query.control = control_is(buffer, (size_t)n);
	query.has_tap = atomic_load_explicit(&d->tap_alive, memory_order_relaxed);
	if ((fast || (!query.from_us && (query.group || query.to_us))) &&
	    !look_up_source(d, buffer, fast, from, &query)) {
		device_dropped(d, DROP_ADDRESS);
		return 0;
	}
	switch (route_frame(&query, &drop)) {
	case ROUTE_GUEST:
		count(&d->counters.from_tunnel);
		if (fast)
			count(&d->fast.used);
		return n;
	case ROUTE_CONTROL:
		notice_control(d, buffer, (size_t)n, from);
		return 0;
	default:
		device_dropped(d, drop);
		if (drop == DROP_UNKNOWN || drop == DROP_ADDRESS)
			notice_stranger(d, &source, from);
		return 0;
	}
}

static APART ssize_t take_tunnel(struct bt_device *d, uint8_t *buffer)
{
	struct tunnel_target from;
	ssize_t n = tunnel_receive(d->tunnel.data, buffer, FRAME_MAX, &from);

	return judge(d, false, buffer, n, &from);
}

static APART ssize_t judge_fast(struct bt_device *d, uint8_t *buffer, ssize_t n)
{
	struct tunnel_target from;

	return judge(d, true, buffer, n, &from);
}

static inline ssize_t take_fast(struct bt_device *d, bool burst, uint8_t *buffer)
{
	bool mine = lately_is_mine(&d->receiving);
	ssize_t n;

	if (!atomic_load_explicit(&d->fast.open, memory_order_acquire))
		return -EAGAIN;
	n = tunnel_receive_connected(d->fast.fd, buffer, FRAME_MAX);
	if (!mine || !is_as_lately(d, LATELY_FAST, burst, buffer, n))
		return n == -EAGAIN ? n : judge_fast(d, buffer, n);
	lately_count(&d->receiving, LATELY_FAST);
	return n;
}

/* @burst: the source has given a frame just before. */
static inline ssize_t take(struct bt_device *d, unsigned int source, bool burst, uint8_t *buffer)
{
	switch (source) {
	case SOURCE_TAP:
		return take_tap(d, burst, buffer);
	case SOURCE_FAST:
		return take_fast(d, burst, buffer);
	default:
		return take_tunnel(d, buffer);
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
	if (turn_guess(turn)) {
		turn = turn_drained(turn, false);
		atomic_store_explicit(&d->turn, turn, memory_order_relaxed);
		return -EAGAIN;
	}
	for (int budget = RECEIVE_BUDGET; budget; budget--) {
		n = take(d, turn_source(turn), turn_gave(turn), buffer);
		if (n == -EAGAIN) {
			if (turn_gave(turn)) {
				turn = turn_drained(turn, true);
				break;
			}
			if (++empty == SOURCES)
				break;
			turn = turn_next(turn, SOURCES);
			continue;
		}
		turn = turn_took(turn, n > 0, SOURCES);
		if (n)
			break;
		n = -EAGAIN;
	}
	atomic_store_explicit(&d->turn, turn, memory_order_relaxed);
	if (n > 0 && d->capture >= 0)
		capture_frame(d->capture, buffer, (size_t)n);
	return n;
}
