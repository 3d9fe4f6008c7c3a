/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lately.h: what was decided for the last frame to or from a peer, kept for the next one. In a
 * burst they are alike, and to lock and look up again costs more than all else that is done for a
 * frame outside the kernel. One word for each direction and way, read without a lock.
 *
 * Words are written with the device's lock held. Whoever changes what they were decided by forgets
 * them all, with the lock held too. Read without: that is no older than what was decided just
 * before.
 *
 * Frames that go so are counted without an addition that is locked: such a one, just after a system
 * call, takes as long as all else here. So only one thread in each direction goes by what is kept,
 * the first that could: emulators have one that sends and one that receives.
 */
#ifndef BASILISK_TAP_SHIM_LATELY_H
#define BASILISK_TAP_SHIM_LATELY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "mac.h"

enum lately_way { LATELY_TAP, LATELY_FAST, LATELY_WAYS };

/* Of one direction; part of the device. */
struct lately {
	_Atomic uint64_t word[LATELY_WAYS];  /* 0: nothing is kept */
	_Atomic uint32_t time[LATELY_WAYS];  /* when that was, for frames received */
	_Atomic uint64_t count[LATELY_WAYS]; /* of frames that went so; that thread's to add to */
	_Atomic uintptr_t thread;	     /* the one that goes so; 0: none yet */
};

/* What tells a peer's frames from others: eight bytes of the header, its address among them. */
static inline uint64_t lately_to(const uint8_t *frame)
{
	uint64_t word;

	memcpy(&word, frame, sizeof(word));
	return word;
}

static inline uint64_t lately_from(const uint8_t *frame)
{
	return lately_to(frame + 2 * MAC_LEN - sizeof(uint64_t));
}

/* The calling thread; without a call where the compiler knows how. */
static inline uintptr_t lately_self(void)
{
#if __has_builtin(__builtin_thread_pointer)
	return (uintptr_t)__builtin_thread_pointer();
#else
	return (uintptr_t)pthread_self();
#endif
}

/* True where the calling thread may go by what is kept. */
static inline bool lately_is_mine(const struct lately *lately)
{
	return atomic_load_explicit(&lately->thread, memory_order_relaxed) == lately_self();
}

static inline bool lately_is(const struct lately *lately, enum lately_way way, uint64_t word)
{
	return word && atomic_load_explicit(&lately->word[way], memory_order_relaxed) == word;
}

/* One more that went so; only where lately_is_mine(). */
static inline void lately_count(struct lately *lately, enum lately_way way)
{
	uint64_t count = atomic_load_explicit(&lately->count[way], memory_order_relaxed);

	atomic_store_explicit(&lately->count[way], count + 1, memory_order_relaxed);
}

/* With the device's lock held. */
static inline void lately_keep(struct lately *lately, enum lately_way way, uint64_t word,
			       uint32_t time)
{
	if (!lately->thread)
		lately->thread = lately_self();
	atomic_store_explicit(&lately->time[way], time, memory_order_relaxed);
	atomic_store_explicit(&lately->word[way], word, memory_order_relaxed);
}

/* With the device's lock held. */
static inline void lately_forget(struct lately *lately)
{
	for (int way = 0; way < LATELY_WAYS; way++)
		atomic_store_explicit(&lately->word[way], 0, memory_order_relaxed);
}

#endif
