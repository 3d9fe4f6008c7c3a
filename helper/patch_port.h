/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * patch_port.h: the NIC's side of the attachment: the filters by which it shares its frames with
 * the guests. The NIC keeps its addresses, routes, DHCP client and manager.
 */
#ifndef BASILISK_TAP_HELPER_PATCH_PORT_H
#define BASILISK_TAP_HELPER_PATCH_PORT_H

#include "hub_make.h"

/*
 * Connects the hub to the plan's uplink: last of all, when the way behind it is complete.
 * -EEXIST where an 'ingress' qdisc is in the way, or another negative errno.
 */
int patch_port_connect(struct nl *nl, struct hub *hub, const struct plan *plan,
		       const struct tap *tap);

/* Takes off the NIC all that is ours, filters first. It may be gone. 0 or a negative errno. */
int patch_port_disconnect(struct nl *nl, const struct hub *hub);

/*
 * Takes our filters off a card that no note tells of, if they lead nowhere: bthub was deleted by
 * hand. 1 where there were any, 0, or a negative errno.
 */
int patch_port_sweep(struct nl *nl, int index, uint32_t host);

#endif
