/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * held.c: stands before the C library's malloc() and its like in the program that it is linked
 * into, and keeps account of each block: how long, and by which callers it was asked for.
 *
 * All its own memory is there, and written, when it begins, so that it adds nothing to what the
 * process grows by. Must never: ask for memory while it counts, or count what it asks for itself.
 */
#include "held.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS (1 << 18) /* at a time; libavahi has tens of thousands while all talk at once */
#define PLACES 2048

/* the C library's own, under the names by which it calls them itself */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

/* Open addressing; an entry without a block or without a caller is unused. */
static struct {
	pthread_mutex_t lock;
	bool ready;
	struct {
		void *block;
		uint32_t size, place;
	} blocks[BLOCKS];
	struct held places[PLACES];
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static __thread bool inside;

void held_begin(void)
{
	void *caller[1];

	inside = true;
	backtrace(caller, 1); /* loads a library at its first call */
	inside = false;
	for (size_t i = 0; i < BLOCKS; i++)
		*(volatile uint32_t *)&all.blocks[i].size = all.blocks[i].size;
	for (size_t i = 0; i < PLACES; i++)
		*(volatile size_t *)&all.places[i].bytes = all.places[i].bytes;
	all.ready = true;
}

static uint32_t mixed(uint64_t x)
{
	return (uint32_t)(x * 0x9e3779b97f4a7c15 >> 40);
}

/* A place of which nothing is held any more may become another. */
static uint32_t place_of(void *const *caller)
{
	uint64_t sum = 0;
	uint32_t at, unused = PLACES;

	for (int i = 0; i < HELD_DEPTH; i++)
		sum = (sum ^ (uintptr_t)caller[i]) * 0x100000001b3;
	at = mixed(sum) % PLACES;
	for (int tries = 0; all.places[at].caller[0] && tries < PLACES; at = (at + 1) % PLACES) {
		if (memcmp(all.places[at].caller, caller, sizeof(all.places[at].caller)) == 0)
			return at;
		if (unused == PLACES && !all.places[at].blocks)
			unused = at;
		tries++;
	}
	if (unused == PLACES)
		unused = at;
	if (all.places[unused].blocks)
		abort(); /* there are too few */
	memcpy(all.places[unused].caller, caller, sizeof(all.places[unused].caller));
	return unused;
}

static void __attribute__((noinline)) note(void *block, size_t size)
{
	void *caller[HELD_DEPTH + 2] = { 0 }; /* this function and its caller here are no news */
	uint32_t at = mixed((uintptr_t)block) % BLOCKS, place;

	if (!block || inside || !all.ready)
		return;
	inside = true;
	backtrace(caller, HELD_DEPTH + 2);
	inside = false;
	pthread_mutex_lock(&all.lock);
	place = place_of(caller + 2);
	all.places[place].bytes += size;
	all.places[place].blocks++;
	for (int tries = 0; all.blocks[at].block; at = (at + 1) % BLOCKS)
		if (++tries == BLOCKS - 1)
			abort();
	all.blocks[at].block = block;
	all.blocks[at].size = (uint32_t)size;
	all.blocks[at].place = place;
	pthread_mutex_unlock(&all.lock);
}

/* True if an entry that wants to be at @home and is at @at would not be found any more, were there
 * nothing at @hole. */
static bool is_cut_off(uint32_t home, uint32_t hole, uint32_t at)
{
	return (at - home) % BLOCKS >= (at - hole) % BLOCKS;
}

static void forget(const void *block)
{
	uint32_t at = mixed((uintptr_t)block) % BLOCKS, next;

	if (!block)
		return;
	pthread_mutex_lock(&all.lock);
	while (all.blocks[at].block && all.blocks[at].block != block)
		at = (at + 1) % BLOCKS;
	if (all.blocks[at].block) {
		all.places[all.blocks[at].place].bytes -= all.blocks[at].size;
		all.places[all.blocks[at].place].blocks--;
		for (next = (at + 1) % BLOCKS; all.blocks[next].block; next = (next + 1) % BLOCKS) {
			if (!is_cut_off(mixed((uintptr_t)all.blocks[next].block) % BLOCKS, at,
					next))
				continue;
			all.blocks[at] = all.blocks[next];
			at = next;
		}
		all.blocks[at].block = NULL;
	}
	pthread_mutex_unlock(&all.lock);
}

int held_next(size_t *at, struct held *held)
{
	int found = -1;

	pthread_mutex_lock(&all.lock);
	for (; found && *at < PLACES; ++*at) {
		if (!all.places[*at].blocks)
			continue;
		*held = all.places[*at];
		found = 0;
	}
	pthread_mutex_unlock(&all.lock);
	return found;
}

/* ---- what it stands before */

void *malloc(size_t size)
{
	void *block = __libc_malloc(size);

	note(block, size);
	return block;
}

void *calloc(size_t n, size_t size)
{
	void *block = __libc_calloc(n, size);

	note(block, n * size);
	return block;
}

void *realloc(void *old, size_t size)
{
	void *block;

	forget(old); /* before another thread can have its place */
	block = __libc_realloc(old, size);
	note(block, size);
	return block;
}

void free(void *block)
{
	forget(block);
	__libc_free(block);
}

void *memalign(size_t alignment, size_t size)
{
	void *block = __libc_memalign(alignment, size);

	note(block, size);
	return block;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	*block = memalign(alignment, size);
	return *block ? 0 : ENOMEM;
}

/* Avahi's libraries and libdbus would ask the C library, and not us, if they had the scope of their
 * own that the library gives them. */
void *dlopen(const char *file, int flags)
{
	void *(*next)(const char *, int);

	*(void **)&next = dlsym(RTLD_NEXT, "dlopen");
	return next ? next(file, flags & ~RTLD_DEEPBIND) : NULL;
}
