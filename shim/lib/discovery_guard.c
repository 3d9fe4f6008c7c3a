/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_guard.c: see discovery_guard.h. A datagram is looked at while it is still in the
 * socket, and taken out of it if Avahi is not to see it. This thread alone reads the socket, so it
 * is the same one that Avahi then takes.
 */
#include "discovery_guard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "records.h"

#define DATAGRAM_MAX 9000 /* bytes, RFC 6762, 17 */

/* A socket that is, or was, watched. The guard's. */
struct guarded {
	struct guarded *next;
	AvahiWatchCallback callback;
	void *user;
};

struct guard {
	AvahiPoll api;
	const AvahiPoll *poll;
	struct guarded *first;
};

static bool is_from_network(int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       (domain == AF_INET || domain == AF_INET6);
}

static void on_datagram(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	const struct guarded *g = user;
	uint8_t datagram[DATAGRAM_MAX];
	/* MSG_TRUNC: the length of all of it, whatever there was room for */
	ssize_t n = recv(fd, datagram, sizeof(datagram), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

	if (n >= 0 && ((size_t)n > sizeof(datagram) || !records_are_sane(datagram, (size_t)n)))
		recv(fd, datagram, 0, MSG_DONTWAIT);
	else
		g->callback(watch, fd, event, g->user);
}

static AvahiWatch *watch_new(const AvahiPoll *api, int fd, AvahiWatchEvent event,
			     AvahiWatchCallback callback, void *user)
{
	struct guard *guard = api->userdata;
	struct guarded *g;

	if (!is_from_network(fd))
		return guard->poll->watch_new(guard->poll, fd, event, callback, user);
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	*g = (struct guarded){ .next = guard->first, .callback = callback, .user = user };
	guard->first = g;
	return guard->poll->watch_new(guard->poll, fd, event, on_datagram, g);
}

static AvahiTimeout *timeout_new(const AvahiPoll *api, const struct timeval *at,
				 AvahiTimeoutCallback callback, void *user)
{
	const struct guard *guard = api->userdata;

	return guard->poll->timeout_new(guard->poll, at, callback, user);
}

int guard_new(const AvahiPoll *poll, struct guard **guard)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->poll = poll;
	g->api = *poll;
	g->api.userdata = g;
	g->api.watch_new = watch_new;
	g->api.timeout_new = timeout_new;
	*guard = g;
	return 0;
}

const AvahiPoll *guard_poll(struct guard *guard)
{
	return &guard->api;
}

void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	while (guard->first) {
		struct guarded *g = guard->first;

		guard->first = g->next;
		free(g);
	}
	free(guard);
}
