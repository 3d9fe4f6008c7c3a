/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_guard.c: see discovery_guard.h. A datagram is looked at while it is still in the
 * socket, and taken out of it if Avahi is not to see it. This thread alone reads the socket, so it
 * is the same one that Avahi then takes.
 *
 * Avahi compares each record with all that it has heard in the last 0.7 s: 400 datagrams a second
 * kept a processor busy. So the time that it takes is measured, and what goes beyond its share is
 * taken out unseen, as if the network had lost it.
 *
 * Avahi keeps a list of the cards by what rtnetlink tells, and goes on with it where the kernel had
 * no room to tell all: one that came meanwhile is never used, and one that went is kept. recv()
 * says so to Avahi alone, so the kernel's count of what was lost is looked at.
 */
#include "discovery_guard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "log.h"
#include "records.h"
#include "socket_drops.h"

#define DATAGRAM_MAX 9000 /* bytes, RFC 6762, 17 */
#define BATCH	     64	  /* taken out unseen before others have their turn */
#define NANOSECONDS  1000000000LL
#define BURST	     (GUARD_BURST_MS * (NANOSECONDS / 1000))

/* A socket that is, or was, watched, or a timeout. The guard's. */
struct guarded {
	struct guarded *next;
	struct guard *guard;
	AvahiWatchCallback on_watch;
	AvahiTimeoutCallback on_timeout;
	void *user;
	uint32_t lost; /* messages, of a netlink socket */
};

struct guard {
	AvahiPoll api;
	const AvahiPoll *poll;
	struct discovery_counts *counts;
	void (*misled)(void *user);
	void *user;
	struct guarded *first;
	int64_t left; /* processor time that Avahi may take now, nanoseconds */
	int64_t filled;
	bool said; /* that there was none left */
};

static int domain_of(int fd)
{
	int domain = AF_UNSPEC;
	socklen_t size = sizeof(domain);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	return domain;
}

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NANOSECONDS + ts.tv_nsec;
}

/* True where Avahi has some of its share left. */
static bool has_time(struct guard *guard)
{
	int64_t time = now(CLOCK_MONOTONIC);

	guard->left += (time - guard->filled) / GUARD_SHARE;
	if (guard->left > BURST)
		guard->left = BURST;
	guard->filled = time;
	return guard->left > 0;
}

static void take_out(struct guard *guard, int fd)
{
	unsigned int n = 0;
	uint8_t nothing;

	if (!guard->said)
		log_say(LOG_DEBUG, "too much multicast DNS: not all of it is looked at");
	guard->said = true;
	while (n < BATCH && recv(fd, &nothing, 0, MSG_DONTWAIT) >= 0)
		n++;
	discovery_count(&guard->counts->no_time, n);
}

/* Lets Avahi take the datagram. */
static void pass_on(const struct guarded *g, AvahiWatch *watch, int fd, AvahiWatchEvent event)
{
	int64_t before = now(CLOCK_THREAD_CPUTIME_ID);

	g->on_watch(watch, fd, event, g->user);
	g->guard->left -= now(CLOCK_THREAD_CPUTIME_ID) - before;
}

static void on_datagram(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	const struct guarded *g = user;
	uint8_t datagram[DATAGRAM_MAX];
	ssize_t n;

	if (!has_time(g->guard)) {
		take_out(g->guard, fd);
		return;
	}
	/* MSG_TRUNC: the length of all of it, whatever there was room for */
	n = recv(fd, datagram, sizeof(datagram), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	if (n >= 0 && ((size_t)n > sizeof(datagram) || !records_are_sane(datagram, (size_t)n))) {
		recv(fd, datagram, 0, MSG_DONTWAIT);
		discovery_count(&g->guard->counts->malformed, 1);
	} else {
		pass_on(g, watch, fd, event);
	}
}

static void on_netlink(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct guarded *g = user;
	struct guard *guard = g->guard;
	uint32_t lost;

	g->on_watch(watch, fd, event, g->user);
	lost = socket_drops(fd);
	if (lost == g->lost)
		return;
	g->lost = lost;
	guard->misled(guard->user); /* and may free both */
}

static void on_time(AvahiTimeout *timeout, void *user)
{
	const struct guarded *g = user;
	int64_t before = now(CLOCK_THREAD_CPUTIME_ID);

	g->on_timeout(timeout, g->user);
	g->guard->left -= now(CLOCK_THREAD_CPUTIME_ID) - before;
}

/* As what is watched, or timed, by way of @guard; NULL without memory. */
static struct guarded *guarded_new(struct guard *guard, void *user)
{
	struct guarded *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	*g = (struct guarded){ .next = guard->first, .guard = guard, .user = user };
	guard->first = g;
	return g;
}

static AvahiWatch *watch_new(const AvahiPoll *api, int fd, AvahiWatchEvent event,
			     AvahiWatchCallback callback, void *user)
{
	struct guard *guard = api->userdata;
	const int domain = domain_of(fd);
	struct guarded *g;

	if (domain != AF_INET && domain != AF_INET6 && domain != AF_NETLINK)
		return guard->poll->watch_new(guard->poll, fd, event, callback, user);
	g = guarded_new(guard, user);
	if (!g)
		return NULL;
	g->on_watch = callback;
	return guard->poll->watch_new(guard->poll, fd, event,
				      domain == AF_NETLINK ? on_netlink : on_datagram, g);
}

static AvahiTimeout *timeout_new(const AvahiPoll *api, const struct timeval *at,
				 AvahiTimeoutCallback callback, void *user)
{
	struct guard *guard = api->userdata;
	struct guarded *g = guarded_new(guard, user);

	if (!g)
		return NULL;
	g->on_timeout = callback;
	return guard->poll->timeout_new(guard->poll, at, on_time, g);
}

int guard_new(const AvahiPoll *poll, struct discovery_counts *counts, void (*misled)(void *user),
	      void *user, struct guard **guard)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->left = BURST;
	g->filled = now(CLOCK_MONOTONIC);
	g->poll = poll;
	g->counts = counts;
	g->misled = misled;
	g->user = user;
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
