/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_counts.h: what others announced and was not taken in, and why. Counted by the thread of
 * the discovery, read by any.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_COUNTS_H
#define BASILISK_TAP_SHIM_DISCOVERY_COUNTS_H

#include <stdatomic.h>
#include <stdint.h>

/* Each is only ever added to. */
struct discovery_counts {
	_Atomic uint64_t no_time;   /* datagrams, beyond Avahi's share of a processor */
	_Atomic uint64_t malformed; /* datagrams that are not records_are_sane() */
	_Atomic uint64_t no_room;   /* emulators beyond DIRECTORY_MAX, or given up for others */
};

static inline void discovery_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
