/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop.c: see loop.h. One ppoll() over all watches and the nearest timeout.
 *
 * Relies on: one thread; the emulator's process around it, where poll() may be interposed and
 * anyone may close any descriptor by number.
 * Must never: sleep past a timeout because of a wall clock that was set, spin on a descriptor
 * that is gone, or leave a descriptor open for programs that the emulator starts.
 */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "standard.h"

#define NANOSECONDS 1000000000LL
#define DESCRIPTORS 64 /* that a child after fork() can be freed of */
#define POLLS_STEP  16 /* room for descriptors is made in steps of so many */
#define TIMEOUT_FAR (365LL * 24 * 3600 * NANOSECONDS) /* further away is as good as never */

/* Owned by the loop, from watch_new() until the sweep after watch_free(). */
struct AvahiWatch {
	struct loop *loop;
	AvahiWatch *next;
	int fd;
	short events;
	short revents;
	bool broken; /* reported as closed; not waited for */
	bool dead;
	AvahiWatchCallback callback;
	void *user;
};

/* Owned by the loop, from timeout_new() until the sweep after timeout_free(). */
struct AvahiTimeout {
	struct loop *loop;
	AvahiTimeout *next;
	int64_t due; /* CLOCK_MONOTONIC, nanoseconds */
	bool armed;
	bool dead;
	AvahiTimeoutCallback callback;
	void *user;
};

struct loop {
	AvahiPoll api;
	int event_fd;	  /* readable once loop_quit() was called: ends the waiting */
	atomic_bool quit; /* the same, for those who do not wait */
	AvahiWatch *watches;
	AvahiTimeout *timeouts;
	bool sweep; /* something is dead */
	struct pollfd *polls;
	AvahiWatch **polled;		      /* the watch behind each of polls[] */
	size_t room;			      /* in both */
	_Atomic int descriptors[DESCRIPTORS]; /* those watched, plus one; 0: a free place */
};

/* The first place with @old in it gets @new. A child may look at any moment. */
static void descriptor_note(struct loop *loop, int old, int new)
{
	for (int i = 0; i < DESCRIPTORS; i++) {
		if (atomic_load(&loop->descriptors[i]) == old) {
			atomic_store(&loop->descriptors[i], new);
			return;
		}
	}
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NANOSECONDS + ts.tv_nsec;
}

static AvahiWatch *watch_new(const AvahiPoll *api, int fd, AvahiWatchEvent events,
			     AvahiWatchCallback callback, void *user)
{
	struct loop *loop = api->userdata;
	AvahiWatch *watch = calloc(1, sizeof(*watch));
	AvahiWatch **last = &loop->watches;
	int flags = fcntl(fd, F_GETFD);

	if (!watch)
		return NULL;
	if (flags >= 0 && !(flags & FD_CLOEXEC))
		fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
	watch->loop = loop;
	watch->fd = fd;
	watch->events = (short)events;
	watch->callback = callback;
	watch->user = user;
	while (*last)
		last = &(*last)->next;
	*last = watch;
	descriptor_note(loop, 0, fd + 1);
	return watch;
}

static void watch_update(AvahiWatch *watch, AvahiWatchEvent events)
{
	watch->events = (short)events;
	watch->broken = false;
}

static AvahiWatchEvent watch_get_events(AvahiWatch *watch)
{
	return (AvahiWatchEvent)watch->revents;
}

static void watch_free(AvahiWatch *watch)
{
	/* now, for it is about to be closed, and the number about to be something else */
	descriptor_note(watch->loop, watch->fd + 1, 0);
	watch->dead = true;
	watch->loop->sweep = true;
}

static void timeout_update(AvahiTimeout *timeout, const struct timeval *at)
{
	struct timeval wall;
	int64_t distance;

	timeout->armed = at != NULL;
	if (!at)
		return;
	gettimeofday(&wall, NULL);
	distance = ((int64_t)at->tv_sec - wall.tv_sec) * 1000000 + (at->tv_usec - wall.tv_usec);
	if (distance < 0)
		distance = 0;
	if (distance > TIMEOUT_FAR / 1000)
		distance = TIMEOUT_FAR / 1000;
	timeout->due = now() + distance * 1000;
}

static AvahiTimeout *timeout_new(const AvahiPoll *api, const struct timeval *at,
				 AvahiTimeoutCallback callback, void *user)
{
	struct loop *loop = api->userdata;
	AvahiTimeout *timeout = calloc(1, sizeof(*timeout));

	if (!timeout)
		return NULL;
	timeout->loop = loop;
	timeout->callback = callback;
	timeout->user = user;
	timeout->next = loop->timeouts;
	loop->timeouts = timeout;
	timeout_update(timeout, at);
	return timeout;
}

static void timeout_free(AvahiTimeout *timeout)
{
	timeout->dead = true;
	timeout->loop->sweep = true;
}

int loop_new(struct loop **loop)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->event_fd = standard_avoid(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (l->event_fd < 0) {
		int error = -errno;

		free(l);
		return error;
	}
	l->api = (AvahiPoll){
		.userdata = l,
		.watch_new = watch_new,
		.watch_update = watch_update,
		.watch_get_events = watch_get_events,
		.watch_free = watch_free,
		.timeout_new = timeout_new,
		.timeout_update = timeout_update,
		.timeout_free = timeout_free,
	};
	*loop = l;
	return 0;
}

const AvahiPoll *loop_api(struct loop *loop)
{
	return &loop->api;
}

