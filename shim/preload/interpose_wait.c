/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interpose_wait.c: the calls that wait for descriptors. Our descriptor is a true one, and once
 * shared the kernel says when it is readable; only poll() for it alone, as emulators have it, is
 * bt_wait(). What is added is that a wait which includes it does not end by a signal (the emulator
 * would take that for the end of its network) unless it was given a signal mask, as is done by who
 * wants just that; and that our descriptor is always writable.
 *
 * A thread may be cancelled in here: nothing is held across the wait.
 */
#include "interpose.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

#include "ours.h"
#include "real.h"

#define NANOSECONDS 1000000000LL
#define MILLISECOND 1000000LL
#define SECONDS_MAX (100LL * 365 * 24 * 3600) /* more are as good as for ever */

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
		size_t room);

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
	return t && t->tv_sec < SECONDS_MAX ? t->tv_sec * NANOSECONDS + t->tv_nsec : -1;
}

/* False for what the kernel refuses. */
static bool is_valid(const struct timespec *t)
{
	return !t || (t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < NANOSECONDS);
}

/* Of @ns (negative: for ever) that are over at @end. */
static struct timespec *left(long long ns, long long end, struct timespec *t)
{
	if (ns < 0)
		return NULL;
	if (ns)
		ns = end - now();
	if (ns < 0)
		ns = 0;
	t->tv_sec = (time_t)(ns / NANOSECONDS);
	t->tv_nsec = (long)(ns % NANOSECONDS);
	return t;
}

/* The same in milliseconds, not too few. */
static int ms_left(long long ns, long long end)
{
	struct timespec t;

	if (!left(ns, end, &t))
		return -1;
	return (int)(t.tv_sec * 1000 + (t.tv_nsec + MILLISECOND - 1) / MILLISECOND);
}

/* ---- poll ---- */

#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)

/* True where one of ours is in the set: it is shared from now on. */
static bool find_ours(struct pollfd *fds, nfds_t n)
{
	struct ours *card;
	bool found = false;

	for (nfds_t i = 0; i < n; i++) {
		card = ours(fds[i].fd);
		if (card)
			ours_share(card, fds[i].fd);
		found |= card != NULL;
	}
	return found;
}

/* True where one of ours is waited for to be writable. */
static bool wants_writable(struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].events & WRITABLE && ours(fds[i].fd))
			return true;
	return false;
}

static int add_writable(struct pollfd *fds, nfds_t n, int ready)
{
	for (nfds_t i = 0; i < n; i++) {
		short wanted = (short)(fds[i].events & WRITABLE);

		if (!wanted || !ours(fds[i].fd))
			continue;
		ready += fds[i].revents == 0;
		fds[i].revents = (short)(fds[i].revents | wanted);
	}
	return ready;
}

static int poll_shared(struct pollfd *fds, nfds_t n, long long ns, const sigset_t *mask)
{
	bool writable = wants_writable(fds, n);
	long long end = ns > 0 ? now() + ns : 0;
	struct timespec t;
	int ready;

	if (writable)
		ns = 0;
	do
		ready = real()->ppoll(fds, n, left(ns, end, &t), mask);
	while (ready < 0 && errno == EINTR && !mask);
	return writable && ready >= 0 ? add_writable(fds, n, ready) : ready;
}

/* Ours, if it is waited for alone, to be readable, for a time that bt_wait() can keep to. */
static struct ours *alone(struct pollfd *fds, nfds_t n, long long ns)
{
	if (n != 1 || !(fds->events & READABLE) || fds->events & WRITABLE)
		return NULL;
	return ns < 0 || (ns % MILLISECOND == 0 && ns / MILLISECOND <= INT_MAX) ? ours(fds->fd) :
										  NULL;
}

/* -1 with errno ENODEV, where there is no device. */
static int poll_alone(struct ours *card, struct pollfd *fds, long long ns)
{
	long long end = ns > 0 ? now() + ns : 0;
	int ready;

	do
		ready = ours_wait(card, ms_left(ns, end));
	while (ready == -EINTR);
	if (ready < 0) {
		errno = -ready;
		return -1;
	}
	fds->revents = (short)(ready ? fds->events & READABLE : 0);
	return ready;
}

