/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send.c: bt_send(): a frame's way from the guest to the kernel, on the emulator's own thread. One
 * system call for a frame and way, no copy, no allocation.
 *
 * Must never: block (it runs on the emulated Mac's main thread), or wait for the control thread.
 */
#include <errno.h>

#include "capture.h"
#include "clock.h"
#include "device.h"
#include "raw.h"

#define UNPROVEN_RATE 20 /* group frames a second to peers that were never heard of */

static bool is_full(int err)
{
	return err == EAGAIN || err == ENOBUFS || err == ENOMEM;
}

static bool is_gone(int err)
{
	return err == EBADFD || err == ENODEV || err == EBADF;
}

/* True where the frame went out by the TAP; false where there is no TAP any more. */
static bool write_tap(struct bt_device *d, const uint8_t *frame, size_t len)
{
	ssize_t n = raw_write(d->tap, frame, len);

	if (n >= 0) {
		count(&d->counters.to_tap);
		return true;
	}
	if (is_gone((int)-n)) {
		device_tap_lost(d);
		return false;
	}
	/* EIO: the TAP is down; it may come up again */
	device_dropped(d, is_full((int)-n) ? DROP_FULL : DROP_SEND);
	return true;
}

void device_send_by_tap(struct bt_device *d, const void *frame, size_t len)
{
	if (atomic_load(&d->tap_alive) && is_gone((int)-raw_write(d->tap, frame, len)))
		device_tap_lost(d);
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

/* With the lock held: a frame is about to go there. True if the control thread is to be told. */
static bool note_sent(struct bt_device *d, struct peer *peer)
{
	bool first = !d->watched && peer_is_proven(peer);

	peer->sent = 1;
	d->watched |= first;
	return first;
}

static void notice_sent(const struct bt_device *d)
{
	const struct notice notice = { .kind = NOTICE_SENT };

	device_notice(d, &notice);
}

static void send_to_peers(struct bt_device *d, const uint8_t *frame, size_t len, bool has_tap)
{
	enum attach attach = has_tap ? (enum attach)atomic_load(&d->attach) : ATTACH_NO;
	struct tunnel_target to[TUNNEL_BATCH];
	struct peer *peer = NULL;
	bool asked = false, allowed = false, first = false;
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
					device_dropped(d, DROP_UNPROVEN);
					continue;
				}
			}
			first |= note_sent(d, peer);
			to[n].address = peer->address[peer->sending];
			to[n++].port = peer->port;
		}
		next = peer ? (uint32_t)(peer - d->peers.slab) + 1 : 0;
		pthread_mutex_unlock(&d->lock);
		failed = n ? tunnel_send_all(&d->tunnel, to, n, frame, len, &err) : 0;
		atomic_fetch_add_explicit(&d->counters.to_tunnel, n - failed, memory_order_relaxed);
		atomic_fetch_add_explicit(&d->counters.drop[is_full(err) ? DROP_FULL : DROP_SEND],
					  failed, memory_order_relaxed);
	} while (peer);
	if (first)
		notice_sent(d);
}

/* The destination's way, as the table has it. */
struct way {
	struct tunnel_target to;
	bool fast;  /* by the socket that is connected there */
	bool busy;  /* it deserves one */
	bool first; /* see note_sent() */
};

/* True where it went by the socket that is connected to the peer. */
static bool send_fast(struct bt_device *d, const uint8_t *frame, size_t len)
{
	count(&d->fast.used);
	return tunnel_send_connected(d->fast.fd, frame, len) == 0;
}

static void send_to_peer(struct bt_device *d, const struct mac *mac, const struct way *way,
			 const uint8_t *frame, size_t len)
{
	int err = 0;

	/* "refused" to the connected socket may be about the frame before */
	if (!way->fast || !send_fast(d, frame, len))
		err = tunnel_send(&d->tunnel, &way->to, frame, len);
	if (!err) {
		count(&d->counters.to_tunnel);
		if (way->busy)
			device_notice_mac(d, NOTICE_BUSY, mac, &way->to);
		return;
	}
	device_dropped(d, is_full(-err) ? DROP_FULL : DROP_SEND);
	if (!is_full(-err))
		device_notice_mac(d, NOTICE_DOUBT, mac, NULL);
}

