/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_core.c: multicast DNS in this process, by libavahi-core, where there is no
 * avahi-daemon.
 *
 * Several such stacks share port 5353 of a host, with each other and with other programs. So that
 * they never quarrel over a name, this one publishes nothing by itself: not the host's name, but
 * one that holds the guest's MAC, and address records under that, without the reverse ones.
 *
 * Avahi reckons in wall time: when the clock is set, or the machine was asleep, what it has heard
 * seems fresh or dead without being so, and it waits for up to an hour before it asks again. The
 * stack is then replaced by a new one; and also where it has missed what became of the cards.
 */
#include "discovery_driver.h"

#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-core/core.h>
#include <avahi-core/log.h>
#include <avahi-core/lookup.h>
#include <avahi-core/publish.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "discovery_addresses.h"
#include "discovery_clock.h"
#include "discovery_guard.h"
#include "discovery_load.h"
#include "log.h"
#include "loop.h"
#include "standard.h"

#define CACHE_MAX   2048 /* records kept of each interface's network */
#define PACKETS_MAX 1000 /* sent a second and interface, as avahi-daemon's default */
#define RETRY_MS    5000 /* after a stack that could not be made: no network at all */

/* The functions of libavahi-core that are used, each of its own type. */
/* clang-format off */
#define FUNCTIONS(f) \
	f(avahi_strerror) \
	f(avahi_strndup) \
	f(avahi_set_log_function) \
	f(avahi_server_config_init) \
	f(avahi_server_config_free) \
	f(avahi_server_new) \
	f(avahi_server_free) \
	f(avahi_server_add) \
	f(avahi_s_entry_group_new) \
	f(avahi_s_entry_group_commit) \
	f(avahi_s_entry_group_reset) \
	f(avahi_s_entry_group_free) \
	f(avahi_s_record_browser_new) \
	f(avahi_s_record_browser_free) \
	f(avahi_key_new) \
	f(avahi_key_unref) \
	f(avahi_record_new_full) \
	f(avahi_record_unref) \
	f(avahi_rdata_parse) \
	f(avahi_rdata_serialize)
/* clang-format on */

struct library {
	FUNCTIONS(LOAD_POINTER)
};

/* The address records of one interface. */
struct group {
	struct group *next;
	int interface;
	AvahiSEntryGroup *group;
};

struct core {
	const AvahiPoll *poll;
	const struct driver_events *events;
	void *user;
	struct discovery_counts *counts;
	struct library lib;
	AvahiServer *server; /* or NULL, until the timer makes one */
	struct guard *guard; /* the server's */
	AvahiTimeout *timer;
	char host[RECORD_HOST_SIZE]; /* "": nothing is published */
	struct addresses *addresses;
	struct group *groups;
	struct clock_watch *clock;
};

static void on_log(AvahiLogLevel level, const char *text)
{
	(void)level;
	log_say(LOG_DEBUG, "avahi: %s", text);
}

static void on_state(AvahiServer *server, AvahiServerState state, void *user)
{
	/* It has no host records of its own that could collide. */
	(void)server;
	(void)state;
	(void)user;
}

static void server_free(struct core *c)
{
	if (c->server)
		c->lib.avahi_server_free(c->server);
	guard_free(c->guard);
	c->server = NULL;
	c->guard = NULL;
}

static void free_groups(struct core *c)
{
	while (c->groups) {
		struct group *g = c->groups;

		c->groups = g->next;
		free(g);
	}
}

static void begin_anew(struct core *c, const char *why)
{
	if (!c->server)
		return;
	server_free(c);
	free_groups(c);
	c->events->down(c->user, why);
	loop_set_timeout(c->poll, c->timer, 0);
}

static void on_jump(void *user)
{
	begin_anew(user, "the clock was set, or this machine was asleep");
}

static void on_misled(void *user)
{
	begin_anew(user, "more network cards came and went than the kernel could tell of");
}

