/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interface_look.h: what one of this host's interfaces looks like, as far as the way of a guest to
 * the LAN depends on it. Changes nothing; any thread.
 */
#ifndef BASILISK_TAP_SHIM_INTERFACE_LOOK_H
#define BASILISK_TAP_SHIM_INTERFACE_LOOK_H

#include <stdbool.h>

#include "mac.h"

struct interface_look {
	int index;	    /* 0: there is none; so is all else then */
	int master;	    /* index of the bridge whose port it is, or 0 */
	bool up;	    /* by the administrator */
	bool running;	    /* has a carrier */
	bool all_multicast; /* takes each group's frames */
	struct mac mac;
};

/* Of the interface called @name, which may be "". 0, or a negative errno: it could not be told. */
int interface_look(const char *name, struct interface_look *look);

#endif
