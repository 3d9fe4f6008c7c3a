/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * counters.h: how many frames have gone through an interface of the helper's.
 * Source: <linux/if_link.h>, <linux/gen_stats.h>.
 */
#ifndef BASILISK_TAP_REPORT_COUNTERS_H
#define BASILISK_TAP_REPORT_COUNTERS_H

#include "nl.h"

/* Frames. Owned by whoever declared it. */
struct counters {
	uint64_t received, sent;
	uint64_t dropped; /* by the filters of its clsact */
};

/* Reads what the kernel has counted of interface @index. 0 or a negative errno: then all is 0. */
int counters_read(struct nl *nl, int index, struct counters *counters);

#endif