static AvahiServer *server_new(struct core *c, int *error)
{
	AvahiServerConfig config;
	struct standard standard;
	AvahiServer *server;

	*error = AVAHI_ERR_NO_MEMORY;
	if (guard_new(c->poll, c->counts, on_misled, c, &c->guard) < 0)
		return NULL;
	c->lib.avahi_server_config_init(&config);
	/* Not announced, but it must have one. */
	config.host_name = *c->host ? c->lib.avahi_strndup(c->host, strcspn(c->host, ".")) :
				      c->lib.avahi_strndup("basilisk", 8);
	config.publish_addresses = 0;
	config.publish_hinfo = 0;
	config.publish_workstation = 0;
	config.publish_domain = 0;
	config.n_cache_entries_max = CACHE_MAX;
	config.ratelimit_interval = 1000000;
	config.ratelimit_burst = PACKETS_MAX;
	standard_hold(&standard);
	server = c->lib.avahi_server_new(guard_poll(c->guard), &config, on_state, c, error);
	standard_release(&standard);
	c->lib.avahi_server_config_free(&config);
	if (!server)
		server_free(c);
	return server;
}

/* A record of Avahi's from one of ours, or NULL. */
static AvahiRecord *record_new(struct core *c, const struct record *r)
{
	AvahiRecord *record = c->lib.avahi_record_new_full(r->name, AVAHI_DNS_CLASS_IN,
							   (uint16_t)r->type, r->ttl);

	if (record && c->lib.avahi_rdata_parse(record, r->data, r->len) < 0) {
		c->lib.avahi_record_unref(record);
		record = NULL;
	}
	return record;
}

/* 0 or an error of Avahi's. */
static int add_record(struct core *c, AvahiSEntryGroup *group, int interface, int flags,
		      const struct record *r)
{
	AvahiRecord *record = record_new(c, r);
	int error;

	if (!record)
		return AVAHI_ERR_NO_MEMORY;
	if (r->unique)
		flags |= AVAHI_PUBLISH_UNIQUE | AVAHI_PUBLISH_NO_PROBE;
	error = c->lib.avahi_server_add(c->server, group, interface, AVAHI_PROTO_UNSPEC,
					(AvahiPublishFlags)flags, record);
	c->lib.avahi_record_unref(record);
	return error;
}

static void on_address_group(AvahiServer *server, AvahiSEntryGroup *group,
			     AvahiEntryGroupState state, void *user)
{
	/* A collision: someone forges a name that holds our MAC. There is no better one. */
	(void)server;
	(void)group;
	(void)state;
	(void)user;
}

/* All addresses of an interface are announced together, as their cache-flush bit demands. */
static void on_addresses(void *user, int interface, const struct own_address *addresses, size_t n)
{
	struct core *c = user;
	struct group **at = &c->groups, *g;
	struct record record;

	while ((g = *at) && g->interface != interface)
		at = &g->next;
	if (!c->server || (!g && !n))
		return;
	if (!n) {
		/* Its number may never come back. */
		if (g->group)
			c->lib.avahi_s_entry_group_free(g->group);
		*at = g->next;
		free(g);
		return;
	}
	if (!g) {
		g = calloc(1, sizeof(*g));
		if (!g)
			return;
		g->interface = interface;
		g->next = c->groups;
		c->groups = g;
	}
	if (g->group)
		c->lib.avahi_s_entry_group_reset(g->group);
	else
		g->group = c->lib.avahi_s_entry_group_new(c->server, on_address_group, c);
	if (!g->group)
		return;
	for (size_t i = 0; i < n; i++) {
		if (records_of_address(c->host, addresses[i].family, addresses[i].byte, &record) ==
		    0)
			add_record(c, g->group, interface, AVAHI_PUBLISH_ALLOW_MULTIPLE, &record);
	}
	c->lib.avahi_s_entry_group_commit(g->group);
}

static void on_timer(AvahiTimeout *timer, void *user)
{
	struct core *c = user;
	int error = 0;

	(void)timer;
	if (c->server)
		return;
	c->server = server_new(c, &error);
	if (!c->server) {
		c->events->absent(c->user, c->lib.avahi_strerror(error));
		loop_set_timeout(c->poll, c->timer, RETRY_MS);
		return;
	}
	if (*c->host)
		addresses_again(c->addresses);
	c->events->up(c->user);
}

static void on_record(AvahiSRecordBrowser *browser, AvahiIfIndex interface, AvahiProtocol protocol,
		      AvahiBrowserEvent event, AvahiRecord *record, AvahiLookupResultFlags flags,
		      void *user)
{
	struct question *question = user;
	struct core *c = question->driver;
	uint8_t data[RECORD_DATA_MAX];
	size_t len;

	(void)browser;
	(void)flags;
	if (event != AVAHI_BROWSER_NEW && event != AVAHI_BROWSER_REMOVE)
		return;
	len = c->lib.avahi_rdata_serialize(record, data, sizeof(data));
	if (len != (size_t)-1) {
		const struct sighting sighting = { interface, protocol, data, len };

		c->events->record(c->user, question, event == AVAHI_BROWSER_NEW, &sighting);
	}
}