static void look_up_destination(struct bt_device *d, const uint8_t *frame,
				struct route_query *query, struct way *way)
{
	enum attach attach = (enum attach)atomic_load_explicit(&d->attach, memory_order_relaxed);
	struct mac destination = frame_destination(frame);
	struct peer *peer;

	way->first = false;
	pthread_mutex_lock(&d->lock);
	peer = peers_find(&d->peers, &destination);
	if (peer) {
		way->first = note_sent(d, peer);
		query->peer_on_tap = query->has_tap && peer_reached_by_tap(peer, &d->mac, attach);
		query->peer = peer->sending != PEER_ADDRESSES;
	}
	if (query->peer_on_tap)
		lately_keep(&d->sending, LATELY_TAP, lately_to(frame), 0);
	if (query->peer && !query->peer_on_tap) {
		way->to = (struct tunnel_target){ peer->address[peer->sending], peer->port };
		way->fast = fast_way_is_for(&d->fast, &way->to);
		way->busy = !way->fast && peer_is_proven(peer) &&
			    fast_way_note(&d->fast, &destination, clock_ms_coarse());
		if (way->fast)
			lately_keep(&d->sending, LATELY_FAST, lately_to(frame), 0);
	}
	pthread_mutex_unlock(&d->lock);
}

/*
 * True where it went by the same way as the one before, to the same peer. What fails is decided
 * anew, and tried again.
 */
static inline bool send_as_lately(struct bt_device *d, const uint8_t *frame, size_t len)
{
	struct lately *lately = &d->sending;
	uint64_t word = lately_to(frame);
	enum lately_way way;

	if (!lately_is_mine(lately) || memcmp(frame + MAC_LEN, d->mac.byte, MAC_LEN) != 0 ||
	    control_is(frame, len))
		return false;
	if (lately_is(lately, LATELY_FAST, word)) {
		if (tunnel_send_connected(d->fast.fd, frame, len) < 0)
			return false;
		way = LATELY_FAST;
	} else {
		if (!lately_is(lately, LATELY_TAP, word) ||
		    !atomic_load_explicit(&d->tap_alive, memory_order_acquire) ||
		    raw_write(d->tap, frame, len) < 0)
			return false;
		way = LATELY_TAP;
	}
	lately_count(lately, way);
	return true;
}

/* True once it is sent or dropped; false where the TAP has just gone: decide once more. */
static bool send_frame(struct bt_device *d, const uint8_t *frame, size_t len)
{
	struct route_query query = { .from = ROUTE_FROM_GUEST };
	struct mac source = frame_source(frame), destination = frame_destination(frame);
	struct way way = { 0 };
	enum drop drop;
	unsigned int ways;

	query.group = frame_is_group(frame);
	query.control = control_is(frame, len);
	query.has_tap = atomic_load_explicit(&d->tap_alive, memory_order_acquire);
	query.from_us = mac_equal(&source, &d->mac);
	if (mac_is_guest(&destination)) { /* no other station is a peer */
		look_up_destination(d, frame, &query, &way);
		if (way.first)
			notice_sent(d);
	}
	ways = route_frame(&query, &drop);
	if (!ways)
		device_dropped(d, drop);
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

static APART ssize_t decide(struct bt_device *d, const void *frame, size_t len)
{
	enum drop drop = device_check(frame, len);

	if (drop != DROP_NONE) {
		device_dropped(d, drop);
		return (ssize_t)len;
	}
	if (d->capture >= 0)
		capture_frame(d->capture, frame, len);
	if (!send_frame(d, frame, len))
		send_frame(d, frame, len);
	return (ssize_t)len;
}

ssize_t bt_send(struct bt_device *d, const void *frame, size_t len)
{
	if (len < FRAME_MIN || len > FRAME_MAX)
		return len < FRAME_MIN ? -EINVAL : -EMSGSIZE;
	if (!device_is_ours(d))
		return -ECHILD;
	if (d->capture < 0 && send_as_lately(d, frame, len))
		return (ssize_t)len;
	return decide(d, frame, len);
}
