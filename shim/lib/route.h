/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * route.h: who gets which frame, and who reaches whom by what. Pure: no I/O, no globals.
 */
#ifndef BASILISK_TAP_SHIM_ROUTE_H
#define BASILISK_TAP_SHIM_ROUTE_H

#include <stdbool.h>

#include "attach.h"
#include "peers.h"

enum route_from { ROUTE_FROM_GUEST, ROUTE_FROM_TAP, ROUTE_FROM_PEER };

/* Where a frame goes: a set of these; none of them: it is dropped. */
enum route_to {
	ROUTE_GUEST = 1,   /* to the guest */
	ROUTE_TAP = 2,	   /* out by the TAP */
	ROUTE_PEER = 4,	   /* to the one peer that has the destination address */
	ROUTE_PEERS = 8,   /* to each peer that the TAP does not reach */
	ROUTE_CONTROL = 16 /* to the control thread: a confirmation frame */
};

/* What is known of a frame; of those under a condition, false where it does not hold. */
struct route_query {
	enum route_from from;
	bool group;	  /* broadcast or multicast */
	bool control;	  /* control_is() */
	bool has_tap;	  /* we have a live TAP */
	bool to_us;	  /* unicast to the guest's MAC */
	bool from_us;	  /* the source is the guest's MAC */
	bool peer;	  /* from the guest: its destination is a peer's; from a peer: its source */
	bool peer_on_tap; /* from the guest: peer_reached_by_tap() */
	bool address;	  /* from a peer: it came from an address of that peer's */
	bool heard_on_tap; /* from a peer: its frames came by the TAP lately */
};

/* Why a frame was dropped; route_frame() tells those up to DROP_CONTROL. */
enum drop {
	DROP_NONE,
	DROP_FOREIGN_SOURCE, /* guest: sent under an address that is not its own */
	DROP_NO_WAY,	     /* guest: to a station that is no peer, and no TAP */
	DROP_OWN,	     /* our own frame came back */
	DROP_NOT_OURS,	     /* peer: to another guest's address */
	DROP_UNKNOWN,	     /* peer: the source is nobody's we know */
	DROP_ADDRESS,	     /* peer: from an address that is not the source's */
	DROP_COPY,	     /* peer: a group frame that came by the TAP already */
	DROP_CONTROL,	     /* guest: a confirmation frame, which is not the guest's to send */
	DROP_SHORT,	     /* under 14 bytes */
	DROP_LONG,	     /* over 1,514 bytes */
	DROP_GROUP_SOURCE,   /* sent by a group address */
	DROP_FULL,	     /* the kernel has no room to send now */
	DROP_SEND,	     /* the kernel refused to send */
	DROP_RECEIVE,	     /* the kernel failed to deliver */
	DROP_UNPROVEN,	     /* group frame to a peer that never answered: rate limited */
	DROP_NOT_READ,	     /* the kernel's queue was full, or the datagram damaged */
	DROP_REASONS
};

/* A word for the reason ("unknown"), for status and counters; NULL beyond DROP_REASONS. */
const char *drop_name(unsigned int drop);

/* The set of enum route_to for a frame, and the reason where it is empty. */
unsigned int route_frame(const struct route_query *query, enum drop *drop);

/*
 * True where a frame to @peer goes by the TAP of a guest attached by @attach with address @mac:
 * as measured, or else by what both say of themselves.
 */
bool peer_reached_by_tap(const struct peer *peer, const struct mac *mac, enum attach attach);

#endif
