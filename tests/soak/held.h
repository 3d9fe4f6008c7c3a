/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* held.h: what the program has asked malloc() and its like for, and not given back. */
#ifndef HELD_H
#define HELD_H

#include <stddef.h>

#define HELD_DEPTH 12

/* All that was asked for by way of the same callers. */
struct held {
	void *caller[HELD_DEPTH]; /* innermost first; NULL behind the last */
	size_t bytes, blocks;
};

/* Counts from now on. */
void held_begin(void);

/* The next one after *@at that holds anything, in *@held; 0 to begin with. 0, or -1 at the end. */
int held_next(size_t *at, struct held *held);

#endif
