/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wiring.h: the patch port as data: every filter that there is, on each device, and what it does
 * with a frame. Pure functions; what they list is brought about in helper/, in the order of the
 * list.
 *
 *     TAP --tc--> bthub ==veth== btlan --tc--> the NIC's way out (LAN) and in (host)
 */
#ifndef BASILISK_TAP_HOST_WIRING_H
#define BASILISK_TAP_HOST_WIRING_H

#include "hub.h"
#include "taps.h"
#include "tc.h"

/* On one of our own devices: what no other filter takes is dropped. */
struct tc_filter wiring_dead_end(int index);

/* On the TAP: what its guest sends is moved to bthub, every other frame dropped. */
void wiring_tap(struct tc_filters *filters, const struct tap *tap, int hub);

/*
 * The TAP's place on bthub: frames for its guest are moved there, group frames of others copied.
 * The handles are the TAP's ifindex.
 */
void wiring_place(struct tc_filters *filters, int hub, const struct tap *tap);

/* True for a filter of bthub's that is a TAP's place; its handle says whose. */
bool wiring_is_place(const struct tc_place *place);

/*
 * btlan's switch, for @hub->attach. @card: the address of the uplink. @serve: guests may be
 * servers.
 */
void wiring_switch(struct tc_filters *filters, const struct hub *hub, const struct mac *card,
		   bool serve);

/*
 * On the uplink's card, where @hub is connected to one: frames for guests are moved to btlan, group
 * frames copied; on the card's way out first, which is what this host sends itself.
 */
void wiring_card(struct tc_filters *filters, const struct hub *hub);

/* On bthub, doing nothing: the memory that @did was done (HUB_DID_…) to @card, or (0) to none. */
struct tc_filter wiring_memory(int hub, int card, unsigned int did);

#endif
