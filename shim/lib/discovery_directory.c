/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_directory.c: see discovery_directory.h.
 *
 * Records come in any order and in bursts: each marks what it touches as changed, and a moment
 * later all that has changed is put together once.
 */
#include "discovery_directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "discovery_host.h"
#include "discovery_known.h"
#include "loop.h"

#define GATHER_MS   5	 /* waits for the rest of a burst of records */
#define SEEN_MAX    32	 /* sightings of one question or instance: hosts with many interfaces */
#define PORT_LOWEST 1024 /* below it nobody but a forger has an emulator */

struct instance {
	struct instance *next;
	struct question here; /* never asked by itself: where the service's answers name it */
	struct question srv;
	struct question txt;
	struct host *host; /* of the newest SRV record, or NULL */
	struct host *old;  /* the one before it, until the newest has an address; or NULL */
	uint16_t port;	   /* likewise */
	bool waiting;	   /* its questions are not asked yet: too many at once */
	bool changed;
	bool told; /* as @mac */
	struct mac mac;
	char name[]; /* as text */
};

struct directory {
	struct directory_events events;
	void *user;
	struct discovery_counts *counts;
	const AvahiPoll *poll;
	AvahiTimeout *timer; /* puts together what changed; looks at those that wait */
	bool scheduled;
	struct questions *questions;
	struct question service;
	struct instance *instances;
	struct hosts hosts;
	size_t n;      /* instances */
	double tokens; /* instances that may be looked at at once */
	double filled; /* when tokens were last added, seconds */
};

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Sets the timer, unless it is set: more to come must not put off what is there. */
static void schedule(struct directory *d, int ms)
{
	if (d->scheduled)
		return;
	d->scheduled = true;
	loop_set_timeout(d->poll, d->timer, ms);
}

static struct instance *instance_find(struct directory *d, const char *name)
{
	for (struct instance *i = d->instances; i; i = i->next) {
		if (strcasecmp(i->name, name) == 0)
			return i;
	}
	return NULL;
}

/* True if one more instance may be looked at now. */
static bool take_token(struct directory *d)
{
	double time = seconds();

	d->tokens += (time - d->filled) * DIRECTORY_RATE;
	if (d->tokens > DIRECTORY_BURST)
		d->tokens = DIRECTORY_BURST;
	d->filled = time;
	if (d->tokens < 1)
		return false;
	d->tokens -= 1;
	return true;
}

static void instance_look(struct directory *d, struct instance *i)
{
	i->waiting = false;
	question_open(d->questions, &i->srv, i->name, RECORD_SRV, i);
	question_open(d->questions, &i->txt, i->name, RECORD_TXT, i);
}

static void instance_close(struct directory *d, struct instance *i)
{
	if (!i->waiting) {
		question_close(d->questions, &i->srv);
		question_close(d->questions, &i->txt);
	}
	question_close(d->questions, &i->here);
	host_release(&d->hosts, i->host);
	host_release(&d->hosts, i->old);
	free(i);
	d->n--;
}

/* What @i says, by the newest TXT record that makes sense. */
static bool instance_txt(const struct instance *i, struct txt *txt)
{
	for (const struct seen *s = i->txt.seen; s; s = s->next) {
		if (txt_decode(s->data, s->len, txt) < 0)
			continue;
		if (!txt->port)
			txt->port = i->port;
		return txt->port >= PORT_LOWEST;
	}
	return false;
}

/* Tells what all instances of @mac together amount to. */
static void tell(struct directory *d, const struct mac *mac)
{
	struct sockaddr_in6 addresses[KNOWN_ADDRESSES];
	struct txt best = { .mac = *mac }, txt;
	const struct host *host;
	size_t n = 0;

	for (struct instance *i = d->instances; i; i = i->next) {
		if (!i->told || !mac_equal(&i->mac, mac) || !i->host || !instance_txt(i, &txt))
			continue;
		if (!n)
			best = txt;
		if (txt.port != best.port) /* an older one's: a peer has one port */
			continue;
		host = !host_has_address(i->host) && i->old ? i->old : i->host;
		n = host_addresses(host, txt.port, addresses, n);
	}
	d->events.guest(d->user, &best, addresses, n);
}

/* The host and port of the newest SRV record that makes sense. */
static void instance_locate(struct directory *d, struct instance *i)
{
	char target[RECORD_NAME_SIZE];
	struct host *host = NULL;

	for (const struct seen *s = i->srv.seen; s && !host; s = s->next) {
		if (record_read_srv(s->data, s->len, &i->port, target) == 0 &&
		    record_name_is_below(target, "local"))
			host = host_get(&d->hosts, target);
	}
	if (host && i->host && host != i->host) {
		host_release(&d->hosts, i->old);
		i->old = i->host;
	} else {
		host_release(&d->hosts, i->host);
	}
	i->host = host;
	if (!host || host_has_address(host)) {
		host_release(&d->hosts, i->old);
		i->old = NULL;
	}
}

