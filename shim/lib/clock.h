/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.h: the time since some moment, in milliseconds that wrap round after 49 days.
 */
#ifndef BASILISK_TAP_SHIM_CLOCK_H
#define BASILISK_TAP_SHIM_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint32_t clock_ms_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

static inline uint32_t clock_ms(void)
{
	return clock_ms_of(CLOCK_MONOTONIC);
}

/* Up to 10 ms late, and cheap enough for each frame. */
static inline uint32_t clock_ms_coarse(void)
{
	return clock_ms_of(CLOCK_MONOTONIC_COARSE);
}

/* The time @ms milliseconds from now, by CLOCK_MONOTONIC. */
static inline struct timespec clock_after(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

#endif