/* Frees what died, which no callback was allowed to do while the lists are walked. */
static void sweep(struct loop *loop, bool all)
{
	AvahiWatch **w = &loop->watches;
	AvahiTimeout **t = &loop->timeouts;

	while (*w) {
		AvahiWatch *watch = *w;

		if (all || watch->dead) {
			*w = watch->next;
			free(watch);
		} else {
			w = &watch->next;
		}
	}
	while (*t) {
		AvahiTimeout *timeout = *t;

		if (all || timeout->dead) {
			*t = timeout->next;
			free(timeout);
		} else {
			t = &timeout->next;
		}
	}
	loop->sweep = false;
}

/* Lists what to wait for, the eventfd first. Returns how many, or a negative errno. */
static int prepare(struct loop *loop)
{
	size_t n = 1, wanted = 1;

	for (AvahiWatch *w = loop->watches; w; w = w->next)
		wanted++;
	if (wanted > loop->room) {
		size_t room = wanted + POLLS_STEP;
		struct pollfd *polls = realloc(loop->polls, room * sizeof(*polls));
		AvahiWatch **polled;

		if (!polls)
			return -ENOMEM;
		loop->polls = polls;
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
		polled = realloc(loop->polled, room * sizeof(*polled));
		if (!polled)
			return -ENOMEM;
		loop->polled = polled;
		loop->room = room;
	}
	loop->polls[0] = (struct pollfd){ .fd = loop->event_fd, .events = POLLIN };
	for (AvahiWatch *w = loop->watches; w; w = w->next) {
		w->revents = 0;
		if (w->broken)
			continue;
		loop->polls[n] = (struct pollfd){ .fd = w->fd, .events = w->events };
		loop->polled[n++] = w;
	}
	return (int)n;
}

/* The timeout that comes first, or NULL. */
static AvahiTimeout *nearest(struct loop *loop)
{
	AvahiTimeout *first = NULL;

	for (AvahiTimeout *t = loop->timeouts; t; t = t->next) {
		if (!t->dead && t->armed && (!first || t->due < first->due))
			first = t;
	}
	return first;
}

static int wait_for_events(struct loop *loop, int n)
{
	const AvahiTimeout *first = nearest(loop);
	struct timespec left = { 0 };

	if (first) {
		int64_t distance = first->due - now();

		if (distance > 0) {
			left.tv_sec = distance / NANOSECONDS;
			left.tv_nsec = distance % NANOSECONDS;
		}
	}
	n = ppoll(loop->polls, (nfds_t)n, first ? &left : NULL, NULL);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	return n;
}

/* Calls back what is readable, writable or broken. */
static void dispatch_watches(struct loop *loop, int n)
{
	for (int i = 1; i < n && !atomic_load(&loop->quit); i++) {
		AvahiWatch *w = loop->polled[i];
		short revents = loop->polls[i].revents;

		if (!revents || w->dead)
			continue;
		if (revents & POLLNVAL) {
			w->broken = true;
			revents = POLLERR;
		}
		w->revents = revents;
		w->callback(w, w->fd, (AvahiWatchEvent)revents, w->user);
	}
}

/* Calls back what is due by now, but not what a callback makes due: watches have their turn. */
static void dispatch_timeouts(struct loop *loop)
{
	int64_t time = now();
	AvahiTimeout *t;

	while (!atomic_load(&loop->quit) && (t = nearest(loop)) && t->due <= time) {
		t->armed = false;
		t->callback(t, t->user);
	}
}

int loop_run(struct loop *loop)
{
	uint64_t count;
	ssize_t ignored;

	while (!atomic_load(&loop->quit)) {
		int n, ready;

		if (loop->sweep)
			sweep(loop, false);
		n = prepare(loop);
		ready = n < 0 ? n : wait_for_events(loop, n);
		if (ready < 0)
			return ready;
		if (ready > 0 && loop->polls[0].revents)
			break; /* also a loop_quit() that came as the last run ended */
		if (ready > 0)
			dispatch_watches(loop, n);
		dispatch_timeouts(loop);
	}
	ignored = read(loop->event_fd, &count, sizeof(count));
	(void)ignored;
	atomic_store(&loop->quit, false);
	return 0;
}

void loop_quit(struct loop *loop)
{
	static const uint64_t one = 1;
	int saved = errno;
	ssize_t ignored;

	atomic_store(&loop->quit, true);
	ignored = write(loop->event_fd, &one, sizeof(one)); /* full is as good as one more */
	(void)ignored;
	errno = saved;
}

void loop_close_in_child(struct loop *loop)
{
	for (int i = 0; i < DESCRIPTORS; i++) {
		int fd = atomic_load(&loop->descriptors[i]) - 1;

		if (fd >= 0)
			close(fd);
	}
	close(loop->event_fd);
}

struct timeval *loop_after(struct timeval *at, unsigned int ms)
{
	gettimeofday(at, NULL);
	at->tv_sec += ms / 1000;
	at->tv_usec += ms % 1000 * 1000;
	if (at->tv_usec >= 1000000) {
		at->tv_sec++;
		at->tv_usec -= 1000000;
	}
	return at;
}

void loop_set_timeout(const AvahiPoll *poll, AvahiTimeout *timeout, int ms)
{
	struct timeval at;

	poll->timeout_update(timeout, ms < 0 ? NULL : loop_after(&at, (unsigned int)ms));
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	sweep(loop, true);
	free(loop->polls);
	free(loop->polled);
	close(loop->event_fd);
	free(loop);
}
