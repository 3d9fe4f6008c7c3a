/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confirm_rounds.c: see confirm_rounds.h, and confirm.h for what is public.
 */
#include "confirm_rounds.h"

#define TRIES_MAX    15 /* as wide as the field */
#define TAP_TRIES    3
#define TAP_WAIT_MS  250
#define IDLE_MORE_MS 3000
#define SOON_MS	     20 /* due but without tokens: come back so soon */

const struct tunnel_target confirm_by_tap;

/* ---- sending ---- */

uint64_t confirm_cookie(const struct confirm *c, const struct mac *mac,
			const struct tunnel_target *at, uint32_t now, uint32_t slots_ago)
{
	return control_cookie(&c->key, at->address.byte, at->port, mac,
			      now / (CONTROL_COOKIE_SECONDS * 1000) - slots_ago);
}

void confirm_send(struct confirm *c, enum control_type type, const struct mac *mac,
		  const struct tunnel_target *to, uint64_t echo, uint32_t now)
{
	struct control control = {
		.destination = *mac,
		.source = c->mac,
		.type = type,
		.cookie = confirm_cookie(c, mac, to ? to : &confirm_by_tap, now, 0),
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
	int32_t *tokens = &c->bucket[kind].tokens;

	if (passed > 1000 * CONFIRM_BURST / CONFIRM_RATE)
		passed = 1000 * CONFIRM_BURST / CONFIRM_RATE;
	*tokens += (int32_t)(passed * rate);
	if (*tokens > CONFIRM_BURST * 1000)
		*tokens = CONFIRM_BURST * 1000;
	c->bucket[kind].filled = now;
	if (*tokens < 1000)
		return false;
	*tokens -= 1000;
	return true;
}

bool confirm_hello(struct confirm *c, enum confirm_kind kind, const struct mac *mac,
		   const struct tunnel_target *to, uint32_t now)
{
	if (!token(c, kind, now))
		return false;
	confirm_send(c, CONTROL_HELLO, mac, to, 0, now);
	return true;
}

static struct tunnel_target target(const struct peer *peer, unsigned int index)
{
	return (struct tunnel_target){ peer->address[index], peer->port };
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

void confirm_choose_sending(struct confirm *c, struct peer *peer)
{
	unsigned int best = PEER_ADDRESSES;

	if (peer_is_proven(peer))
		return;
	for (unsigned int i = 0; i < peer->count && !peer->silent; i++) {
		if (!c->calls.on_link(c->user, &peer->address[i]))
			continue;
		if (best == PEER_ADDRESSES ||
		    (address_is_ipv4(&peer->address[i]) && !address_is_ipv4(&peer->address[best])))
			best = i;
	}
	peer->sending = best;
}

/* Asks where the peer was only announced; what there are no tokens for, in another round. */
static void ask_claims(struct confirm *c, const struct peer *peer, uint32_t now)
{
	for (unsigned int i = 0; i < CONFIRM_CLAIMS; i++) {
		const struct tunnel_target *at = &c->claim[i].at;

		if (at->port && mac_equal(&c->claim[i].mac, &peer->mac) &&
		    peer_address(peer, &at->address, at->port) < 0)
			confirm_hello(c, CONFIRM_TO_ANNOUNCED, &peer->mac, at, now);
	}
}

/*
 * One of a round, of which @sent were sent before. Only the first needs a token, the others may be
 * owed: a round longer than the tokens that come between two ticks would never end otherwise, and
 * nobody after it be asked. False where there is none, and the round is still due.
 */
static bool hello_of_round(struct confirm *c, enum confirm_kind kind, const struct peer *peer,
			   const struct tunnel_target *to, unsigned int *sent, uint32_t now)
{
	if (!*sent && !token(c, kind, now))
		return false;
	if ((*sent)++)
		c->bucket[kind].tokens -= 1000;
	confirm_send(c, CONTROL_HELLO, &peer->mac, to, 0, now);
	return true;
}

/* One round of HELLOs: false where there was no token, and it is still due. */
static bool ask(struct confirm *c, struct peer *peer, uint32_t now)
{
	enum confirm_kind kind = peer_is_proven(peer) ? CONFIRM_TO_PROVEN : CONFIRM_TO_ANNOUNCED;
	bool all = kind == CONFIRM_TO_ANNOUNCED || peer->tries >= CONFIRM_FAILED_TRIES;
	struct tunnel_target to;
	unsigned int sent = 0;

	/* the one in use first: it stays in use if it answers first */
	if (peer->sending < PEER_ADDRESSES) {
		to = target(peer, peer->sending);
		if (!hello_of_round(c, kind, peer, &to, &sent, now))
			return false;
	}
	for (unsigned int i = 0; all && i < peer->count; i++) {
		to = target(peer, i);
		if (i != peer->sending && !hello_of_round(c, kind, peer, &to, &sent, now))
			return false;
	}
	if (all)
		ask_claims(c, peer, now);
	if (both_have_tap(c, peer) && peer->tap_tries < TAP_TRIES) {
		if (!hello_of_round(c, kind, peer, NULL, &sent, now))
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
	/* the TAP of one that is reached by tunnel alone: it may only have been busy */
	static const uint16_t tap_again[] = { 2000, 8000, 30000, 60000 };
	unsigned int step = peer->tries < 4 ? peer->tries : 4;
	uint32_t at;

	if (!peer_is_proven(peer))
		return peer->asked + unproven[step];
	at = step ? peer->asked + proven[step] : peer->heard + idle_ms(c, peer);
	if (tap_is_measured(c, peer) && time_after(at, peer->asked + TAP_WAIT_MS))
		at = peer->asked + TAP_WAIT_MS;
	if (both_have_tap(c, peer) && peer->reach == PEER_REACH_TUNNEL &&
	    time_after(at, peer->asked + tap_again[peer->tap_rounds]))
		at = peer->asked + tap_again[peer->tap_rounds];
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
	return peer_is_proven(peer) && peer->tries > CONFIRM_FAILED_TRIES;
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

void confirm_drop(struct confirm *c, struct peer *peer)
{
	c->calls.news(c->user, CONFIRM_GONE, peer);
	peers_remove(c->peers, peer);
}

/*
 * Silent for a minute. While it is still announced it may be the network that is gone, not the
 * peer; so it is asked from time to time, but gets no frames any more.
 */
static void give_up(struct confirm *c, struct peer *peer)
{
	if (!peer->announced) {
		confirm_drop(c, peer);
		return;
	}
	c->calls.news(c->user, CONFIRM_GONE, peer);
	peer_disprove(c->peers, peer);
	peer->silent = 1;
	peer->spoke = 0;
	peer->on_tap = 0;
	peer->sending = PEER_ADDRESSES;
	peers_trim(c->peers);
}

void confirm_ask_soon(struct peer *peer, uint32_t now)
{
	peer->tries = 0;
	peer->asked = now;
	/* not later than it was: doubts alone must not keep a peer alive */
	if (peer_is_proven(peer) && time_after(peer->heard, now - CONFIRM_IDLE_MS - IDLE_MORE_MS))
		peer->heard = now - CONFIRM_IDLE_MS - IDLE_MORE_MS;
}

void confirm_measure_tap(struct peer *peer, uint32_t now)
{
	peer->reach = PEER_REACH_GUESS;
	peer->tap_tries = 0;
	peer->tap_rounds = 0;
	peer->asked = now - TAP_WAIT_MS;
}

void confirm_doubt(struct confirm *c, struct peer *peer, uint32_t now)
{
	if (peer) {
		if (peer->tries == 0)
			confirm_ask_soon(peer, now);
		return;
	}
	for (peer = NULL; (peer = peers_next(c->peers, peer));) {
		confirm_ask_soon(peer, now);
		/* the first round already asks at all addresses */
		peer->tries = peer_is_proven(peer) ? CONFIRM_FAILED_TRIES : 0;
		peer->asked = now - CONFIRM_IDLE_MS; /* due whatever the step */
		confirm_choose_sending(c, peer);
		if (both_have_tap(c, peer))
			peer->tap_tries = 0;
	}
}

bool confirm_watch(struct confirm *c, uint32_t now)
{
	bool more = false;

	for (struct peer *p = NULL; (p = peers_next(c->peers, p));) {
		if (!p->sent || !peer_is_proven(p))
			continue;
		if ((p->unheard || time_after(now, p->asked + CONFIRM_CHECK_MS)) && p->tries == 0)
			ask(c, p, now);
		p->unheard = 1;
		more = true;
	}
	return more && !c->farewell;
}

/* ---- what time brings ---- */

static void tick_peer(struct confirm *c, struct peer *peer, uint32_t now)
{
	if (is_tap_unanswered(peer) && !time_after(peer->asked + TAP_WAIT_MS, now)) {
		peer->reach = PEER_REACH_TUNNEL;
		peer->on_tap = 0; /* its group frames by the tunnel may be no copies any more */
		c->calls.news(c->user, CONFIRM_BY_TUNNEL, peer);
	}
	if (time_after(due(c, peer), now))
		return;
	if (peer->reach == PEER_REACH_TUNNEL && peer->tap_tries == TAP_TRIES) {
		peer->tap_tries = 0; /* perhaps its way is mended */
		peer->tap_rounds += peer->tap_rounds < 3;
	}
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
		c->farewells += confirm_hello(c, CONFIRM_TO_PROVEN, &p->mac, &to, now);
	}
}
