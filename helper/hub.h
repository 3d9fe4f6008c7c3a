/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hub.h: the pair bthub and btlan, by which all guests of this host reach each other and the
 * uplink. bthub fans out to the TAPs, btlan holds the small static switch.
 *
 *     TAP --tc--> bthub ==veth== btlan --tc--> the NIC's way out (LAN) and in (host)
 */
#ifndef BASILISK_TAP_HELPER_HUB_H
#define BASILISK_TAP_HELPER_HUB_H

#include "tap.h"
#include "uplink.h"

#define HUB_NAME     "bthub"
#define HUB_LAN_NAME "btlan"

/*
 * What was done to the NIC because it was not so before, and to bthub once for all. Each is
 * remembered by a filter on bthub that does nothing, its preference being the number: set without
 * being read, unset by release alone.
 */
enum {
	HUB_DID_CLSACT = 1,
	HUB_DID_ALLMULTI = 2,
	HUB_DID_PROMISC = 4,
	HUB_DID_FINISH = 8,
	HUB_DID_ALL = 15
};

/* What stands; noted on bthub, in its alias and as above: the only memory between two runs. */
struct hub {
	int index, lan;	    /* ifindex of bthub and btlan; 0: there is none */
	uint32_t host;	    /* mac_host() of who built it */
	enum attach attach; /* ATTACH_NO: not connected to anything yet */
	int uplink;	    /* ifindex of the NIC or bridge, or 0 */
	unsigned int done;  /* HUB_DID_…: what release has to undo on the NIC */
	bool asked;	    /* a caller asked for this bridge by name */
	bool releasing;	    /* somebody is taking it down: what is built now may go at once */
	/* bthub and btlan, as they were found */
	struct link near, far;
};

/*
 * Finds the pair and what it is connected to. 0, also where there is none, or -1 with
 * OUTCOME_FOREIGN_DEVICE or OUTCOME_SYSTEM.
 */
int hub_find(struct nl *nl, uint32_t host, struct hub *hub, struct outcome *outcome);

/*
 * Ensures the pair and its static switch for @plan, up, from what hub_find() found, with nothing on
 * the NIC yet: whatever an earlier plan connected it to is disconnected first. For ATTACH_BRIDGE
 * the bridge takes the card's place as the plan's uplink. 0 or -1 with @outcome.
 */
int hub_ensure(struct nl *nl, uint32_t host, struct plan *plan, bool serve, struct hub *hub,
	       struct outcome *outcome);

/*
 * Before any TAP leads to bthub: its frames are finished there. By IFF_VNET_HDR a holder can have
 * the kernel write a checksum of his choice anywhere into a frame, which else is done at the end of
 * its way, long after btlan's guard has judged it. 0 or a negative errno.
 */
int hub_finish_frames(struct nl *nl, struct nl *generic, struct hub *hub);

/* Gives @tap its place in the fan-out. 0 or a negative errno. */
int hub_add(struct nl *nl, const struct hub *hub, const struct tap *tap);

/* Removes the places of TAPs that are gone; @own is there. 0 or a negative errno. */
int hub_sweep(struct nl *nl, uint32_t host, const struct hub *hub, const struct tap *own);

/* Remembers something done to the NIC, before it is done. 0 or a negative errno. */
int hub_remember(struct nl *nl, struct hub *hub, unsigned int did);

/* Notes what it is connected to. 0 or a negative errno. */
int hub_note(struct nl *nl, struct hub *hub);

/* True where the pair still is what @hub says, and nobody takes it down. */
bool hub_stands(struct nl *nl, const struct hub *hub);

/*
 * Removes everything but TAPs, the NIC's side first. @hub was noted with .releasing. 0, -EBUSY
 * where another helper builds it anew meanwhile, or another negative errno.
 */
int hub_release(struct nl *nl, uint32_t host, const struct hub *hub);

#endif
