/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter.h: stage 5 of the timeline: no system calls from here on but those that the rest needs.
 */
#ifndef BASILISK_TAP_HELPER_FILTER_H
#define BASILISK_TAP_HELPER_FILTER_H

#include "outcome.h"

/*
 * Loads the program that was made at build time from the comments "#syscall" beside the calls.
 * Whatever else is called kills the process. 0, or -1 with OUTCOME_SYSTEM.
 */
int filter_load(struct outcome *outcome);

#endif
