/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control_thread.h: the thread of an open device, to which discovery.h adds one of its own. It
 * answers the peers' confirmation frames while the emulated Mac is frozen, tells who asks how
 * things are, and mends what breaks. No frame of the guest passes through it.
 */
#ifndef BASILISK_TAP_SHIM_CONTROL_THREAD_H
#define BASILISK_TAP_SHIM_CONTROL_THREAD_H

#include <time.h>

struct bt_device;
struct control_thread;

/* Starts @device's thread; all but the thread itself is there. 0 or a negative errno. */
int control_thread_start(struct bt_device *device, struct control_thread **control);

/* Says goodbye to the peers and the network, ends the thread and frees it. NULL is nothing. */
void control_thread_stop(struct control_thread *control);

/*
 * The same at the end of the process, in two steps, and without freeing anything. Tells it to end:
 * any thread, any signal handler.
 */
void control_thread_quit(struct control_thread *control);

/* Waits for that, until @deadline of CLOCK_MONOTONIC at the latest. Once, and not before a stop. */
void control_thread_await(struct control_thread *control, const struct timespec *deadline);

/*
 * For a child after fork(): closes its copies of all that the thread watches, Avahi's connections
 * among them, so that no child keeps a dead Mac announced.
 */
void control_thread_close_in_child(struct control_thread *control);

#endif
