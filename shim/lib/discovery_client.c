/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_client.c: multicast DNS by avahi-daemon, over the system bus.
 *
 * libavahi-client is loaded at run time, and only where there is a system bus: processes without
 * one stay free of libdbus. Once loaded it stays. Calls to the daemon block this thread for a
 * round trip each, about a millisecond; frames do not pass here.
 *
 * The daemon may come, go and be restarted at any time, the bus too. The object that libavahi gives
 * us does not survive that, so a new one is made, which waits for the daemon (AVAHI_CLIENT_NO_FAIL)
 * as long as the bus is there; without the bus it is tried again, ever more seldom.
 * Must never: free an object of libavahi's from within its own callback.
 */
#include "discovery_driver.h"

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-common/error.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "discovery_load.h"
#include "log.h"
#include "loop.h"
#include "process.h"
#include "standard.h"

#define BUS_ADDRESS  "DBUS_SYSTEM_BUS_ADDRESS"
#define BUS_SOCKET   "/run/dbus/system_bus_socket"
#define RETRY_MS     250 /* after a bus that does not answer; doubles */
#define RETRY_MAX_MS 30000
#define FORKS_MAX    5 /* connections given up because of a fork(), one after the other */

/* The functions of libavahi-client that are used, each of its own type. */
/* clang-format off */
#define FUNCTIONS(f) \
	f(avahi_strerror) \
	f(avahi_client_new) \
	f(avahi_client_free) \
	f(avahi_client_errno) \
	f(avahi_client_get_host_name_fqdn) \
	f(avahi_entry_group_new) \
	f(avahi_entry_group_free) \
	f(avahi_entry_group_add_record) \
	f(avahi_entry_group_commit) \
	f(avahi_record_browser_new) \
	f(avahi_record_browser_free)
/* clang-format on */

struct library {
	FUNCTIONS(LOAD_POINTER)
};

struct client {
	const AvahiPoll *poll;
	const struct driver_events *events;
	void *user;
	struct library lib;
	AvahiClient *client;	/* or NULL, until the timer makes one */
	AvahiClientState state; /* its newest, as far as it is told */
	bool changed;		/* it is not told yet */
	bool up;		/* told */
	AvahiTimeout *timer;
	unsigned int retry_ms;
};

/* False where there is no bus to connect to, as far as its address can be understood. */
static bool bus_exists(void)
{
	static const char unix_path[] = "unix:path=";
	const char *address = secure_getenv(BUS_ADDRESS); /* as libdbus does it */
	char path[128];
	struct stat st;

	if (!address || !*address)
		return stat(BUS_SOCKET, &st) == 0;
	if (strncmp(address, unix_path, strlen(unix_path)) != 0 || strpbrk(address, ";,%"))
		return true;
	address += strlen(unix_path);
	if (strlen(address) >= sizeof(path))
		return true;
	strcpy(path, address);
	return stat(path, &st) == 0;
}

/* Only noted: libavahi calls this from within calls of ours as well. */
static void on_state(AvahiClient *client, AvahiClientState state, void *user)
{
	struct client *c = user;

	(void)client;
	if (state == AVAHI_CLIENT_S_REGISTERING || state == AVAHI_CLIENT_S_COLLISION)
		return; /* the daemon looks for a host name: RUNNING follows */
	c->state = state;
	c->changed = true;
	loop_set_timeout(c->poll, c->timer, 0);
}

/*
 * While libavahi connects nobody else knows the descriptor, and a child of that time keeps a copy
 * until it executes a program or ends. The daemon would take the connection, and with it all that
 * we announce, for alive as long as that child. Such a connection is given up before it is used.
 */
static AvahiClient *client_new(struct client *c, int *error)
{
	AvahiClient *client = NULL;
	unsigned int mark;
	int forks = 0;

	do {
		if (client)
			c->lib.avahi_client_free(client);
		mark = process_fork_mark();
		c->changed = false;
		client = c->lib.avahi_client_new(c->poll, AVAHI_CLIENT_NO_FAIL, on_state, c, error);
	} while (client && process_forked_since(mark) && ++forks <= FORKS_MAX);
	return client;
}

/* True if there is an object now, which waits for the daemon or has it. */
static bool connect_client(struct client *c)
{
	int error = AVAHI_ERR_NO_DAEMON;
	struct standard standard;

	c->changed = false;
	if (bus_exists()) {
		standard_hold(&standard);
		c->client = client_new(c, &error);
		standard_release(&standard);
	}
	if (c->client) {
		c->retry_ms = RETRY_MS;
		return true;
	}
	c->changed = false;
	loop_set_timeout(c->poll, c->timer, (int)c->retry_ms);
	c->retry_ms *= 2;
	if (c->retry_ms > RETRY_MAX_MS)
		c->retry_ms = RETRY_MAX_MS;
	c->events->absent(c->user, c->lib.avahi_strerror(error));
	return false;
}

static void on_timer(AvahiTimeout *timer, void *user)
{
	struct client *c = user;

	(void)timer;
	if (c->client && c->changed && c->state == AVAHI_CLIENT_FAILURE) {
		int error = c->lib.avahi_client_errno(c->client);

		c->lib.avahi_client_free(c->client);
		c->client = NULL;
		if (c->up)
			c->events->down(c->user, c->lib.avahi_strerror(error));
		c->up = false;
	}
	if ((!c->client && !connect_client(c)) || !c->changed)
		return;
	c->changed = false;
	switch (c->state) {
	case AVAHI_CLIENT_S_RUNNING:
		c->up = true;
		c->events->up(c->user);
		break;
	case AVAHI_CLIENT_CONNECTING:
		c->events->absent(c->user, c->lib.avahi_strerror(AVAHI_ERR_NO_DAEMON));
		break;
	default: /* it failed while it was made: as before, but not at once */
		c->changed = true;
		loop_set_timeout(c->poll, c->timer, (int)c->retry_ms);
	}
}

