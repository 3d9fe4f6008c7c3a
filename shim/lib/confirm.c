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

#include "confirm_rounds.h"

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

static void attach_changed(struct confirm *c, struct peer *peer, enum attach attach, uint32_t now)
{
	if (peer->attach == attach)
		return;
	peer->attach = attach;
	confirm_measure_tap(peer, now);
	if (attach == ATTACH_NO)
		peer->on_tap = 0;
	c->calls.news(c->user, CONFIRM_CHANGED, peer);
}

static bool address_is_usable(const struct confirm *c, const struct mac *mac,
			      const struct tunnel_target *at)
{
	if (at->port == 0 || !address_is_unicast(&at->address))
		return false;
	/* an announcement from the network must not make us send to our own host's services */
	return !address_is_loopback(&at->address) || mac_same_host(mac, &c->mac);
}

static void remember_claim(struct confirm *c, const struct mac *mac, const struct tunnel_target *at)
{
	for (unsigned int i = 0; i < CONFIRM_CLAIMS; i++)
		if (mac_equal(&c->claim[i].mac, mac) && tunnel_target_equal(&c->claim[i].at, at))
			return;
	c->claim[c->next_claim].mac = *mac;
	c->claim[c->next_claim].at = *at;
	c->next_claim = (c->next_claim + 1) % CONFIRM_CLAIMS;
}

static void forget_claims(struct confirm *c, const struct mac *mac)
{
	for (unsigned int i = 0; i < CONFIRM_CLAIMS; i++)
		if (mac_equal(&c->claim[i].mac, mac))
			c->claim[i].at.port = 0;
}

bool confirm_found(struct confirm *c, const struct txt *txt, const struct tunnel_target *at,
		   uint32_t now)
{
	struct peer *peer = peers_find(c->peers, &txt->mac);
	bool added = false;

	if (mac_equal(&txt->mac, &c->mac) || !address_is_usable(c, &txt->mac, at))
		return true;
	if (peer) {
		peer->announced = 1;
		if (peer_address(peer, &at->address, at->port) >= 0) {
			if (!peer_is_proven(peer)) {
				peer->heard = now;
				peer->attach = txt->attach;
			}
			if (peer->silent)
				confirm_ask_soon(peer, now);
			return true;
		}
	}
	if (peers_at(c->peers, &at->address, at->port) >= PEERS_BY_ADDRESS)
		return false;
	if (peer && peer_is_proven(peer)) {
		/* never moved by an announcement: its answer will put the address into the set */
		remember_claim(c, &txt->mac, at);
		confirm_hello(c, CONFIRM_TO_ANNOUNCED, &peer->mac, at, now);
		return true;
	}
	if (!peer) {
		peer = peers_add(c->peers, &txt->mac, now);
		if (!peer)
			return false;
		added = true;
		peer->announced = 1;
		peer->port = at->port;
	}
	if (peer->port != at->port)
		peer_forget(c->peers, peer, at->port);
	if (peer_address_add(peer, &at->address) < 0)
		return false;
	peer->attach = txt->attach;
	peer->heard = now;
	confirm_ask_soon(peer, now);
	confirm_choose_sending(c, peer);
	if (added)
		c->calls.news(c->user, CONFIRM_FOUND, peer);
	return true;
}

