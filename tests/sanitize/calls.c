/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls.c: two calls of ours that ThreadSanitizer of gcc 12 misunderstands, put in words that it
 * knows. Linked into what `make check-tsan` builds and into nothing else.
 *
 *  - pthread_clockjoin_np() is unknown to it: all that the joined thread did would race with all
 *    that is done after.
 *  - clone() is always a new process to it, where it stops looking. A child of ours that shares the
 *    memory is the same thread to it, and the parent's locks would count for nothing from then on.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#define SECOND 1000000000L /* nanoseconds */

typedef int clone_call(int (*run)(void *argument), void *stack, int flags, void *argument, ...);

static struct timespec plus(struct timespec a, struct timespec b, int sign)
{
	struct timespec sum = { a.tv_sec + sign * b.tv_sec, a.tv_nsec + sign * b.tv_nsec };

	if (sum.tv_nsec < 0 || sum.tv_nsec >= SECOND) {
		sum.tv_sec += sum.tv_nsec < 0 ? -1 : 1;
		sum.tv_nsec += sum.tv_nsec < 0 ? SECOND : -SECOND;
	}
	return sum;
}

/* The one that it knows goes by the wall clock. */
int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
			 const struct timespec *deadline)
{
	struct timespec now, wall, at;

	clock_gettime(clock, &now);
	clock_gettime(CLOCK_REALTIME, &wall);
	at = plus(wall, plus(*deadline, now, -1), 1);
	return pthread_timedjoin_np(thread, result, &at);
}

/* The C library's own. */
int clone(int (*run)(void *argument), void *stack, int flags, void *argument, ...)
{
	void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	clone_call *call = library ? (clone_call *)dlsym(library, "clone") : NULL;
	pid_t *pid;
	va_list more;

	if (!call)
		abort();
	dlclose(library); /* which is there as long as the process */
	va_start(more, argument);
	pid = va_arg(more, pid_t *); /* only looked at where the flags say that there is one */
	va_end(more);
	return call(run, stack, flags, argument, pid);
}