static void on_record(AvahiRecordBrowser *browser, AvahiIfIndex interface, AvahiProtocol protocol,
		      AvahiBrowserEvent event, const char *name, uint16_t class, uint16_t type,
		      const void *data, size_t len, AvahiLookupResultFlags flags, void *user)
{
	struct question *question = user;
	struct client *c = question->driver;
	const struct sighting sighting = {
		.interface = interface,
		.protocol = protocol,
		.data = data,
		.len = len,
	};

	(void)browser;
	(void)name;
	(void)class;
	(void)type;
	(void)flags;
	if (event == AVAHI_BROWSER_NEW || event == AVAHI_BROWSER_REMOVE)
		c->events->record(c->user, question, event == AVAHI_BROWSER_NEW, &sighting);
}

static int client_ask(void *driver, struct question *question)
{
	struct client *c = driver;

	question->driver = c;
	question->handle = c->lib.avahi_record_browser_new(
		c->client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, question->name, AVAHI_DNS_CLASS_IN,
		(uint16_t)question->type, AVAHI_LOOKUP_USE_MULTICAST, on_record, question);
	if (question->handle)
		return 0;
	log_say(LOG_DEBUG, "avahi-daemon does not look for %s: %s", question->name,
		c->lib.avahi_strerror(c->lib.avahi_client_errno(c->client)));
	return -EAGAIN;
}

static void client_forget(void *driver, struct question *question)
{
	struct client *c = driver;

	c->lib.avahi_record_browser_free(question->handle);
	question->handle = NULL;
}

static void on_group(AvahiEntryGroup *group, AvahiEntryGroupState state, void *user)
{
	struct publication *publication = user;
	struct client *c = publication->driver;

	(void)group;
	if (state == AVAHI_ENTRY_GROUP_COLLISION || state == AVAHI_ENTRY_GROUP_FAILURE)
		c->events->collision(c->user, publication);
}

/* Adds the records to the group, or changes those that are in it. 0 or an error of Avahi's. */
static int add_records(struct client *c, AvahiEntryGroup *group, bool update,
		       const struct record *records, size_t n)
{
	int error = 0;

	for (size_t i = 0; i < n && error >= 0; i++) {
		const struct record *r = &records[i];
		int flags = r->unique ? AVAHI_PUBLISH_UNIQUE | AVAHI_PUBLISH_NO_PROBE : 0;

		if (update)
			flags |= AVAHI_PUBLISH_UPDATE;
		error = c->lib.avahi_entry_group_add_record(
			group, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, (AvahiPublishFlags)flags,
			r->name, AVAHI_DNS_CLASS_IN, (uint16_t)r->type, r->ttl, r->data, r->len);
	}
	if (error >= 0 && !update)
		error = c->lib.avahi_entry_group_commit(group);
	return error;
}

static int client_publish(void *driver, struct publication *publication)
{
	struct client *c = driver;
	struct record records[RECORDS_OF_SERVICE];
	const char *host = c->lib.avahi_client_get_host_name_fqdn(c->client);
	bool update = publication->handle;
	int error = AVAHI_ERR_INVALID_HOST_NAME;

	publication->driver = c;
	if (!update)
		publication->handle =
			c->lib.avahi_entry_group_new(c->client, on_group, publication);
	if (!publication->handle)
		error = c->lib.avahi_client_errno(c->client);
	else if (host && records_of_service(&publication->txt, host, records) == 0)
		error = add_records(c, publication->handle, update, records, RECORDS_OF_SERVICE);
	if (error >= 0)
		return 0;
	if (publication->handle)
		c->lib.avahi_entry_group_free(publication->handle);
	publication->handle = NULL;
	log_say(LOG_DEBUG, "avahi-daemon does not announce us: %s", c->lib.avahi_strerror(error));
	return error == AVAHI_ERR_NOT_PERMITTED || error == AVAHI_ERR_ACCESS_DENIED ? -EPERM :
										      -EAGAIN;
}

static void client_withdraw(void *driver, struct publication *publication)
{
	struct client *c = driver;

	c->lib.avahi_entry_group_free(publication->handle);
	publication->handle = NULL;
}

/* The daemon says goodbye for what is published once it sees the connection closed. */
static void client_stop(void *driver)
{
	struct client *c = driver;

	if (c->client)
		c->lib.avahi_client_free(c->client);
	c->poll->timeout_free(c->timer);
	free(c);
}

static const struct driver_ops ops = {
	.ask = client_ask,
	.forget = client_forget,
	.publish = client_publish,
	.withdraw = client_withdraw,
	.stop = client_stop,
};

int discovery_client_start(const AvahiPoll *poll, const struct driver_events *events, void *user,
			   struct driver *driver)
{
	static const char *const names[] = { FUNCTIONS(LOAD_NAME) };
	struct client *c;
	int error;

	if (!bus_exists())
		return -ENOENT;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->poll = poll;
	c->events = events;
	c->user = user;
	c->retry_ms = RETRY_MS;
	error = LOAD("libavahi-client.so.3", names, &c->lib);
	if (error < 0)
		goto out;
	c->timer = poll->timeout_new(poll, NULL, on_timer, c);
	if (!c->timer) {
		error = -ENOMEM;
		goto out;
	}
	loop_set_timeout(c->poll, c->timer, 0);
	*driver = (struct driver){ .ops = &ops, .self = c };
	c = NULL;
out:
	free(c);
	return error;
}
