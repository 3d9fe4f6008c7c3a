/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confirm.c: see confirm.h.
 *
 * The exchange is HELLO, ACK, FIN. Each carries the sender's cookie for the receiver; ACK and FIN
 * echo the receiver's. Who gets its own valid cookie back knows that the other one reads what is
 * sent to that address: after ACK the asking side knows, after FIN the asked one.
 */
#include "confirm.h"

#include <errno.h>

#define TRIES_MAX     15 /* as wide as the field */
#define TAP_TRIES     3
#define TAP_WAIT_MS   250
#define TAP_AGAIN_MS  60000 /* a peer reached by tunnel alone is tried by TAP so often */
#define IDLE_MORE_MS  3000
#define FAILED_TRIES  2	    /* after so many rounds the other addresses are tried */
#define SOON_MS	      20    /* due but without tokens: come back so soon */

/* Cookies over the TAP are made for the address :: and port 0, which no datagram comes from. */
static const struct tunnel_target by_tap;

/* ---- sending ---- */

static uint64_t cookie(const struct confirm *c, const struct mac *mac,
		       const struct tunnel_target *at, uint32_t now, uint32_t slots_ago)
{
	return control_cookie(&c->key, at->address.byte, at->port, mac,
			      now / (CONTROL_COOKIE_SECONDS * 1000) - slots_ago);
}

static void send_control(struct confirm *c, enum control_type type, const struct mac *mac,
			 const struct tunnel_target *to, uint64_t echo, uint32_t now)
{
	struct control control = {
		.destination = *mac,
		.source = c->mac,
		.type = type,
		.cookie = cookie(c, mac, to ? to : &by_tap, now, 0),
		.echo = echo,
		.bridged = attach_is_bridged(c->attach),
		.attach = c->attach,
	};
	uint8_t frame[CONTROL_LEN];

	control_encode(&control, frame);
	c->calls.send(c->user, frame, to);
}

static bool token(struct confirm *c, enum confirm_kind kind, uint32_t now)
{
	uint32_t rate = kind == CONFIRM_TO_UNKNOWN ? CONFIRM_RATE / 4 : CONFIRM_RATE;
	uint32_t passed = now - c->bucket[kind].filled;
	uint32_t *tokens = &c->bucket[kind].tokens;

	if (passed > 1000 * CONFIRM_BURST / CONFIRM_RATE)
		passed = 1000 * CONFIRM_BURST / CONFIRM_RATE;
	*tokens += passed * rate;
	if (*tokens > CONFIRM_BURST * 1000)
		*tokens = CONFIRM_BURST * 1000;
	c->bucket[kind].filled = now;
	if (*tokens < 1000)
		return false;
	*tokens -= 1000;
	return true;
}

static bool hello(struct confirm *c, enum confirm_kind kind, const struct mac *mac,
		  const struct tunnel_target *to, uint32_t now)
{
	if (!token(c, kind, now))
		return false;
	send_control(c, CONTROL_HELLO, mac, to, 0, now);
	return true;
}

static struct tunnel_target target(const struct peer *peer, unsigned int index)
{
	return (struct tunnel_target){ peer->address[index], peer->port };
}

static void news(struct confirm *c, enum confirm_news what, const struct peer *peer)
{
	c->calls.news(c->user, what, peer);
}

/* ---- what is done for one peer ---- */

static bool both_have_tap(const struct confirm *c, const struct peer *peer)
{
	return c->attach != ATTACH_NO && peer->attach != ATTACH_NO;
}

static bool tap_is_measured(const struct confirm *c, const struct peer *peer)
{
	return both_have_tap(c, peer) && peer->tap_tries < TAP_TRIES &&
	       (peer->reach == PEER_REACH_GUESS || peer->tap_tries > 0);
}

/* Until an address has answered: on-link IPv4, then link-local, else none. */
static void choose_sending(struct confirm *c, struct peer *peer)
{
	unsigned int best = PEER_ADDRESSES;

	if (peer_is_proven(peer))
		return;
	for (unsigned int i = 0; i < peer->count && !peer->silent; i++) {
		if (!c->calls.on_link(c->user, &peer->address[i]))
			continue;
		if (best == PEER_ADDRESSES || (address_is_ipv4(&peer->address[i]) &&
					       !address_is_ipv4(&peer->address[best])))
			best = i;
	}
	peer->sending = best;
}

