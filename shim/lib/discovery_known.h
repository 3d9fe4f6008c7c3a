/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_known.h: the guests that have been told of: turns "this is what is announced now" into
 * found and lost, says nothing twice, and bridges the time in which nobody can say what is
 * announced, because avahi-daemon or the instance that asks for us is being restarted.
 *
 * No I/O. Bounded: KNOWN_MAX guests of KNOWN_ADDRESSES each.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_KNOWN_H
#define BASILISK_TAP_SHIM_DISCOVERY_KNOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "discovery.h"

#define KNOWN_MAX	512
#define KNOWN_ADDRESSES 8 /* of a guest; more are not told */

struct known;

/* A new, empty set in *@known, owned by the caller, telling @events (copied): 0 or -ENOMEM. */
int known_new(const struct discovery_events *events, void *user, struct known **known);

/*
 * The guest txt->mac is announced by @txt at exactly these @n addresses; with none, not at all.
 * Each address that is new is told; all of them, where @txt changed. A guest beyond KNOWN_MAX is
 * ignored.
 */
void known_set(struct known *known, const struct txt *txt, const struct sockaddr_in6 *addresses,
	       size_t n);

/* The same, one address at a time, and the end of all of them. */
void known_add(struct known *known, const struct txt *txt, const struct sockaddr_in6 *address);
void known_remove(struct known *known, const struct mac *mac);

/* The source has gone for now: guests not set again until known_settle() are lost only then. */
void known_hold(struct known *known);
void known_settle(struct known *known);

/* Tells @events all that is known; they must not change the set. */
void known_replay(const struct known *known, const struct discovery_events *events, void *user);

/* Tells nothing. NULL is nothing. */
void known_free(struct known *known);

#endif