static int core_ask(void *driver, struct question *question)
{
	struct core *c = driver;
	AvahiKey *key =
		c->lib.avahi_key_new(question->name, AVAHI_DNS_CLASS_IN, (uint16_t)question->type);

	if (!key)
		return -ENOMEM;
	question->driver = c;
	question->handle = c->lib.avahi_s_record_browser_new(
		c->server, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, key, AVAHI_LOOKUP_USE_MULTICAST,
		on_record, question);
	c->lib.avahi_key_unref(key);
	return question->handle ? 0 : -EAGAIN;
}

static void core_forget(void *driver, struct question *question)
{
	struct core *c = driver;

	c->lib.avahi_s_record_browser_free(question->handle);
	question->handle = NULL;
}

static void on_group(AvahiServer *server, AvahiSEntryGroup *group, AvahiEntryGroupState state,
		     void *user)
{
	struct publication *publication = user;
	struct core *c = publication->driver;

	(void)server;
	(void)group;
	if (state == AVAHI_ENTRY_GROUP_COLLISION || state == AVAHI_ENTRY_GROUP_FAILURE)
		c->events->collision(c->user, publication);
}

static int core_publish(void *driver, struct publication *publication)
{
	struct core *c = driver;
	struct record records[RECORDS_OF_SERVICE];
	bool update = publication->handle;
	int error = records_of_service(&publication->txt, c->host, records);

	publication->driver = c;
	if (!update)
		publication->handle =
			c->lib.avahi_s_entry_group_new(c->server, on_group, publication);
	if (!publication->handle)
		return -ENOMEM;
	for (size_t i = 0; i < RECORDS_OF_SERVICE && error >= 0; i++)
		error = add_record(c, publication->handle, AVAHI_IF_UNSPEC,
				   update ? AVAHI_PUBLISH_UPDATE : 0, &records[i]);
	if (error >= 0 && !update)
		error = c->lib.avahi_s_entry_group_commit(publication->handle);
	if (error >= 0)
		return 0;
	log_say(LOG_DEBUG, "cannot announce: %s", c->lib.avahi_strerror(error));
	c->lib.avahi_s_entry_group_free(publication->handle);
	publication->handle = NULL;
	return -EAGAIN;
}

static void core_withdraw(void *driver, struct publication *publication)
{
	struct core *c = driver;

	c->lib.avahi_s_entry_group_free(publication->handle);
	publication->handle = NULL;
}

static void core_stop(void *driver)
{
	struct core *c = driver;

	server_free(c);
	addresses_free(c->addresses);
	free_groups(c);
	clock_watch_free(c->clock);
	if (c->timer)
		c->poll->timeout_free(c->timer);
	free(c);
}

static const struct driver_ops ops = {
	.ask = core_ask,
	.forget = core_forget,
	.publish = core_publish,
	.withdraw = core_withdraw,
	.stop = core_stop,
};

int discovery_core_start(const AvahiPoll *poll, const char *host, struct discovery_counts *counts,
			 const struct driver_events *events, void *user, struct driver *driver)
{
	static const char *const names[] = { FUNCTIONS(LOAD_NAME) };
	struct core *c = calloc(1, sizeof(*c));
	int error;

	if (!c)
		return -ENOMEM;
	c->poll = poll;
	c->counts = counts;
	c->events = events;
	c->user = user;
	error = LOAD("libavahi-core.so.7", names, &c->lib);
	if (error < 0)
		goto out;
	if (host)
		strncpy(c->host, host, sizeof(c->host) - 1);
	c->lib.avahi_set_log_function(on_log);
	c->timer = poll->timeout_new(poll, NULL, on_timer, c);
	error = c->timer ? clock_watch_new(poll, on_jump, c, &c->clock) : -ENOMEM;
	if (error < 0)
		goto out;
	if (host) {
		error = addresses_new(poll, on_addresses, c, &c->addresses);
		if (error < 0)
			goto out;
	}
	loop_set_timeout(c->poll, c->timer, 0);
	*driver = (struct driver){ .ops = &ops, .self = c };
	return 0;
out:
	core_stop(c);
	return error;
}
