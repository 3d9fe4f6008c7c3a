/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interpose_wait.c: the calls that wait for descriptors. Our descriptor is a true one, and the
 * kernel says when it is readable; what is added is that a wait which includes it does not end
 * by a signal (the emulator would take that for the end of its network), and that it is always
 * writable.
 *
 * A thread may be cancelled in here: nothing is held across the wait.
 */
#include "interpose.h"

#include <errno.h>
#include <poll.h>
#include <sys/select.h>
#include <time.h>

#include "ours.h"
#include "real.h"

#define NANOSECONDS 1000000000LL

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		const sigset_t *mask, size_t room);

static bool in_use(void)
{
	return atomic_load_explicit(&atomic_load_explicit(&ours_table, memory_order_acquire)->count,
				    memory_order_relaxed) != 0;
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NANOSECONDS + t.tv_nsec;
}

/* Nanoseconds, or -1 for ever. */
static long long duration(const struct timespec *t)
{
	return t ? t->tv_sec * NANOSECONDS + t->tv_nsec : -1;
}

static struct timespec *left(long long end, struct timespec *t)
{
	long long ns = end - now();

	if (ns < 0)
		ns = 0;
	t->tv_sec = (time_t)(ns / NANOSECONDS);
	t->tv_nsec = (long)(ns % NANOSECONDS);
	return t;
}

/* ---- poll ---- */

/* True where one of ours is in the set; *@writable, where one is waited for to be writable. */
static bool find_ours(struct pollfd *fds, nfds_t n, bool *writable)
{
	bool found = false;

	*writable = false;
	for (nfds_t i = 0; i < n; i++)
		if (ours(fds[i].fd)) {
			found = true;
			*writable |= (fds[i].events & (POLLOUT | POLLWRNORM)) != 0;
		}
	return found;
}

static int add_writable(struct pollfd *fds, nfds_t n, int ready)
{
	for (nfds_t i = 0; i < n; i++) {
		short wanted = (short)(fds[i].events & (POLLOUT | POLLWRNORM));

		if (!wanted || !ours(fds[i].fd))
			continue;
		ready += fds[i].revents == 0;
		fds[i].revents = (short)(fds[i].revents | wanted);
	}
	return ready;
}

static int poll_ours(struct pollfd *fds, nfds_t n, long long ns, bool writable)
{
	long long end = now() + ns;
	struct timespec t;
	int ready;

	if (writable)
		ns = end = 0;
	do
		ready = real()->ppoll(fds, n, ns < 0 ? NULL : left(end, &t), NULL);
	while (ready < 0 && errno == EINTR);
	return writable && ready >= 0 ? add_writable(fds, n, ready) : ready;
}

INTERPOSE int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	bool writable;

	if (!in_use() || !find_ours(fds, n, &writable))
		return real()->poll(fds, n, timeout);
	return poll_ours(fds, n, timeout < 0 ? -1 : timeout * 1000000LL, writable);
}

INTERPOSE int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	bool writable;

	if (!in_use() || n > room / sizeof(*fds) || !find_ours(fds, n, &writable))
		return real()->poll_chk(fds, n, timeout, room);
	return poll_ours(fds, n, timeout < 0 ? -1 : timeout * 1000000LL, writable);
}

/* Who gives a mask wants to be interrupted. */
INTERPOSE int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		    const sigset_t *mask)
{
	bool writable;

	if (!in_use() || mask || !find_ours(fds, n, &writable))
		return real()->ppoll(fds, n, timeout, mask);
	return poll_ours(fds, n, duration(timeout), writable);
}

INTERPOSE int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			  const sigset_t *mask, size_t room)
{
	bool writable;

	if (!in_use() || mask || n > room / sizeof(*fds) || !find_ours(fds, n, &writable))
		return real()->ppoll_chk(fds, n, timeout, mask, room);
	return poll_ours(fds, n, duration(timeout), writable);
}

/* ---- select ---- */

static bool in_set(int n, const fd_set *set, fd_set *which)
{
	bool found = false;

	FD_ZERO(which);
	for (int fd = 0; set && fd < n && fd < FD_SETSIZE; fd++)
		if (FD_ISSET(fd, set) && ours(fd)) {
			FD_SET(fd, which);
			found = true;
		}
	return found;
}

static int select_ours(int n, fd_set *in, fd_set *out, fd_set *except, long long ns)
{
	long long end = now() + ns;
	struct timespec t;
	fd_set writable;
	int ready;

	if (in_set(n, out, &writable)) {
		ns = end = 0;
		for (int fd = 0; fd < n; fd++)
			if (FD_ISSET(fd, &writable))
				FD_CLR(fd, out);
	}
	/* on an error the kernel leaves the sets as they are */
	do
		ready = real()->pselect(n, in, out, except, ns < 0 ? NULL : left(end, &t), NULL);
	while (ready < 0 && errno == EINTR);
	for (int fd = 0; ready >= 0 && fd < n && fd < FD_SETSIZE; fd++)
		if (FD_ISSET(fd, &writable)) {
			FD_SET(fd, out);
			ready++;
		}
	return ready;
}

static bool sets_have_ours(int n, const fd_set *in, const fd_set *out)
{
	fd_set which;

	return in_set(n, in, &which) || in_set(n, out, &which);
}

INTERPOSE int select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	long long ns, begin;
	int ready;

	if (!in_use() || !sets_have_ours(n, in, out))
		return real()->select(n, in, out, except, timeout);
	ns = timeout ? timeout->tv_sec * NANOSECONDS + timeout->tv_usec * 1000LL : -1;
	begin = now();
	ready = select_ours(n, in, out, except, ns);
	/* as Linux does it: what is left of the time is told */
	if (timeout) {
		ns -= now() - begin;
		timeout->tv_sec = ns > 0 ? (time_t)(ns / NANOSECONDS) : 0;
		timeout->tv_usec = ns > 0 ? (suseconds_t)(ns % NANOSECONDS / 1000) : 0;
	}
	return ready;
}

INTERPOSE int pselect(int n, fd_set *in, fd_set *out, fd_set *except,
		      const struct timespec *timeout, const sigset_t *mask)
{
	if (!in_use() || mask || !sets_have_ours(n, in, out))
		return real()->pselect(n, in, out, except, timeout, mask);
	return select_ours(n, in, out, except, duration(timeout));
}