/* One round of HELLOs: false where the tokens did not suffice, and it is still due. */
static bool ask(struct confirm *c, struct peer *peer, uint32_t now)
{
	enum confirm_kind kind = peer_is_proven(peer) ? CONFIRM_TO_PROVEN : CONFIRM_TO_ANNOUNCED;
	bool all = kind == CONFIRM_TO_ANNOUNCED || peer->tries >= FAILED_TRIES;
	struct tunnel_target to;

	/* the one in use first: it stays in use if it answers first */
	if (peer->sending < PEER_ADDRESSES) {
		to = target(peer, peer->sending);
		if (!hello(c, kind, &peer->mac, &to, now))
			return false;
	}
	for (unsigned int i = 0; all && i < peer->count; i++) {
		to = target(peer, i);
		if (i != peer->sending && !hello(c, kind, &peer->mac, &to, now))
			return false;
	}
	if (both_have_tap(c, peer) && peer->tap_tries < TAP_TRIES) {
		if (!hello(c, kind, &peer->mac, NULL, now))
			return false;
		peer->tap_tries++;
	}
	if (peer->tries < TRIES_MAX)
		peer->tries++;
	peer->asked = now;
	return true;
}

/* Of two that are silent only one should begin: the other waits a little longer. */
static uint32_t idle_ms(const struct confirm *c, const struct peer *peer)
{
	return CONFIRM_IDLE_MS +
	       (memcmp(c->mac.byte, peer->mac.byte, MAC_LEN) > 0 ? IDLE_MORE_MS : 0);
}

/* When the next round is due. */
static uint32_t due(const struct confirm *c, const struct peer *peer)
{
	static const uint16_t unproven[] = { 0, 250, 750, 2000, 20000 };
	static const uint16_t proven[] = { 0, 250, 750, 2000, 5000 };
	unsigned int step = peer->tries < 4 ? peer->tries : 4;
	uint32_t at;

	if (!peer_is_proven(peer))
		return peer->asked + unproven[step];
	at = step ? peer->asked + proven[step] : peer->heard + idle_ms(c, peer);
	if (tap_is_measured(c, peer) && time_after(at, peer->asked + TAP_WAIT_MS))
		at = peer->asked + TAP_WAIT_MS;
	if (both_have_tap(c, peer) && peer->reach == PEER_REACH_TUNNEL &&
	    time_after(at, peer->asked + TAP_AGAIN_MS))
		at = peer->asked + TAP_AGAIN_MS;
	return at;
}

/* When a proven peer is given up, unless it is heard of. */
static uint32_t end(const struct peer *peer)
{
	return peer->heard + CONFIRM_GONE_MS;
}

/* Nobody is given up unasked: it may be us who stood still, in a suspended machine. */
static bool was_asked(const struct peer *peer)
{
	return peer_is_proven(peer) && peer->tries > FAILED_TRIES;
}

static bool is_at_end(const struct peer *peer, uint32_t now)
{
	return was_asked(peer) && !time_after(end(peer), now);
}

/* All that was sent to measure the TAP has been sent, and the tunnel has answered meanwhile. */
static bool is_tap_unanswered(const struct peer *peer)
{
	return peer->tap_tries == TAP_TRIES && peer->reach != PEER_REACH_TUNNEL &&
	       peer_is_proven(peer) && peer->tries == 0;
}

static void drop(struct confirm *c, struct peer *peer)
{
	news(c, CONFIRM_GONE, peer);
	peers_remove(c->peers, peer);
}

/*
 * Silent for a minute. While it is still announced it may be the network that is gone, not the
 * peer; so it is asked from time to time, but gets no frames any more.
 */
static void give_up(struct confirm *c, struct peer *peer)
{
	if (!peer->announced) {
		drop(c, peer);
		return;
	}
	news(c, CONFIRM_GONE, peer);
	peer_disprove(c->peers, peer);
	peer->silent = 1;
	peer->spoke = 0;
	peer->on_tap = 0;
	peer->sending = PEER_ADDRESSES;
}

