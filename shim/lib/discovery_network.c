/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_network.c: see discovery_network.h.
 */
#include "discovery_network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "discovery_directory.h"
#include "discovery_message.h"
#include "loop.h"

#define DAEMON_CONFIG "/etc/avahi/avahi-daemon.conf"
#define GONE_MS	      60000 /* a daemon away for so long is not being restarted */
#define SETTLE_MS     5000  /* in this time a driver hears of all who are there */
#define RETRY_MS      1000  /* after what could not be published; doubles */
#define RETRY_MAX_MS  60000

/* One of the two drivers, for its callbacks. */
struct source {
	struct network *network;
	struct driver driver;
	bool running;
};

struct network {
	const AvahiPoll *poll;
	const struct network_events *events;
	void *user;
	struct discovery_counts *counts;
	char host[RECORD_HOST_SIZE];
	struct source client;
	struct source core;
	struct source *active; /* the one that is up, or NULL */
	bool daemon_seen;
	struct directory *directory;
	struct publication *publications;
	AvahiTimeout *gone;   /* the daemon will not come back */
	AvahiTimeout *settle; /* who is not heard of by now is lost */
	AvahiTimeout *again;  /* publish what could not be */
	bool retrying;	      /* @again is set */
	unsigned int retry_ms;
};

static void say(struct network *n, const char *format, const char *what)
{
	char line[DISCOVERY_LINE_SIZE - 48]; /* another instance adds who says it */

	snprintf(line, sizeof(line), format, what);
	n->events->state(n->user, line);
}

static void retry_later(struct network *n)
{
	if (n->retrying)
		return;
	n->retrying = true;
	loop_set_timeout(n->poll, n->again, (int)n->retry_ms);
	n->retry_ms = n->retry_ms * 2 < RETRY_MAX_MS ? n->retry_ms * 2 : RETRY_MAX_MS;
}

static void publish_one(struct network *n, struct publication *p)
{
	int error = n->active->driver.ops->publish(n->active->driver.self, p);

	if (error == -EPERM)
		say(n, "%s: others find this Mac only once it has found them",
		    "avahi-daemon does not let users announce services");
	if (error < 0)
		retry_later(n);
}

static void publish_all(struct network *n)
{
	n->retry_ms = RETRY_MS;
	for (struct publication *p = n->publications; p; p = p->next)
		publish_one(n, p);
}

static void on_again(AvahiTimeout *timeout, void *user)
{
	struct network *n = user;

	(void)timeout;
	n->retrying = false;
	for (struct publication *p = n->publications; p && n->active; p = p->next) {
		if (p->collided && p->handle)
			n->active->driver.ops->withdraw(n->active->driver.self, p);
		p->collided = false;
		if (!p->handle)
			publish_one(n, p);
	}
}

/* No driver any more: what it held is void. */
static void deactivate(struct network *n)
{
	n->active = NULL;
	for (struct publication *p = n->publications; p; p = p->next) {
		p->handle = NULL;
		p->collided = false;
	}
	directory_clear(n->directory);
	n->events->hold(n->user);
	loop_set_timeout(n->poll, n->settle, -1);
}

static void source_stop(struct source *source)
{
	if (source->running)
		source->driver.ops->stop(source->driver.self);
	source->running = false;
}

static void on_up(void *user)
{
	struct source *source = user;
	struct network *n = source->network;
	bool again = n->active == source;

	if (source == &n->core && n->active)
		return;
	if (source == &n->client) {
		n->daemon_seen = true;
		loop_set_timeout(n->poll, n->gone, -1);
		/* First our own goodbye, then the daemon's announcement: it is the last word. */
		if (n->core.running) {
			source_stop(&n->core);
			deactivate(n);
		}
	}
	n->active = source;
	if (!again) {
		say(n, "discovery by %s",
		    source == &n->client ? "avahi-daemon" :
					   "multicast DNS of our own: no avahi-daemon");
		directory_ask(n->directory);
		loop_set_timeout(n->poll, n->settle, SETTLE_MS);
	}
	publish_all(n);
}

static void on_down(void *user, const char *why)
{
	struct source *source = user;
	struct network *n = source->network;

	if (n->active != source)
		return;
	deactivate(n);
	if (source == &n->client) {
		loop_set_timeout(n->poll, n->gone, GONE_MS);
		say(n, "avahi-daemon has gone, waiting for it: %s", why);
	} else {
		say(n, "discovery begins anew: %s", why);
	}
}

/* True where the administrator wants no mDNS stack beside avahi-daemon, running or not. */
static bool others_disallowed(void)
{
	FILE *file = fopen(DAEMON_CONFIG, "re");
	char line[256], value[8] = "no", found[8];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " disallow-other-stacks = %7[a-z]", found) == 1)
			strcpy(value, found);
	}
	if (file)
		fclose(file);
	return strcmp(value, "yes") == 0;
}

static const struct driver_events driver_events;

