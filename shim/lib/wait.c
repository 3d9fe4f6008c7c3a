/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wait.c: see wait.h.
 */
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define END_STEPS 1000 /* milliseconds */

int wait_open(struct wait *wait)
{
	pthread_mutex_init(&wait->lock, NULL);
	wait->set = epoll_create1(EPOLL_CLOEXEC);
	return wait->set < 0 ? -errno : 0;
}

void wait_close(struct wait *wait)
{
	if (wait->set >= 0)
		close(wait->set);
	wait->set = -1;
}

static int into_set(const struct wait *wait, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	/* it is there already after an attempt that failed further on */
	if (epoll_ctl(wait->set, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

int wait_add(struct wait *wait, enum source source, int fd)
{
	int err = 0;

	pthread_mutex_lock(&wait->lock);
	if (wait->set_in_use)
		err = into_set(wait, fd);
	if (!err)
		wait->source[source] = fd + 1;
	pthread_mutex_unlock(&wait->lock);
	return err;
}

void wait_remove(struct wait *wait, enum source source)
{
	int fd;

	pthread_mutex_lock(&wait->lock);
	fd = wait->source[source] - 1;
	wait->source[source] = 0;
	if (fd >= 0 && wait->set_in_use)
		epoll_ctl(wait->set, EPOLL_CTL_DEL, fd, NULL);
	pthread_mutex_unlock(&wait->lock);
}

int wait_use_set(struct wait *wait)
{
	int err = 0;

	if (wait->set_in_use)
		return 0;
	pthread_mutex_lock(&wait->lock);
	for (int i = 0; i < SOURCES && !wait->set_in_use && !err; i++)
		if (wait->source[i])
			err = into_set(wait, wait->source[i] - 1);
	wait->set_in_use = !err;
	pthread_mutex_unlock(&wait->lock);
	return err;
}

void wait_by_set(struct wait *wait)
{
	if (wait_use_set(wait) == 0)
		wait->by_set = true;
}

bool wait_begin_round(struct wait *wait)
{
	unsigned int round = wait->round;

	if (wait->waiting[(round + 1) & 1])
		return false;
	wait->round = round + 1;
	return true;
}

bool wait_all_see(const struct wait *wait)
{
	return wait->waiting[(wait->round + 1) & 1] == 0;
}

/* Counted in a round that had not ended when it was; where that is. */
static _Atomic int *enter(struct wait *wait)
{
	unsigned int round;

	for (;;) {
		round = wait->round;
		wait->waiting[round & 1]++;
		if (round == wait->round)
			return &wait->waiting[round & 1];
		wait->waiting[round & 1]--;
	}
}

static void leave(void *waiting)
{
	atomic_fetch_sub((_Atomic int *)waiting, 1);
}

int wait_for(struct wait *wait, int timeout)
{
	_Atomic int *waiting = enter(wait);
	struct pollfd fds[SOURCES];
	int ready;

	/* of those that are not there the number is -1, which the kernel passes over */
	for (int i = 0; i < SOURCES; i++) {
		fds[i].fd = atomic_load_explicit(&wait->source[i], memory_order_acquire) - 1;
		fds[i].events = POLLIN;
	}
	/* after the sources: one that is gone for a while is one that comes back by the set */
	if (atomic_load_explicit(&wait->by_set, memory_order_acquire)) {
		for (int i = 0; i < SOURCES; i++)
			fds[i].fd = -1;
		fds[0].fd = wait->set;
	}
	pthread_cleanup_push(leave, waiting);
	ready = poll(fds, SOURCES, timeout);
	if (ready < 0)
		ready = -errno;
	pthread_cleanup_pop(1);
	return ready < 0 ? ready : ready > 0;
}

bool wait_end(struct wait *wait, int tunnel)
{
	static const struct timespec step = { .tv_nsec = 1000000 };

	for (int i = 0; wait->waiting[0] || wait->waiting[1]; i++) {
		if (i == END_STEPS)
			return false;
		/* "not connected" it says, and wakes who waits for it nevertheless */
		shutdown(tunnel, SHUT_RDWR);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
	}
	return true;
}