void confirm_lost(struct confirm *c, const struct mac *mac, uint32_t now)
{
	struct peer *peer = peers_find(c->peers, mac);

	forget_claims(c, mac);
	if (!peer)
		return;
	peer->announced = 0;
	if (!peer_is_proven(peer)) {
		confirm_drop(c, peer);
		return;
	}
	/* its daemon may only be restarting; but what is left of its minute is little */
	confirm_ask_soon(peer, now);
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
	} else if (!usable || peer->tries > CONFIRM_FAILED_TRIES) {
		peer->sending = index;
		peer->tries = 0;
		if (!first)
			c->calls.news(c->user, CONFIRM_MOVED, peer);
	} else if (peer->tries == 0) {
		confirm_ask_soon(peer, now); /* why not from the one in use? it may have moved */
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
		index = peer_address_replace(peer, &from->address);
	peer_confirm(c->peers, peer, index);
	peer_heard(peer, index == (int)peer->sending, now);
	peer->silent = 0;
	choose_answering(c, peer, (unsigned int)index, first, now);
	if (first) {
		peer->attach = control->attach;
		confirm_measure_tap(peer, now);
		c->calls.news(c->user, CONFIRM_PROVEN, peer);
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
	peer_heard(peer, true, now);
	peer->tap_heard = now;
	peer->on_tap = 1;
	peer->tap_tries = 0;
	peer->tap_rounds = 0;
	if (peer->reach == PEER_REACH_TAP)
		return;
	peer->reach = PEER_REACH_TAP;
	c->calls.news(c->user, CONFIRM_BY_TAP, peer);
}

/* A HELLO proves nothing yet, but what it says against itself may be believed at once. */
static void asked(struct confirm *c, const struct control *control,
		  const struct tunnel_target *from, uint32_t now)
{
	struct peer *peer = peers_find(c->peers, &control->source);
	int index = peer ? peer_address(peer, &from->address, from->port) : -1;

	if (index < 0 || !peer_is_proven(peer))
		return;
	peer_heard(peer, index == (int)peer->sending, now);
	if (control->attach == ATTACH_NO)
		attach_changed(c, peer, ATTACH_NO, now);
}

int confirm_frame(struct confirm *c, const uint8_t *frame, size_t len,
		  const struct tunnel_target *from, uint32_t now)
{
	const struct tunnel_target *at = from ? from : &confirm_by_tap;
	struct control control;
	struct peer *peer;

	if (control_decode(frame, len, &control) || !mac_equal(&control.destination, &c->mac))
		return -EINVAL;
	if (mac_equal(&control.source, &c->mac)) {
		struct peer twin = { .mac = c->mac };

		c->calls.news(c->user, CONFIRM_TWIN, &twin);
		return -EINVAL;
	}
	if (from && !address_is_usable(c, &control.source, from))
		return -EINVAL;
	if (control.type == CONTROL_HELLO) {
		if (from)
			asked(c, &control, from, now);
		confirm_send(c, c->farewell ? CONTROL_BYE : CONTROL_ACK, &control.source, from,
			     control.cookie, now);
		return 0;
	}
	if (control.echo != confirm_cookie(c, &control.source, at, now, 0) &&
	    control.echo != confirm_cookie(c, &control.source, at, now, 1))
		return -EINVAL;
	if (control.type == CONTROL_BYE) {
		peer = peers_find(c->peers, &control.source);
		if (peer && from && peer_address(peer, &from->address, from->port) >= 0)
			confirm_drop(c, peer);
		return 0;
	}
	if (c->farewell) {
		if (control.type == CONTROL_ACK) {
			confirm_send(c, CONTROL_BYE, &control.source, from, control.cookie, now);
			c->farewells -= c->farewells > 0;
		}
		return 0;
	}
	if (from)
		answered(c, &control, from, now);
	else
		answered_by_tap(c, &control, now);
	if (control.type == CONTROL_ACK)
		confirm_send(c, CONTROL_FIN, &control.source, from, control.cookie, now);
	return 0;
}

void confirm_unknown(struct confirm *c, const struct mac *mac, const struct tunnel_target *from,
		     uint32_t now)
{
	if (mac_is_guest(mac) && !mac_equal(mac, &c->mac) && address_is_usable(c, mac, from))
		confirm_hello(c, CONFIRM_TO_UNKNOWN, mac, from, now);
}

void confirm_attach(struct confirm *c, enum attach attach, uint32_t now)
{
	c->attach = attach;
	for (struct peer *p = NULL; (p = peers_next(c->peers, p));) {
		confirm_measure_tap(p, now);
		if (attach == ATTACH_NO)
			p->on_tap = 0;
		confirm_ask_soon(p, now);
	}
}
