/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * quiet.c: see quiet.h.
 */
#include "quiet.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "raw.h"

/* Takes away the one signal that came of a write, if there is none before it. */
static void take(int number, const sigset_t *earlier)
{
	static const struct timespec now = { 0 };
	sigset_t one;

	if (sigismember(earlier, number))
		return;
	sigemptyset(&one);
	sigaddset(&one, number);
	/* not sigtimedwait(), in which a thread may be cancelled */
	raw_call(SYS_rt_sigtimedwait, (long)(uintptr_t)&one, NULL, (long)(uintptr_t)&now, _NSIG / 8,
		 NULL, 0);
}

ssize_t quiet_writev(int fd, const struct iovec *parts, unsigned long count)
{
	sigset_t blocked, before, earlier;
	ssize_t n;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGPIPE);
	sigaddset(&blocked, SIGXFSZ);
	sigaddset(&blocked, SIGTTOU); /* blocked it is not even sent */
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	sigpending(&earlier);
	n = raw_writev(fd, parts, count);
	if (n == -EPIPE)
		take(SIGPIPE, &earlier);
	else if (n == -EFBIG)
		take(SIGXFSZ, &earlier);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return n;
}
