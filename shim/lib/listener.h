/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listener.h: takes those who connect to a unix socket, on the loop. While the process has no
 * descriptor left nobody can be taken, and the socket says all the while that somebody is there: it
 * is then not looked at for a moment, and the emulator's processor is not used up meanwhile.
 */
#ifndef BASILISK_TAP_SHIM_LISTENER_H
#define BASILISK_TAP_SHIM_LISTENER_H

#include <avahi-common/watch.h>

#define LISTENER_PAUSE_MS 1000

struct listener;

/*
 * Calls @taken, from the loop behind @poll, with the descriptor of each one who connects to @fd:
 * non-blocking, close-on-exec, and whoever is called has to close it. @fd listens already, and is
 * the listener's from now on, or closed on an error. 0 and *@listener, owned by the caller; or
 * -ENOMEM.
 */
int listener_start(const AvahiPoll *poll, int fd, void (*taken)(void *user, int fd), void *user,
		   struct listener **listener);

/* NULL is nothing. */
void listener_stop(struct listener *listener);

#endif
