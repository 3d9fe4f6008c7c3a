/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * real.c: see real.h.
 */
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

static const char *const names[] = {
	"open",	      "open64",	      "openat",	   "openat64",	  "__open_2",  "__open64_2",
	"__openat_2", "__openat64_2", "close",	   "close_range", "closefrom", "dup",
	"dup2",	      "dup3",	      "fcntl",	   "fcntl64",	  "ioctl",     "read",
	"__read_chk", "write",	      "poll",	   "__poll_chk",  "ppoll",     "__ppoll_chk",
	"select",     "pselect",      "epoll_ctl",
};

_Static_assert(sizeof(names) / sizeof(names[0]) == sizeof(struct real) / sizeof(void *),
	       "a name for each member, in their order");

static union {
	struct real real;
	void *function[sizeof(names) / sizeof(names[0])];
} table;

static atomic_bool ready;

/* Several threads may do so at once: they write the same. */
static void look_up(void)
{
	int saved = errno;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		table.function[i] = dlsym(RTLD_NEXT, names[i]);
	atomic_store_explicit(&ready, true, memory_order_release);
	errno = saved;
}

const struct real *real(void)
{
	if (__builtin_expect(!atomic_load_explicit(&ready, memory_order_acquire), 0))
		look_up();
	return &table.real;
}

/* Early, so that no signal handler is the first. */
__attribute__((constructor)) static void start(void)
{
	look_up();
}
