/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery.c: see discovery.h.
 *
 * All of it, from the role on downwards, runs in a thread of its own: calls to avahi-daemon wait
 * for its answer, and one that is stopped gives none for 25 seconds, while peers ask whether we are
 * there. A socket pair joins the two threads. It carries the messages of discovery_message.h, as
 * between two instances; the thread waits where its reader is busy, the other side never waits.
 */
#include "discovery.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "discovery_message.h"
#include "discovery_role.h"
#include "loop.h"
#include "standard.h"
#include "thread.h"

#define BATCH 64 /* messages taken before others of the loop have their turn */

enum end { OURS, THEIRS }; /* of the socket pair */

struct discovery {
	/* the caller's */
	const AvahiPoll *poll;
	struct discovery_events events;
	void *user;
	AvahiWatch *watch;
	pthread_t thread;

	/* the thread's, once it runs */
	struct loop *loop;
	struct role *role;
	struct txt txt;
	bool announcing;
	struct discovery_counts counts;

	int pair[2];
	atomic_bool left; /* one of the two does not need this any more: the other one frees it */
};

static void free_all(struct discovery *d)
{
	loop_free(d->loop);
	for (int i = 0; i < 2; i++)
		if (d->pair[i] >= 0)
			close(d->pair[i]);
	free(d);
}

/* ---- in the thread ---- */

/* Waits while the other side is busy; what it does not want any more is lost. */
static void tell(const struct discovery *d, const struct message *message)
{
	uint8_t bytes[MESSAGE_MAX];

	send(d->pair[THEIRS], bytes, message_encode(message, bytes), MSG_NOSIGNAL);
}

static void tell_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	const struct message message = { .kind = MESSAGE_FOUND, .txt = *txt, .address = *address };

	tell(user, &message);
}

static void tell_lost(void *user, const struct mac *mac)
{
	const struct message message = { .kind = MESSAGE_LOST, .mac = *mac };

	tell(user, &message);
}

static void tell_state(void *user, const char *line)
{
	struct message message = { .kind = MESSAGE_STATE };

	snprintf(message.line, sizeof(message.line), "%s", line);
	tell(user, &message);
}

static void on_request(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct discovery *d = user;
	struct message message;
	uint8_t bytes[MESSAGE_MAX];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)watch;
	(void)event;
	if (n > 0 && message_decode(bytes, (size_t)n, &message) == 0)
		role_update(d->role, message.kind == MESSAGE_ANNOUNCE ? &message.txt : NULL);
	else if (n == 0)
		loop_quit(d->loop);
}

static void *run(void *argument)
{
	static const struct discovery_events events = { tell_found, tell_lost, tell_state };
	struct discovery *d = argument;
	const AvahiPoll *poll = loop_api(d->loop);
	char line[DISCOVERY_LINE_SIZE];
	int err =
		role_start(poll, d->announcing ? &d->txt : NULL, &d->counts, &events, d, &d->role);

	if (!err && !poll->watch_new(poll, d->pair[THEIRS], AVAHI_WATCH_IN, on_request, d))
		err = -ENOMEM;
	if (err) {
		snprintf(line, sizeof(line), "no discovery: %s", strerrordesc_np(-err));
		tell_state(d, line);
	}
	loop_run(d->loop);
	role_stop(d->role);
	if (atomic_exchange(&d->left, true))
		free_all(d);
	return NULL;
}

/* ---- in the caller's thread ---- */

static void on_message(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct discovery *d = user;
	struct message message;
	uint8_t bytes[MESSAGE_MAX];

	(void)watch;
	(void)event;
	for (int i = 0; i < BATCH; i++) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n <= 0)
			return;
		if (message_decode(bytes, (size_t)n, &message) < 0)
			continue;
		if (message.kind == MESSAGE_FOUND && d->events.found)
			d->events.found(d->user, &message.txt, &message.address);
		else if (message.kind == MESSAGE_LOST && d->events.lost)
			d->events.lost(d->user, &message.mac);
		else if (message.kind == MESSAGE_STATE && d->events.state)
			d->events.state(d->user, message.line);
	}
}

int discovery_start(const AvahiPoll *poll, const struct txt *txt,
		    const struct discovery_events *events, void *user, struct discovery **discovery)
{
	struct discovery *d = calloc(1, sizeof(*d));
	struct standard standard;
	int err;

	if (!d)
		return -ENOMEM;
	*d = (struct discovery){ .poll = poll,
				 .events = *events,
				 .user = user,
				 .announcing = txt != NULL,
				 .pair = { -1, -1 } };
	if (txt)
		d->txt = *txt;
	err = loop_new(&d->loop);
	standard_hold(&standard);
	if (!err && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, d->pair) < 0)
		err = -errno;
	standard_release(&standard);
	if (err)
		goto out;
	err = -ENOMEM;
	d->watch = poll->watch_new(poll, d->pair[OURS], AVAHI_WATCH_IN, on_message, d);
	if (d->watch)
		err = thread_start("btap-discovery", run, d, &d->thread);
out:
	if (!err) {
		*discovery = d;
		return 0;
	}
	if (d->watch)
		poll->watch_free(d->watch);
	free_all(d);
	return err;
}

int discovery_update(struct discovery *d, const struct txt *txt)
{
	struct message message = { .kind = txt ? MESSAGE_ANNOUNCE : MESSAGE_WITHDRAW };
	uint8_t bytes[MESSAGE_MAX];

	if (txt)
		message.txt = *txt;
	return send(d->pair[OURS], bytes, message_encode(&message, bytes),
		    MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ?
		       -errno :
		       0;
}

const struct discovery_counts *discovery_counts(const struct discovery *d)
{
	return &d->counts;
}

void discovery_quit(struct discovery *d)
{
	if (d)
		loop_quit(d->loop);
}

void discovery_stop(struct discovery *d)
{
	struct timespec deadline;
	pthread_t thread;

	if (!d)
		return;
	discovery_quit(d);
	shutdown(d->pair[OURS], SHUT_RDWR); /* it may be waiting for us to read */
	d->poll->watch_free(d->watch);
	thread = d->thread;
	deadline = clock_after(DISCOVERY_STOP_MS);
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &deadline) == 0)
		free_all(d);
	else if (atomic_exchange(&d->left, true)) { /* it has just ended */
		pthread_join(thread, NULL);
		free_all(d);
	} else {
		pthread_detach(thread);
	}
}

void discovery_close_in_child(struct discovery *d)
{
	if (d)
		loop_close_in_child(d->loop);
}