/* True where that was a wait for ours, and *@ready is its result. */
static bool poll_ours(struct pollfd *fds, nfds_t n, long long ns, const sigset_t *mask, int *ready)
{
	struct ours *card;

	if (!in_use())
		return false;
	card = mask ? NULL : alone(fds, n, ns);
	if (card) {
		*ready = poll_alone(card, fds, ns);
		if (*ready >= 0 || errno != ENODEV)
			return true;
	}
	if (!find_ours(fds, n))
		return false;
	*ready = poll_shared(fds, n, ns, mask);
	return true;
}

static long long of_ms(int timeout)
{
	return timeout < 0 ? -1 : timeout * MILLISECOND;
}

INTERPOSE int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int ready;

	return poll_ours(fds, n, of_ms(timeout), NULL, &ready) ? ready :
								 real()->poll(fds, n, timeout);
}

INTERPOSE int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	int ready;

	if (n <= room / sizeof(*fds) && poll_ours(fds, n, of_ms(timeout), NULL, &ready))
		return ready;
	return real()->poll_chk(fds, n, timeout, room);
}

static bool ppoll_ours(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		       const sigset_t *mask, int *ready)
{
	return is_valid(timeout) && poll_ours(fds, n, duration(timeout), mask, ready);
}

INTERPOSE int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		    const sigset_t *mask)
{
	int ready;

	return ppoll_ours(fds, n, timeout, mask, &ready) ? ready :
							   real()->ppoll(fds, n, timeout, mask);
}

INTERPOSE int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			  const sigset_t *mask, size_t room)
{
	int ready;

	if (n <= room / sizeof(*fds) && ppoll_ours(fds, n, timeout, mask, &ready))
		return ready;
	return real()->ppoll_chk(fds, n, timeout, mask, room);
}

/* ---- select ---- */

static bool in_set(int n, const fd_set *set, fd_set *which)
{
	struct ours *card;
	bool found = false;

	FD_ZERO(which);
	for (int fd = 0; set && fd < n && fd < FD_SETSIZE; fd++) {
		card = FD_ISSET(fd, set) ? ours(fd) : NULL;
		if (!card)
			continue;
		ours_share(card, fd);
		FD_SET(fd, which);
		found = true;
	}
	return found;
}

static int select_ours(int n, fd_set *in, fd_set *out, fd_set *except, long long ns,
		       const sigset_t *mask)
{
	long long end = ns > 0 ? now() + ns : 0;
	struct timespec t;
	fd_set writable;
	int ready;

	if (in_set(n, out, &writable)) {
		ns = 0;
		for (int fd = 0; fd < n && fd < FD_SETSIZE; fd++)
			if (FD_ISSET(fd, &writable))
				FD_CLR(fd, out);
	}
	/* on an error the kernel leaves the sets as they are */
	do
		ready = real()->pselect(n, in, out, except, left(ns, end, &t), mask);
	while (ready < 0 && errno == EINTR && !mask);
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

	bool reads = in_set(n, in, &which);

	return in_set(n, out, &which) || reads;
}

INTERPOSE int select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	struct timespec t = { 0 };
	long long ns, begin;
	int ready;

	if (in_use() && timeout) /* more than a second of microseconds is allowed here */
		t = (struct timespec){ timeout->tv_sec + timeout->tv_usec / 1000000,
				       timeout->tv_usec % 1000000 * 1000 };
	if (!in_use() || !is_valid(&t) || !sets_have_ours(n, in, out))
		return real()->select(n, in, out, except, timeout);
	ns = duration(timeout ? &t : NULL);
	begin = now();
	ready = select_ours(n, in, out, except, ns, NULL);
	/* as Linux does it: what is left of the time is told */
	if (ns >= 0) {
		ns -= now() - begin;
		timeout->tv_sec = ns > 0 ? (time_t)(ns / NANOSECONDS) : 0;
		timeout->tv_usec = ns > 0 ? (suseconds_t)(ns % NANOSECONDS / 1000) : 0;
	}
	return ready;
}

INTERPOSE int pselect(int n, fd_set *in, fd_set *out, fd_set *except,
		      const struct timespec *timeout, const sigset_t *mask)
{
	if (!in_use() || !is_valid(timeout) || !sets_have_ours(n, in, out))
		return real()->pselect(n, in, out, except, timeout, mask);
	return select_ours(n, in, out, except, duration(timeout), mask);
}

/* ---- epoll ---- */

INTERPOSE int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	struct ours *card = ours(fd);

	if (card)
		ours_share(card, fd);
	return real()->epoll_ctl(set, operation, fd, event);
}