/* Due from this moment on, as if never asked. */
static void ask_soon(struct peer *peer, uint32_t now)
{
	peer->tries = 0;
	peer->asked = now;
	/* not later than it was: doubts alone must not keep a peer alive */
	if (peer_is_proven(peer) && time_after(peer->heard, now - CONFIRM_IDLE_MS - IDLE_MORE_MS))
		peer->heard = now - CONFIRM_IDLE_MS - IDLE_MORE_MS;
}

/* Measures from the beginning whether the TAP reaches the peer. */
static void measure_tap(struct peer *peer, uint32_t now)
{
	peer->reach = PEER_REACH_GUESS;
	peer->tap_tries = 0;
	peer->asked = now - TAP_WAIT_MS;
}

static void attach_changed(struct confirm *c, struct peer *peer, enum attach attach, uint32_t now)
{
	if (peer->attach == attach)
		return;
	peer->attach = attach;
	measure_tap(peer, now);
	if (attach == ATTACH_NO)
		peer->on_tap = 0;
	news(c, CONFIRM_CHANGED, peer);
}

/* ---- what comes in ---- */

void confirm_init(struct confirm *confirm, struct peers *peers, const struct mac *mac,
		  enum attach attach, const struct siphash_key *key,
		  const struct confirm_calls *calls, void *user, uint32_t now)
{
	*confirm = (struct confirm){ .peers = peers,
				     .mac = *mac,
				     .attach = attach,
				     .key = *key,
				     .calls = *calls,
				     .user = user };
	for (int i = 0; i < CONFIRM_KINDS; i++) {
		confirm->bucket[i].tokens = CONFIRM_BURST * 1000;
		confirm->bucket[i].filled = now;
	}
}

static bool address_is_usable(const struct confirm *c, const struct mac *mac,
			      const struct tunnel_target *at)
{
	if (at->port == 0 || !address_is_unicast(&at->address))
		return false;
	/* an announcement from the network must not make us send to our own host's services */
	return !address_is_loopback(&at->address) || mac_same_host(mac, &c->mac);
}

void confirm_found(struct confirm *c, const struct txt *txt, const struct tunnel_target *at,
		   uint32_t now)
{
	struct peer *peer = peers_find(c->peers, &txt->mac);
	bool added = false;

	if (mac_equal(&txt->mac, &c->mac) || !address_is_usable(c, &txt->mac, at))
		return;
	if (peer) {
		peer->announced = 1;
		if (peer_address(peer, &at->address, at->port) >= 0) {
			if (!peer_is_proven(peer))
				peer->heard = now;
			if (peer->silent)
				ask_soon(peer, now);
			return;
		}
	}
	if (peers_at(c->peers, &at->address, at->port) >= PEERS_BY_ADDRESS)
		return;
	if (peer && peer_is_proven(peer)) {
		/* never moved by an announcement: its answer will put the address into the set */
		hello(c, CONFIRM_TO_ANNOUNCED, &peer->mac, at, now);
		return;
	}
	if (!peer) {
		peer = peers_add(c->peers, &txt->mac, now);
		if (!peer)
			return;
		added = true;
		peer->announced = 1;
		peer->port = at->port;
	}
	if (peer->port != at->port)
		peer_forget(c->peers, peer, at->port);
	if (peer_address_add(peer, &at->address) < 0)
		return;
	peer->attach = txt->attach;
	peer->heard = now;
	ask_soon(peer, now);
	choose_sending(c, peer);
	if (added)
		news(c, CONFIRM_FOUND, peer);
}

void confirm_lost(struct confirm *c, const struct mac *mac, uint32_t now)
{
	struct peer *peer = peers_find(c->peers, mac);

	if (!peer)
		return;
	peer->announced = 0;
	if (!peer_is_proven(peer)) {
		drop(c, peer);
		return;
	}
	/* its daemon may only be restarting; but what is left of its minute is little */
	ask_soon(peer, now);
	peer->heard = now - (CONFIRM_GONE_MS - CONFIRM_LEAVING_MS);
}

