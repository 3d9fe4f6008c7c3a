/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * repair.h: mends the device's way to the LAN while the guest uses it: a TAP that has gone is asked
 * for again, and what belongs to a TAP is ensured again when the links that it is made of have
 * changed, or filters of theirs were deleted. Belongs to the control thread.
 */
#ifndef BASILISK_TAP_SHIM_REPAIR_H
#define BASILISK_TAP_SHIM_REPAIR_H

#include <avahi-common/watch.h>

struct bt_device;
struct repair;

/*
 * Looks at the links as they are now. @changed is called, from the loop behind @poll or from
 * repair_tap_lost(), when device->attach has become another. 0 or a negative errno.
 */
int repair_start(const AvahiPoll *poll, struct bt_device *device, void (*changed)(void *user),
		 void *user, struct repair **repair);

/* For this and the next two NULL is nothing: on the way out nothing is mended any more. */
void repair_stop(struct repair *repair);

/* The TAP has gone: falls back at once, and asks for another, some times. */
void repair_tap_lost(struct repair *repair);

/* Links have changed; perhaps those that matter. */
void repair_links_changed(struct repair *repair);

#endif
