/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread.c: see thread.h.
 */
#include "thread.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>

#define STACK_SIZE (256 * 1024)

int thread_start(const char *name, void *(*run)(void *argument), void *argument, pthread_t *thread)
{
	static const int crash[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	struct sched_param ordinary = { .sched_priority = 0 };
	pthread_attr_t attr;
	sigset_t blocked, before;
	int err;

	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof(crash) / sizeof(crash[0]); i++)
		sigdelset(&blocked, crash[i]);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	/* the program's thread may be a real-time one, and what we do is not urgent */
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_OTHER);
	pthread_attr_setschedparam(&attr, &ordinary);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	err = -pthread_create(thread, &attr, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (!err)
		pthread_setname_np(*thread, name);
	return err;
}