static void start_core(struct network *n)
{
	int error;

	if (n->core.running)
		return;
	if (others_disallowed()) {
		say(n, "no discovery: avahi-daemon does not run, and %s allows no other",
		    DAEMON_CONFIG);
		return;
	}
	n->core.network = n;
	error = discovery_core_start(n->poll, *n->host ? n->host : NULL, n->counts, &driver_events,
				     &n->core, &n->core.driver);
	n->core.running = error == 0;
	if (error == -ELIBACC)
		say(n, "no discovery: %s", "libavahi-core is not installed");
	else if (error < 0)
		say(n, "no discovery: %s", strerrordesc_np(-error));
}

static void on_absent(void *user, const char *why)
{
	struct source *source = user;
	struct network *n = source->network;

	if (source == &n->core)
		say(n, "no discovery for now: %s", why);
	else if (!n->daemon_seen)
		start_core(n);
}

static void on_gone(AvahiTimeout *timeout, void *user)
{
	struct network *n = user;

	(void)timeout;
	start_core(n);
}

static void on_collision(void *user, struct publication *publication)
{
	struct source *source = user;
	struct network *n = source->network;

	publication->collided = true;
	retry_later(n);
}

/* Our own announcement comes back from the network: it needs no asking. */
static bool is_own(void *user, const char *name)
{
	struct network *n = user;
	char own[RECORD_INSTANCE_SIZE];

	for (const struct publication *p = n->publications; p; p = p->next) {
		if (strcasecmp(name, records_instance(&p->txt.mac, own)) == 0)
			return true;
	}
	return false;
}

static void on_record(void *user, struct question *question, bool present,
		      const struct sighting *sighting)
{
	struct source *source = user;

	directory_record(source->network->directory, question, present, sighting);
}

static const struct driver_events driver_events = {
	.up = on_up,
	.down = on_down,
	.absent = on_absent,
	.collision = on_collision,
	.record = on_record,
};

static int ask(void *user, struct question *question)
{
	struct network *n = user;

	return n->active->driver.ops->ask(n->active->driver.self, question);
}

static void forget(void *user, struct question *question)
{
	struct network *n = user;

	n->active->driver.ops->forget(n->active->driver.self, question);
}

static void on_guest(void *user, const struct txt *txt, const struct sockaddr_in6 *addresses,
		     size_t count)
{
	struct network *n = user;

	n->events->guest(n->user, txt, addresses, count);
}

static void on_settle(AvahiTimeout *timeout, void *user)
{
	struct network *n = user;

	(void)timeout;
	n->events->settle(n->user);
}

/* Starts whatever can be started now; the rest is said, and waited for. */
static void start_sources(struct network *n)
{
	int error;

	n->client.network = n;
	error = discovery_client_start(n->poll, &driver_events, &n->client, &n->client.driver);
	n->client.running = error == 0;
	if (error < 0)
		start_core(n);
}

int network_start(const AvahiPoll *poll, const char *host, struct discovery_counts *counts,
		  const struct network_events *events, void *user, struct network **network)
{
	static const struct directory_events directory_events = {
		.driver = { .ask = ask, .forget = forget },
		.is_own = is_own,
		.guest = on_guest,
	};
	struct network *n = calloc(1, sizeof(*n));
	int error = -ENOMEM;

	if (!n)
		return error;
	n->poll = poll;
	n->events = events;
	n->user = user;
	n->counts = counts;
	n->retry_ms = RETRY_MS;
	if (host)
		snprintf(n->host, sizeof(n->host), "%s", host);
	n->gone = poll->timeout_new(poll, NULL, on_gone, n);
	n->settle = poll->timeout_new(poll, NULL, on_settle, n);
	n->again = poll->timeout_new(poll, NULL, on_again, n);
	if (!n->gone || !n->settle || !n->again)
		goto out;
	error = directory_new(poll, counts, &directory_events, n, &n->directory);
	if (error < 0)
		goto out;
	start_sources(n);
	*network = n;
	return 0;
out:
	network_stop(n);
	return error;
}

void network_publish(struct network *n, struct publication *publication)
{
	struct publication *p = n->publications;

	while (p && p != publication)
		p = p->next;
	if (!p) {
		publication->handle = NULL;
		publication->collided = false;
		publication->next = n->publications;
		n->publications = publication;
	}
	if (n->active)
		publish_one(n, publication);
}

void network_withdraw(struct network *n, struct publication *publication)
{
	struct publication **at = &n->publications;

	while (*at && *at != publication)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = publication->next;
	if (publication->handle)
		n->active->driver.ops->withdraw(n->active->driver.self, publication);
}

void network_stop(struct network *n)
{
	if (!n)
		return;
	source_stop(&n->client);
	source_stop(&n->core);
	if (n->directory)
		directory_clear(n->directory);
	directory_free(n->directory);
	if (n->gone)
		n->poll->timeout_free(n->gone);
	if (n->settle)
		n->poll->timeout_free(n->settle);
	if (n->again)
		n->poll->timeout_free(n->again);
	free(n);
}
