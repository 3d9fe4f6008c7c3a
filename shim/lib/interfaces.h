/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interfaces.h: this host's own links: which addresses are on them, and news of changes. Belongs
 * to the thread of the loop. Changes nothing.
 */
#ifndef BASILISK_TAP_SHIM_INTERFACES_H
#define BASILISK_TAP_SHIM_INTERFACES_H

#include <avahi-common/watch.h>
#include <stdbool.h>

#include "address.h"

struct interfaces;

struct interfaces_events {
	/*
	 * Links or addresses have changed; called once for changes that come close together.
	 * NULL is allowed.
	 */
	void (*changed)(void *user);
};

/* Reads what there is, and watches it on the loop behind @poll. 0 or a negative errno. */
int interfaces_start(const AvahiPoll *poll, const struct interfaces_events *events, void *user,
		     struct interfaces **interfaces);
void interfaces_stop(struct interfaces *interfaces);

/* True where the host reaches @address without a router, or it is the host's own. */
bool interfaces_on_link(const struct interfaces *interfaces, const struct address *address);

/* A number that changes with any interface's index, MAC or state; our TAPs are left out. */
uint64_t interfaces_signature(void);

#endif
