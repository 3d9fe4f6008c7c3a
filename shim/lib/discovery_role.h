/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_role.h: discovery, for an instance among the others of its user: it speaks multicast
 * DNS, for itself and those, or another one does so for it.
 *
 * As discovery.h, whose thread this is for; but here a call, and any callback of the loop, may
 * take as long as avahi-daemon does to answer: 25 seconds, if it is stopped. And state() may come
 * from within role_start() and role_update().
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_ROLE_H
#define BASILISK_TAP_SHIM_DISCOVERY_ROLE_H

#include "discovery.h"

struct role;

/*
 * As discovery_start(), discovery_update() and discovery_stop(). @poll is that thread's own;
 * @counts is added to, and must outlive the role.
 */
int role_start(const AvahiPoll *poll, const struct txt *txt, struct discovery_counts *counts,
	       const struct discovery_events *events, void *user, struct role **role);
void role_update(struct role *role, const struct txt *txt);
void role_stop(struct role *role);

#endif