/* The entry for a MAC that has just answered from @from, made if need be; or NULL. */
static struct peer *entry(struct confirm *c, const struct mac *mac,
			  const struct tunnel_target *from, uint32_t now)
{
	struct peer *peer = peers_find(c->peers, mac);

	if (peer && peer_address(peer, &from->address, from->port) >= 0)
		return peer;
	if (peers_at(c->peers, &from->address, from->port) >= PEERS_BY_ADDRESS)
		return NULL;
	if (!peer) {
		peer = peers_add(c->peers, mac, now);
		if (peer)
			peer->port = from->port;
	}
	return peer;
}

/* The address with @index has just answered: is it, or does it become, the one to send to? */
static void choose_answering(struct confirm *c, struct peer *peer, unsigned int index, bool first,
			     uint32_t now)
{
	bool usable = peer->sending < PEER_ADDRESSES && peer->confirmed & 1u << peer->sending;

	if (peer->sending == index) {
		peer->tries = 0;
	} else if (!usable || peer->tries > FAILED_TRIES) {
		peer->sending = index;
		peer->tries = 0;
		if (!first)
			news(c, CONFIRM_MOVED, peer);
	} else if (peer->tries == 0) {
		ask_soon(peer, now); /* why not from the one in use? it may have moved */
	}
}

static void answered(struct confirm *c, const struct control *control,
		     const struct tunnel_target *from, uint32_t now)
{
	struct peer *peer = entry(c, &control->source, from, now);
	bool first;
	int index;

	if (!peer)
		return;
	first = !peer_is_proven(peer);
	if (peer->port != from->port)
		peer_forget(c->peers, peer, from->port);
	index = peer_address(peer, &from->address, from->port);
	if (index < 0)
		index = peer_address_add(peer, &from->address);
	if (index < 0)
		return;
	peer_confirm(c->peers, peer, index);
	peer->heard = now;
	peer->silent = 0;
	choose_answering(c, peer, (unsigned int)index, first, now);
	if (first) {
		peer->attach = control->attach;
		measure_tap(peer, now);
		news(c, CONFIRM_PROVEN, peer);
	} else {
		attach_changed(c, peer, control->attach, now);
	}
}

static void answered_by_tap(struct confirm *c, const struct control *control, uint32_t now)
{
	struct peer *peer = peers_find(c->peers, &control->source);

	if (!peer || c->attach == ATTACH_NO)
		return;
	attach_changed(c, peer, control->attach, now);
	peer->heard = peer->tap_heard = now;
	peer->on_tap = 1;
	peer->tap_tries = 0;
	if (peer->reach == PEER_REACH_TAP)
		return;
	peer->reach = PEER_REACH_TAP;
	news(c, CONFIRM_BY_TAP, peer);
}

/* A HELLO proves nothing yet, but what it says against itself may be believed at once. */
static void asked(struct confirm *c, const struct control *control,
		  const struct tunnel_target *from, uint32_t now)
{
	struct peer *peer = peers_find(c->peers, &control->source);

	if (!peer || !peer_is_proven(peer) ||
	    peer_address(peer, &from->address, from->port) < 0)
		return;
	peer->heard = now;
	if (control->attach == ATTACH_NO)
		attach_changed(c, peer, ATTACH_NO, now);
}

