/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery.c: see discovery.h.
 *
 * One instance for each user, host and network namespace has the share (discovery_share.h): it
 * speaks multicast DNS, for itself and for all who are linked to it. When it ends, one of them
 * takes the share; until that one knows the network, nobody who was known is lost. Who cannot
 * have the share nor a link speaks for itself alone. Who only looks never takes the share.
 *
 * Instances that share are told of each other at once, at the loopback's address, whatever the
 * network is like.
 */
#include "discovery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "discovery_known.h"
#include "discovery_network.h"
#include "discovery_share.h"
#include "loop.h"

#define RETRY_MS  20 /* while others decide who takes the share */
#define RETRY_MAX 50 /* times; then alone */

struct discovery {
	const AvahiPoll *poll;
	struct discovery_events events;
	void *user;
	struct publication own;
	bool announcing;
	struct known *known;
	bool settled;		 /* all who are there are known */
	struct network *network; /* we speak multicast DNS */
	struct share *share;	 /* also for others */
	struct link *link;	 /* another instance speaks for us */
	AvahiTimeout *again;	 /* find a role, after the link went down */
	unsigned int tries;
	bool alone; /* the share did not work out */
	char line[DISCOVERY_LINE_SIZE];
};

static bool is_own(const struct discovery *d, const struct mac *mac)
{
	return d->announcing && mac_equal(&d->own.txt.mac, mac);
}

static void send_all(struct discovery *d, const struct message *message)
{
	if (d->share)
		share_send_all(d->share, message);
}

/* ---- what is known, to our user and to those who are linked ---- */

static void on_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	const struct message found = { .kind = MESSAGE_FOUND, .txt = *txt, .address = *address };
	struct discovery *d = user;

	send_all(d, &found);
	if (!is_own(d, &txt->mac) && d->events.found)
		d->events.found(d->user, txt, address);
}

static void on_lost(void *user, const struct mac *mac)
{
	const struct message lost = { .kind = MESSAGE_LOST, .mac = *mac };
	struct discovery *d = user;

	send_all(d, &lost);
	if (!is_own(d, mac) && d->events.lost)
		d->events.lost(d->user, mac);
}

static void say(struct discovery *d, const char *line)
{
	struct message state = { .kind = MESSAGE_STATE };

	if (strncmp(d->line, line, sizeof(d->line) - 1) == 0)
		return;
	snprintf(d->line, sizeof(d->line), "%s", line);
	memcpy(state.line, d->line, sizeof(state.line) - 1);
	send_all(d, &state);
	if (d->events.state)
		d->events.state(d->user, d->line);
}

/* ---- the instances of this host that we speak for: ourselves, and those linked to us ---- */

/* Every instance of this host is reached at the loopback's address. */
static void tell_local(struct discovery *d, const struct txt *txt)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(txt->port) };

	address.sin6_addr.s6_addr[10] = 0xff;
	address.sin6_addr.s6_addr[11] = 0xff;
	address.sin6_addr.s6_addr[12] = 127;
	address.sin6_addr.s6_addr[15] = 1;
	known_set(d->known, txt, &address, 1);
}

static bool is_local(const struct discovery *d, const struct mac *mac)
{
	for (const struct share_client *c = share_clients(d->share); c; c = c->next) {
		if (c->announced && mac_equal(&c->publication.txt.mac, mac))
			return true;
	}
	return is_own(d, mac);
}

static void tell_locals(struct discovery *d)
{
	if (d->announcing)
		tell_local(d, &d->own.txt);
	for (const struct share_client *c = share_clients(d->share); c; c = c->next) {
		if (c->announced)
			tell_local(d, &c->publication.txt);
	}
}

static void announce(struct discovery *d, struct publication *publication, const struct txt *txt)
{
	publication->txt = *txt;
	tell_local(d, txt);
	network_publish(d->network, publication);
}

static void withdraw(struct discovery *d, struct publication *publication)
{
	network_withdraw(d->network, publication);
	known_remove(d->known, &publication->txt.mac);
}

/* ---- the network, where we speak ---- */

static void on_guest(void *user, const struct txt *txt, const struct sockaddr_in6 *addresses,
		     size_t n)
{
	struct discovery *d = user;

	/* Of those that we announce, only an echo of what was before comes from the network. */
	if (!is_local(d, &txt->mac))
		known_set(d->known, txt, addresses, n);
}

static void on_hold(void *user)
{
	struct discovery *d = user;

	d->settled = false;
	known_hold(d->known);
	tell_locals(d);
}

static void on_settle(void *user)
{
	const struct message settled = { .kind = MESSAGE_SETTLED };
	struct discovery *d = user;

	d->settled = true;
	known_settle(d->known);
	send_all(d, &settled);
}

static void on_state(void *user, const char *line)
{
	say(user, line);
}

static int speak(struct discovery *d)
{
	static const struct network_events events = {
		.guest = on_guest,
		.hold = on_hold,
		.settle = on_settle,
		.state = on_state,
	};
	char host[RECORD_HOST_SIZE];
	int error = network_start(d->poll,
				  d->announcing ? records_host(&d->own.txt.mac, host) : NULL,
				  &events, d, &d->network);

	if (!error && d->announcing)
		announce(d, &d->own, &d->own.txt);
	return error;
}

/* ---- the share: who is linked to us ---- */

