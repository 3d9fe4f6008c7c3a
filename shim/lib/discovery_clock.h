/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_clock.h: tells when the wall clock jumps against the time that this machine is awake:
 * somebody set it, or the machine was asleep. What is reckoned in wall time is then all wrong.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_CLOCK_H
#define BASILISK_TAP_SHIM_DISCOVERY_CLOCK_H

#include <avahi-common/watch.h>

#define CLOCK_STEP_MS 2000 /* a smaller jump is not told: clocks are corrected all the time */

struct clock_watch;

/* Tells jumps from the loop, from now on. 0 and *@watch, owned by the caller; or a negative errno.
 */
int clock_watch_new(const AvahiPoll *poll, void (*jumped)(void *user), void *user,
		    struct clock_watch **watch);

/* NULL is nothing. */
void clock_watch_free(struct clock_watch *watch);

#endif
