/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hub_make.h: building hub.h's pair, and taking it down.
 */
#ifndef BASILISK_TAP_HELPER_HUB_MAKE_H
#define BASILISK_TAP_HELPER_HUB_MAKE_H

#include "hub.h"
#include "tap.h"
#include "uplink.h"

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

/* Removes everything but TAPs, the NIC's side first. 0 or a negative errno. */
int hub_release(struct nl *nl, uint32_t host, const struct hub *hub);

#endif
