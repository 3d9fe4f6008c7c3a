/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h: what happens to the process with devices open. A child must not keep them after
 * fork(): the slot's lock, the TAP and the sockets would otherwise live as long as the child does.
 * And a program that calls exit() without bt_close() still says goodbye to its peers. The only
 * state of the process that the library has, because fork() and exit() tell nobody which device
 * they are for.
 *
 * A process that ends in any other way (a signal, _exit()) says no goodbye: its peers notice by
 * its silence, after a minute, or when they send to it.
 */
#ifndef BASILISK_TAP_SHIM_PROCESS_H
#define BASILISK_TAP_SHIM_PROCESS_H

#include <stdbool.h>

struct bt_device;

/*
 * Closes @device's descriptors in children, and says its goodbye at exit, from now on. 0, -ENOMEM,
 * or -EMFILE: too many.
 */
int process_remember(struct bt_device *device);

/*
 * True for whoever asks first, who is then to end @device; false where another thread does so, or
 * the process is at its end: then nothing of it must be freed.
 */
bool process_claim_end(const struct bt_device *device);

/*
 * For what is opened where nobody can tell its number: true where a child may have a copy of what
 * was opened since process_fork_mark() gave @mark. Any thread; false as long as nothing is
 * remembered.
 */
unsigned int process_fork_mark(void);
bool process_forked_since(unsigned int mark);

/* No more; nothing where it was never remembered. */
void process_forget(const struct bt_device *device);

#endif
