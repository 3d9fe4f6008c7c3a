/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop.h: one thread's event loop, spoken to through Avahi's own poll interface, so that Avahi
 * and the rest of the library wait in one place.
 *
 * Watches and timeouts are those of <avahi-common/watch.h>, with these additions:
 *  - a timeout's absolute time is turned into a distance when it is set: a step of the wall
 *    clock neither fires nor delays it
 *  - every descriptor watched gets close-on-exec
 *  - a callback may free any watch or timeout, its own included; a freed one is never called
 *  - a descriptor that is no longer open is reported once, as AVAHI_WATCH_ERR, and then not
 *    waited for any more until watch_update()
 *
 * All but loop_quit() belongs to the thread that calls loop_run(), or to whoever prepares the
 * loop before that. Signals are never waited for nor unblocked; EINTR is passed over.
 */
#ifndef BASILISK_TAP_SHIM_LOOP_H
#define BASILISK_TAP_SHIM_LOOP_H

#include <avahi-common/watch.h>

struct loop;

/* A new loop in *@loop, which the caller owns: 0 or a negative errno. */
int loop_new(struct loop **loop);

/* The interface to watches and timeouts; valid as long as the loop. */
const AvahiPoll *loop_api(struct loop *loop);

/*
 * Runs callbacks until loop_quit(): 0, or a negative errno if the kernel cannot wait. May be
 * called again afterwards; a loop_quit() from before the call counts.
 */
int loop_run(struct loop *loop);

/* Makes loop_run() return after the callback that is running. Any thread, any signal handler. */
void loop_quit(struct loop *loop);

/* The time @ms milliseconds from now, as a timeout takes it. Returns @at. */
struct timeval *loop_after(struct timeval *at, unsigned int ms);

/* Sets @timeout, of the loop behind @poll, to @ms milliseconds from now; -1: not at all. */
void loop_set_timeout(const AvahiPoll *poll, AvahiTimeout *timeout, int ms);

/*
 * For a child after fork(), which has copies of all descriptors: closes those that are watched, so
 * that nothing of what the parent watches outlives it there. Safe whatever the loop's thread was
 * doing at the fork; the loop is not to be used in the child otherwise.
 */
void loop_close_in_child(struct loop *loop);

/* Frees the loop with all watches and timeouts that are left. NULL is nothing. */
void loop_free(struct loop *loop);

#endif
