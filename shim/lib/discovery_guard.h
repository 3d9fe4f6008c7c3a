/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_guard.h: a loop for libavahi-core whose network sockets show it only datagrams that
 * records_are_sane(). What Avahi keeps of a datagram can be sixteen times as long as that and more,
 * and it counts records, not bytes: 2,300 datagrams of a neighbour's made an emulator 410 MB
 * larger. And it shows no more than Avahi has time for: a share of one processor, and what it has
 * not used of that in the seconds before.
 *
 * And it tells when Avahi has missed what became of the cards.
 *
 * Belongs to the thread of the loop.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_GUARD_H
#define BASILISK_TAP_SHIM_DISCOVERY_GUARD_H

#include <avahi-common/watch.h>

#include "discovery_counts.h"

#define GUARD_SHARE    4    /* one in so many seconds may be Avahi's, */
#define GUARD_BURST_MS 1000 /* so much at once: a hundred emulators' start takes half a second */

struct guard;

/*
 * Guards what is watched by way of guard_poll(), and adds to @counts. @misled is called where the
 * stack had better be replaced by a new one, and may call guard_free(). 0 and *@guard, owned by the
 * caller; or -ENOMEM.
 */
int guard_new(const AvahiPoll *poll, struct discovery_counts *counts, void (*misled)(void *user),
	      void *user, struct guard **guard);

/* Valid as long as the guard. */
const AvahiPoll *guard_poll(struct guard *guard);

/* Nothing may be watched by way of it any more. NULL is nothing. */
void guard_free(struct guard *guard);

#endif
