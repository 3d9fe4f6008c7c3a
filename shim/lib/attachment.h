/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attachment.h: the device's TAP: asking the helper for it at the start, and mending it while the
 * emulator runs. Says what it got, in one line.
 */
#ifndef BASILISK_TAP_SHIM_ATTACHMENT_H
#define BASILISK_TAP_SHIM_ATTACHMENT_H

#include <stdbool.h>

#include "reply.h"

struct bt_device;

/*
 * Asks the helper for the TAP of the device's slot, unless the options say that none is wanted,
 * and takes another slot where another's TAP is in that one. 0 whether or not a TAP was handed
 * over: device->tap, .attach, .mac, .slot and .said tell. -EBUSY if no slot is left.
 */
int attachment_open(struct bt_device *device);

/* Asks for a new TAP in place of a lost one. True if there is one again. */
bool attachment_renew(struct bt_device *device);

/*
 * Asks the helper to ensure all that belongs to the TAP again. True if it is attached in another
 * way now, or to something else.
 */
bool attachment_repair(struct bt_device *device);

/* Says how the guest is on the network now: the one line. */
void attachment_say(struct bt_device *device);

#endif
