/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * still_poll.h: an AvahiPoll that stands still: watches and timeouts are noted, and happen when the
 * target says so.
 */
#ifndef BASILISK_TAP_TESTS_FUZZ_STILL_POLL_H
#define BASILISK_TAP_TESTS_FUZZ_STILL_POLL_H

#include <avahi-common/watch.h>
#include <stdbool.h>

#include "input.h"

#define STILL_MAX 64

struct AvahiWatch {
	int fd; /* -1: free */
	AvahiWatchEvent events;
	AvahiWatchCallback callback;
	void *user;
};

struct AvahiTimeout {
	bool used, set;
	AvahiTimeoutCallback callback;
	void *user;
};

static struct AvahiWatch still_watch[STILL_MAX];
static struct AvahiTimeout still_timeout[STILL_MAX];

unseen static AvahiWatch *still_watch_new(const AvahiPoll *api, int fd, AvahiWatchEvent events,
					  AvahiWatchCallback callback, void *user)
{
	(void)api;
	for (int i = 0; i < STILL_MAX; i++) {
		if (still_watch[i].callback)
			continue;
		still_watch[i] = (struct AvahiWatch){ fd, events, callback, user };
		return &still_watch[i];
	}
	return NULL;
}

unseen static void still_watch_update(AvahiWatch *watch, AvahiWatchEvent events)
{
	insist(watch->callback);
	watch->events = events;
}

unseen static AvahiWatchEvent still_watch_get_events(AvahiWatch *watch)
{
	return watch->events;
}

unseen static void still_watch_free(AvahiWatch *watch)
{
	insist(watch->callback);
	*watch = (struct AvahiWatch){ .fd = -1 };
}

unseen static AvahiTimeout *still_timeout_new(const AvahiPoll *api, const struct timeval *at,
					      AvahiTimeoutCallback callback, void *user)
{
	(void)api;
	for (int i = 0; i < STILL_MAX; i++) {
		if (still_timeout[i].used)
			continue;
		still_timeout[i] = (struct AvahiTimeout){ true, at != NULL, callback, user };
		return &still_timeout[i];
	}
	return NULL;
}

unseen static void still_timeout_update(AvahiTimeout *timeout, const struct timeval *at)
{
	insist(timeout->used);
	timeout->set = at != NULL;
}

unseen static void still_timeout_free(AvahiTimeout *timeout)
{
	insist(timeout->used);
	*timeout = (struct AvahiTimeout){ 0 };
}

static const AvahiPoll still_poll = {
	.watch_new = still_watch_new,
	.watch_update = still_watch_update,
	.watch_get_events = still_watch_get_events,
	.watch_free = still_watch_free,
	.timeout_new = still_timeout_new,
	.timeout_update = still_timeout_update,
	.timeout_free = still_timeout_free,
};

/* All that is due happens, once. */
unseen static inline void still_time_passes(void)
{
	for (int i = 0; i < STILL_MAX; i++) {
		if (!still_timeout[i].used || !still_timeout[i].set)
			continue;
		still_timeout[i].set = false;
		still_timeout[i].callback(&still_timeout[i], still_timeout[i].user);
	}
}

/* Nothing is left of what was noted. */
unseen static inline void still_check_empty(void)
{
	for (int i = 0; i < STILL_MAX; i++)
		insist(!still_watch[i].callback && !still_timeout[i].used);
}

#endif