static void send_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	const struct message found = { .kind = MESSAGE_FOUND, .txt = *txt, .address = *address };

	share_send(user, &found);
}

static void on_joined(void *user, struct share_client *client)
{
	static const struct discovery_events replay = { .found = send_found };
	const struct message settled = { .kind = MESSAGE_SETTLED };
	struct message state = { .kind = MESSAGE_STATE };
	struct discovery *d = user;

	memcpy(state.line, d->line, sizeof(state.line) - 1);
	share_send(client, &state);
	known_replay(d->known, &replay, client);
	if (d->settled)
		share_send(client, &settled);
}

static void on_left(void *user, struct share_client *client)
{
	struct discovery *d = user;

	if (client->announced)
		withdraw(d, &client->publication);
	client->announced = false;
}

static void on_request(void *user, struct share_client *client, const struct message *message)
{
	struct discovery *d = user;

	if (message->kind != MESSAGE_ANNOUNCE ||
	    !mac_equal(&message->txt.mac, &client->publication.txt.mac))
		on_left(d, client);
	if (message->kind != MESSAGE_ANNOUNCE)
		return;
	client->announced = true;
	announce(d, &client->publication, &message->txt);
}

/* ---- the link: who speaks for us ---- */

static void find_role(struct discovery *d);

static void on_answer(void *user, const struct message *message)
{
	struct discovery *d = user;
	char line[DISCOVERY_LINE_SIZE];

	switch (message->kind) {
	case MESSAGE_WELCOME:
		d->tries = 0;
		known_hold(d->known);
		break;
	case MESSAGE_FOUND:
		known_add(d->known, &message->txt, &message->address);
		break;
	case MESSAGE_LOST:
		known_remove(d->known, &message->mac);
		break;
	case MESSAGE_STATE:
		snprintf(line, sizeof(line), "%s, by another emulator of this user", message->line);
		if (*message->line)
			say(d, line);
		break;
	case MESSAGE_SETTLED:
		known_settle(d->known);
		break;
	default:
		break;
	}
}

static void on_down(void *user, bool silent)
{
	struct discovery *d = user;

	link_close(d->link);
	d->link = NULL;
	known_hold(d->known);
	d->alone = silent; /* it keeps the share, so nobody else can take it */
	find_role(d);
}

/* ---- which of it we are ---- */

static int take_share(struct discovery *d)
{
	static const struct share_events events = {
		.joined = on_joined,
		.message = on_request,
		.left = on_left,
	};

	return d->announcing ? share_open(d->poll, &events, d, &d->share) : -EADDRINUSE;
}

static int take_link(struct discovery *d)
{
	static const struct link_events events = { .message = on_answer, .down = on_down };
	const struct message own = { .kind = MESSAGE_ANNOUNCE, .txt = d->own.txt };
	int error = link_open(d->poll, &events, d, &d->link);

	if (!error && d->announcing)
		link_send(d->link, &own);
	return error;
}

static void find_role(struct discovery *d)
{
	struct timeval at;
	int error = d->alone ? -EPERM : take_share(d);

	if (error == -EADDRINUSE && d->tries < RETRY_MAX) {
		d->tries++; /* until it is welcomed: this may be one that is just ending */
		error = take_link(d);
		if (!error)
			return;
		/* Or one that has just ended, and the next is about to take the share. */
		if (error != -EPERM && d->announcing) {
			d->poll->timeout_update(d->again, loop_after(&at, RETRY_MS));
			return;
		}
	}
	error = speak(d);
	if (error < 0)
		say(d, strerror(-error));
}

static void on_again(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	find_role(user);
}

/* ---- the interface ---- */

int discovery_start(const AvahiPoll *poll, const struct txt *txt,
		    const struct discovery_events *events, void *user, struct discovery **discovery)
{
	static const struct discovery_events known_events = { .found = on_found, .lost = on_lost };
	struct discovery *d = calloc(1, sizeof(*d));
	int error = -ENOMEM;

	if (!d)
		return error;
	d->poll = poll;
	d->events = *events;
	d->user = user;
	d->announcing = txt != NULL;
	if (txt)
		d->own.txt = *txt;
	d->again = poll->timeout_new(poll, NULL, on_again, d);
	if (!d->again)
		goto out;
	error = known_new(&known_events, d, &d->known);
	if (error < 0)
		goto out;
	find_role(d);
	*discovery = d;
	return 0;
out:
	discovery_stop(d);
	return error;
}

int discovery_update(struct discovery *d, const struct txt *txt)
{
	struct message message = { .kind = txt ? MESSAGE_ANNOUNCE : MESSAGE_WITHDRAW };

	if (d->network && d->announcing && (!txt || !mac_equal(&txt->mac, &d->own.txt.mac)))
		withdraw(d, &d->own);
	d->announcing = txt != NULL;
	if (txt)
		d->own.txt = message.txt = *txt;
	if (d->link)
		link_send(d->link, &message);
	if (d->network && txt)
		announce(d, &d->own, txt);
	return 0;
}

void discovery_stop(struct discovery *d)
{
	if (!d)
		return;
	/* First the goodbye, then the share: who takes it has the last word. */
	network_stop(d->network);
	share_close(d->share);
	link_close(d->link);
	known_free(d->known);
	if (d->again)
		d->poll->timeout_free(d->again);
	free(d);
}