int confirm_frame(struct confirm *c, const uint8_t *frame, size_t len,
		  const struct tunnel_target *from, uint32_t now)
{
	const struct tunnel_target *at = from ? from : &by_tap;
	struct control control;
	struct peer *peer;

	if (control_decode(frame, len, &control) || !mac_equal(&control.destination, &c->mac))
		return -EINVAL;
	if (mac_equal(&control.source, &c->mac)) {
		struct peer twin = { .mac = c->mac };

		news(c, CONFIRM_TWIN, &twin);
		return -EINVAL;
	}
	if (from && !address_is_usable(c, &control.source, from))
		return -EINVAL;
	if (control.type == CONTROL_HELLO) {
		if (from)
			asked(c, &control, from, now);
		send_control(c, CONTROL_ACK, &control.source, from, control.cookie, now);
		return 0;
	}
	if (control.echo != cookie(c, &control.source, at, now, 0) &&
	    control.echo != cookie(c, &control.source, at, now, 1))
		return -EINVAL;
	if (control.type == CONTROL_BYE) {
		peer = peers_find(c->peers, &control.source);
		if (peer && from && peer_address(peer, &from->address, from->port) >= 0)
			drop(c, peer);
		return 0;
	}
	if (c->farewell) {
		if (control.type == CONTROL_ACK) {
			send_control(c, CONTROL_BYE, &control.source, from, control.cookie, now);
			c->farewells -= c->farewells > 0;
		}
		return 0;
	}
	if (from)
		answered(c, &control, from, now);
	else
		answered_by_tap(c, &control, now);
	if (control.type == CONTROL_ACK)
		send_control(c, CONTROL_FIN, &control.source, from, control.cookie, now);
	return 0;
}

void confirm_unknown(struct confirm *c, const struct mac *mac, const struct tunnel_target *from,
		     uint32_t now)
{
	if (mac_is_guest(mac) && !mac_equal(mac, &c->mac) && address_is_usable(c, mac, from))
		hello(c, CONFIRM_TO_UNKNOWN, mac, from, now);
}

void confirm_doubt(struct confirm *c, struct peer *peer, uint32_t now)
{
	if (peer) {
		if (peer->tries == 0)
			ask_soon(peer, now);
		return;
	}
	for (peer = NULL; (peer = peers_next(c->peers, peer));) {
		ask_soon(peer, now);
		/* the first round already asks at all addresses */
		peer->tries = peer_is_proven(peer) ? FAILED_TRIES : 0;
		peer->asked = now - CONFIRM_IDLE_MS; /* due whatever the step */
		choose_sending(c, peer);
		if (both_have_tap(c, peer))
			peer->tap_tries = 0;
	}
}

void confirm_attach(struct confirm *c, enum attach attach, uint32_t now)
{
	c->attach = attach;
	for (struct peer *p = NULL; (p = peers_next(c->peers, p));) {
		measure_tap(p, now);
		if (attach == ATTACH_NO)
			p->on_tap = 0;
		ask_soon(p, now);
	}
}

/* ---- what time brings ---- */

static void tick_peer(struct confirm *c, struct peer *peer, uint32_t now)
{
	if (is_tap_unanswered(peer) && !time_after(peer->asked + TAP_WAIT_MS, now)) {
		peer->reach = PEER_REACH_TUNNEL;
		news(c, CONFIRM_BY_TUNNEL, peer);
	}
	if (time_after(due(c, peer), now))
		return;
	if (peer->reach == PEER_REACH_TUNNEL && peer->tap_tries == TAP_TRIES)
		peer->tap_tries = 0; /* perhaps its way is mended */
	ask(c, peer, now);
}

/* When something is to be done for the peer next. */
static uint32_t next_event(const struct confirm *c, const struct peer *peer)
{
	uint32_t at = due(c, peer);

	if (is_tap_unanswered(peer) && time_after(at, peer->asked + TAP_WAIT_MS))
		at = peer->asked + TAP_WAIT_MS;
	if (was_asked(peer) && time_after(at, end(peer)))
		at = end(peer);
	return at;
}

int confirm_tick(struct confirm *c, uint32_t now)
{
	int wait = -1;

	for (struct peer *p = NULL; !c->farewell && (p = peers_next(c->peers, p));) {
		int left;

		if (is_at_end(p, now)) {
			give_up(c, p);
			if (!p->used)
				continue;
		}
		tick_peer(c, p, now);
		left = (int)(next_event(c, p) - now);
		if (left < SOON_MS)
			left = SOON_MS;
		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}

void confirm_farewell(struct confirm *c, uint32_t now)
{
	c->farewell = true;
	for (const struct peer *p = NULL; (p = peers_next(c->peers, p));) {
		struct tunnel_target to;

		if (!peer_is_proven(p) || p->sending == PEER_ADDRESSES)
			continue;
		to = target(p, p->sending);
		c->farewells += hello(c, CONFIRM_TO_PROVEN, &p->mac, &to, now);
	}
}