static void instance_settle(struct directory *d, struct instance *i)
{
	struct txt txt;
	bool known = instance_txt(i, &txt);
	struct mac old = i->mac;
	bool told = i->told;

	i->changed = false;
	i->told = known;
	if (known)
		i->mac = txt.mac;
	if (told && (!known || !mac_equal(&old, &txt.mac)))
		tell(d, &old);
	if (known)
		tell(d, &txt.mac);
}

static void on_timer(AvahiTimeout *timer, void *user)
{
	struct directory *d = user;
	bool waiting = false;

	(void)timer;
	d->scheduled = false;
	for (struct instance *i = d->instances; i; i = i->next) {
		if (i->changed)
			instance_locate(d, i);
	}
	for (struct instance *i = d->instances; i; i = i->next) {
		if (i->changed)
			instance_settle(d, i);
	}
	for (struct instance *i = d->instances; i && !waiting; i = i->next) {
		if (i->waiting && take_token(d))
			instance_look(d, i);
		waiting = i->waiting;
	}
	if (waiting)
		schedule(d, 1000 / DIRECTORY_RATE);
}

/* Takes @i away, and what it was told as. */
static void instance_remove(struct directory *d, struct instance *i)
{
	struct instance **at = &d->instances;
	struct mac mac = i->mac;
	bool told = i->told;

	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	instance_close(d, i);
	if (told)
		tell(d, &mac);
}

/* Gives up the oldest instance that has told nothing useful so far. False if there is none. */
static bool make_room(struct directory *d)
{
	struct instance *oldest = NULL;

	for (struct instance *i = d->instances; i; i = i->next) {
		if (!i->told)
			oldest = i;
	}
	if (oldest)
		instance_remove(d, oldest);
	return oldest != NULL;
}

static struct instance *instance_new(struct directory *d, const char *name)
{
	struct instance *i;

	if (d->n >= DIRECTORY_MAX) {
		discovery_count(&d->counts->no_room, 1); /* this one, or another */
		if (!make_room(d))
			return NULL;
	}
	i = calloc(1, sizeof(*i) + strlen(name) + 1);
	if (!i)
		return NULL;
	strcpy(i->name, name);
	i->waiting = true;
	i->next = d->instances;
	d->instances = i;
	d->n++;
	if (take_token(d))
		instance_look(d, i);
	return i;
}

/* An instance is announced, or no longer so, on one interface. */
static void service_record(struct directory *d, bool present, const struct sighting *s)
{
	char name[RECORD_NAME_SIZE];
	struct instance *i;

	if (record_name_decode(s->data, s->len, name) != (int)s->len ||
	    !record_name_is_below(name, RECORD_SERVICE) || d->events.is_own(d->user, name))
		return;
	i = instance_find(d, name);
	if (present && !i)
		i = instance_new(d, name);
	if (!i)
		return;
	question_record(d->questions, &i->here, present, s, SEEN_MAX);
	if (!i->here.seen)
		instance_remove(d, i);
}

void directory_record(struct directory *d, struct question *q, bool present,
		      const struct sighting *s)
{
	if (s->len > RECORD_DATA_MAX)
		return;
	if (q == &d->service)
		service_record(d, present, s);
	else if (!question_record(d->questions, q, present, s, SEEN_MAX))
		return;
	for (struct instance *i = d->instances; i; i = i->next) {
		if (q->owner && (q->owner == i || q->owner == i->host || q->owner == i->old))
			i->changed = true;
	}
	schedule(d, GATHER_MS);
}

static void close_instances(struct directory *d)
{
	while (d->instances) {
		struct instance *i = d->instances;

		d->instances = i->next;
		instance_close(d, i);
	}
}

int directory_new(const AvahiPoll *poll, struct discovery_counts *counts,
		  const struct directory_events *events, void *user, struct directory **directory)
{
	struct directory *d = calloc(1, sizeof(*d));
	int error = -ENOMEM;

	if (!d)
		return error;
	d->poll = poll;
	d->events = *events;
	d->user = user;
	d->counts = counts;
	d->tokens = DIRECTORY_BURST;
	d->filled = seconds();
	d->timer = poll->timeout_new(poll, NULL, on_timer, d);
	if (!d->timer)
		goto out;
	error = questions_new(poll, &events->driver, user, &d->questions);
	if (error < 0)
		goto out;
	d->hosts.questions = d->questions;
	question_open(d->questions, &d->service, RECORD_SERVICE, RECORD_PTR, NULL);
	*directory = d;
	d = NULL;
out:
	if (d && d->timer)
		poll->timeout_free(d->timer);
	free(d);
	return error;
}

void directory_ask(struct directory *d)
{
	questions_ask(d->questions);
}

void directory_clear(struct directory *d)
{
	questions_void(d->questions);
	close_instances(d);
	d->poll->timeout_update(d->timer, NULL);
	d->scheduled = false;
}

void directory_free(struct directory *d)
{
	if (!d)
		return;
	close_instances(d);
	question_close(d->questions, &d->service);
	questions_free(d->questions);
	d->poll->timeout_free(d->timer);
	free(d);
}
