/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * route.c: see route.h.
 */
#include "route.h"

#include <stddef.h>

static const char *const names[DROP_REASONS] = {
	[DROP_NONE] = "none",
	[DROP_FOREIGN_SOURCE] = "foreign-source",
	[DROP_NO_WAY] = "no-way",
	[DROP_OWN] = "own",
	[DROP_NOT_OURS] = "not-ours",
	[DROP_UNKNOWN] = "unknown-peer",
	[DROP_ADDRESS] = "wrong-address",
	[DROP_COPY] = "copy",
	[DROP_CONTROL] = "control",
	[DROP_SHORT] = "short",
	[DROP_LONG] = "long",
	[DROP_GROUP_SOURCE] = "group-source",
	[DROP_FULL] = "no-room",
	[DROP_SEND] = "not-sent",
	[DROP_RECEIVE] = "not-received",
	[DROP_UNPROVEN] = "unproven-peer",
	[DROP_NOT_READ] = "not-read",
};

const char *drop_name(unsigned int drop)
{
	return drop < DROP_REASONS ? names[drop] : NULL;
}

static unsigned int dropped(enum drop *drop, enum drop reason)
{
	*drop = reason;
	return 0;
}

static unsigned int from_guest(const struct route_query *q, enum drop *drop)
{
	if (!q->from_us)
		return dropped(drop, DROP_FOREIGN_SOURCE);
	if (q->control)
		return dropped(drop, DROP_CONTROL);
	if (q->group)
		return q->has_tap ? ROUTE_TAP | ROUTE_PEERS : ROUTE_PEERS;
	if (q->peer && !(q->has_tap && q->peer_on_tap))
		return ROUTE_PEER;
	if (q->has_tap)
		return ROUTE_TAP;
	return dropped(drop, DROP_NO_WAY);
}

static unsigned int from_tap(const struct route_query *q, enum drop *drop)
{
	if (q->from_us)
		return dropped(drop, DROP_OWN);
	return q->control ? ROUTE_CONTROL : ROUTE_GUEST;
}

static unsigned int from_peer(const struct route_query *q, enum drop *drop)
{
	if (q->from_us)
		return dropped(drop, DROP_OWN);
	if (q->control)
		return ROUTE_CONTROL;
	if (!q->group && !q->to_us)
		return dropped(drop, DROP_NOT_OURS);
	if (!q->peer)
		return dropped(drop, DROP_UNKNOWN);
	if (!q->address)
		return dropped(drop, DROP_ADDRESS);
	if (q->group && q->has_tap && q->heard_on_tap)
		return dropped(drop, DROP_COPY);
	return ROUTE_GUEST;
}

unsigned int route_frame(const struct route_query *query, enum drop *drop)
{
	*drop = DROP_NONE;
	switch (query->from) {
	case ROUTE_FROM_GUEST:
		return from_guest(query, drop);
	case ROUTE_FROM_TAP:
		return from_tap(query, drop);
	default:
		return from_peer(query, drop);
	}
}

bool peer_reached_by_tap(const struct peer *peer, const struct mac *mac, enum attach attach)
{
	if (attach == ATTACH_NO || peer->attach == ATTACH_NO)
		return false;
	if (peer->reach != PEER_REACH_GUESS)
		return peer->reach == PEER_REACH_TAP;
	return mac_same_host(&peer->mac, mac) ||
	       (attach_is_bridged(attach) && attach_is_bridged(peer->attach));
}
