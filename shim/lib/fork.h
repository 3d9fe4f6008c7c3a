/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork.h: what a child must not keep after fork(): the slot's lock, the TAP and the sockets would
 * otherwise live as long as the child does. The only state of the process that the library has,
 * because fork() tells nobody which device it is for.
 */
#ifndef BASILISK_TAP_SHIM_FORK_H
#define BASILISK_TAP_SHIM_FORK_H

struct bt_device;

/* Closes @device's descriptors in children from now on. 0, -ENOMEM, or -EMFILE: too many. */
int fork_remember(struct bt_device *device);

/* No more; nothing where it was never remembered. */
void fork_forget(struct bt_device *device);

#endif
