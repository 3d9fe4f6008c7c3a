/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lately.h: what was decided for the last frame to or from a peer, kept for the next one. In a
 * burst they are alike, and to lock and look up again costs more than all else that is done for a
 * frame outside the kernel. One word for each direction, so that threads share it without a lock.
 * Pure.
 *
 * Written with the device's lock held. Whoever changes what it was decided by forgets both words,
 * with the lock held too. Read without: that is no older than what was decided just before.
 */
#ifndef BASILISK_TAP_SHIM_LATELY_H
#define BASILISK_TAP_SHIM_LATELY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "mac.h"

enum lately_way { LATELY_NEITHER, LATELY_TAP, LATELY_FAST };

/* Part of the device. Each word is a peer's MAC, a time, and how it is reached or was heard. */
struct lately {
	_Atomic uint64_t sent;	/* it is noted that frames go to the peer; the time is 0 */
	_Atomic uint64_t heard; /* it is noted that the peer was heard at that time */
};

/* Never 0. Of @ms the low 14 bits count: a word is forgotten long before they come round again. */
static inline uint64_t lately_word(const struct mac *mac, uint32_t ms, enum lately_way way)
{
	uint64_t word = 0;

	memcpy(&word, mac->byte, MAC_LEN);
	return word << 16 | (ms & 0x3fff) << 2 | way;
}

static inline bool lately_is(const _Atomic uint64_t *kept, uint64_t word)
{
	return atomic_load_explicit(kept, memory_order_relaxed) == word;
}

/* With the device's lock held. */
static inline void lately_keep(_Atomic uint64_t *kept, uint64_t word)
{
	atomic_store_explicit(kept, word, memory_order_relaxed);
}

static inline void lately_forget(struct lately *lately)
{
	lately_keep(&lately->sent, 0);
	lately_keep(&lately->heard, 0);
}

#endif
