/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_role.c: see discovery_role.h.
 *
 * One instance for each user, host and network namespace has the share (discovery_share.h): it
 * speaks multicast DNS, for itself and for all who are linked to it. When it ends, one of them
 * takes the share; until that one knows the network, nobody who was known is lost. Who cannot
 * have the share nor a link speaks for itself alone. Who only looks never takes the share.
 *
 * Instances that share are told of each other at once, at the loopback's address, whatever the
 * network is like.
 */
#include "discovery_role.h"

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

struct role {
	const AvahiPoll *poll;
	struct discovery_events events;
	void *user;
	struct discovery_counts *counts;
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

static bool is_own(const struct role *r, const struct mac *mac)
{
	return r->announcing && mac_equal(&r->own.txt.mac, mac);
}

static void send_all(struct role *r, const struct message *message)
{
	if (r->share)
		share_send_all(r->share, message);
}

/* ---- what is known, to our user and to those who are linked ---- */

static void on_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	const struct message found = { .kind = MESSAGE_FOUND, .txt = *txt, .address = *address };
	struct role *r = user;

	send_all(r, &found);
	if (!is_own(r, &txt->mac) && r->events.found)
		r->events.found(r->user, txt, address);
}

static void on_lost(void *user, const struct mac *mac)
{
	const struct message lost = { .kind = MESSAGE_LOST, .mac = *mac };
	struct role *r = user;

	send_all(r, &lost);
	if (!is_own(r, mac) && r->events.lost)
		r->events.lost(r->user, mac);
}

static void say(struct role *r, const char *line)
{
	struct message state = { .kind = MESSAGE_STATE };

	if (strncmp(r->line, line, sizeof(r->line) - 1) == 0)
		return;
	snprintf(r->line, sizeof(r->line), "%s", line);
	memcpy(state.line, r->line, sizeof(state.line) - 1);
	send_all(r, &state);
	if (r->events.state)
		r->events.state(r->user, r->line);
}

/* ---- the instances of this host that we speak for: ourselves, and those linked to us ---- */

/* Every instance of this host is reached at the loopback's address. */
static void tell_local(struct role *r, const struct txt *txt)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(txt->port) };

	address.sin6_addr.s6_addr[10] = 0xff;
	address.sin6_addr.s6_addr[11] = 0xff;
	address.sin6_addr.s6_addr[12] = 127;
	address.sin6_addr.s6_addr[15] = 1;
	known_set(r->known, txt, &address, 1);
}

static bool is_local(const struct role *r, const struct mac *mac)
{
	for (const struct share_client *c = share_clients(r->share); c; c = c->next) {
		if (c->announced && mac_equal(&c->publication.txt.mac, mac))
			return true;
	}
	return is_own(r, mac);
}

static void tell_locals(struct role *r)
{
	if (r->announcing)
		tell_local(r, &r->own.txt);
	for (const struct share_client *c = share_clients(r->share); c; c = c->next) {
		if (c->announced)
			tell_local(r, &c->publication.txt);
	}
}

static void announce(struct role *r, struct publication *publication, const struct txt *txt)
{
	publication->txt = *txt;
	tell_local(r, txt);
	network_publish(r->network, publication);
}

static void withdraw(struct role *r, struct publication *publication)
{
	network_withdraw(r->network, publication);
	known_remove(r->known, &publication->txt.mac);
}

/* ---- the network, where we speak ---- */

static void on_guest(void *user, const struct txt *txt, const struct sockaddr_in6 *addresses,
		     size_t n)
{
	struct role *r = user;

	/* Of those that we announce, only an echo of what was before comes from the network. */
	if (!is_local(r, &txt->mac))
		known_set(r->known, txt, addresses, n);
}

static void on_hold(void *user)
{
	struct role *r = user;

	r->settled = false;
	known_hold(r->known);
	tell_locals(r);
}

static void on_settle(void *user)
{
	const struct message settled = { .kind = MESSAGE_SETTLED };
	struct role *r = user;

	r->settled = true;
	known_settle(r->known);
	send_all(r, &settled);
}

static void on_state(void *user, const char *line)
{
	say(user, line);
}

static int speak(struct role *r)
{
	static const struct network_events events = {
		.guest = on_guest,
		.hold = on_hold,
		.settle = on_settle,
		.state = on_state,
	};
	char host[RECORD_HOST_SIZE];
	int error = network_start(r->poll,
				  r->announcing ? records_host(&r->own.txt.mac, host) : NULL,
				  r->counts, &events, r, &r->network);

	if (!error && r->announcing)
		announce(r, &r->own, &r->own.txt);
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
	struct role *r = user;

	memcpy(state.line, r->line, sizeof(state.line) - 1);
	share_send(client, &state);
	known_replay(r->known, &replay, client);
	if (r->settled)
		share_send(client, &settled);
}

static void on_left(void *user, struct share_client *client)
{
	struct role *r = user;

	if (client->announced)
		withdraw(r, &client->publication);
	client->announced = false;
}

static void on_request(void *user, struct share_client *client, const struct message *message)
{
	struct role *r = user;

	if (message->kind != MESSAGE_ANNOUNCE ||
	    !mac_equal(&message->txt.mac, &client->publication.txt.mac))
		on_left(r, client);
	if (message->kind != MESSAGE_ANNOUNCE)
		return;
	client->announced = true;
	announce(r, &client->publication, &message->txt);
}

/* ---- the link: who speaks for us ---- */

static void find_role(struct role *r);

static void on_answer(void *user, const struct message *message)
{
	struct role *r = user;
	char line[DISCOVERY_LINE_SIZE];

	switch (message->kind) {
	case MESSAGE_WELCOME:
		r->tries = 0;
		known_hold(r->known);
		break;
	case MESSAGE_FOUND:
		known_add(r->known, &message->txt, &message->address);
		break;
	case MESSAGE_LOST:
		known_remove(r->known, &message->mac);
		break;
	case MESSAGE_STATE:
		snprintf(line, sizeof(line), "%.*s, by another emulator of this user",
			 DISCOVERY_LINE_SIZE - 48, message->line);
		if (*message->line)
			say(r, line);
		break;
	case MESSAGE_SETTLED:
		known_settle(r->known);
		break;
	default:
		break;
	}
}

static void on_down(void *user, bool silent)
{
	struct role *r = user;

	link_close(r->link);
	r->link = NULL;
	known_hold(r->known);
	r->alone = silent; /* it keeps the share, so nobody else can take it */
	find_role(r);
}

/* ---- which of it we are ---- */

static int take_share(struct role *r)
{
	static const struct share_events events = {
		.joined = on_joined,
		.message = on_request,
		.left = on_left,
	};

	return r->announcing ? share_open(r->poll, &events, r, &r->share) : -EADDRINUSE;
}

static int take_link(struct role *r)
{
	static const struct link_events events = { .message = on_answer, .down = on_down };
	const struct message own = { .kind = MESSAGE_ANNOUNCE, .txt = r->own.txt };
	int error = link_open(r->poll, &events, r, &r->link);

	if (!error && r->announcing)
		link_send(r->link, &own);
	return error;
}

static void find_role(struct role *r)
{
	int error = r->alone ? -EPERM : take_share(r);

	if (error == -EADDRINUSE && r->tries < RETRY_MAX) {
		r->tries++; /* until it is welcomed: this may be one that is just ending */
		error = take_link(r);
		if (!error)
			return;
		/* Or one that has just ended, and the next is about to take the share. */
		if (error != -EPERM && r->announcing) {
			loop_set_timeout(r->poll, r->again, RETRY_MS);
			return;
		}
	}
	error = speak(r);
	if (error < 0)
		say(r, strerrordesc_np(-error));
}

static void on_again(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	find_role(user);
}

/* ---- the interface ---- */

int role_start(const AvahiPoll *poll, const struct txt *txt, struct discovery_counts *counts,
	       const struct discovery_events *events, void *user, struct role **role)
{
	static const struct discovery_events known_events = { .found = on_found, .lost = on_lost };
	struct role *r = calloc(1, sizeof(*r));
	int error = -ENOMEM;

	if (!r)
		return error;
	r->poll = poll;
	r->events = *events;
	r->user = user;
	r->counts = counts;
	r->announcing = txt != NULL;
	if (txt)
		r->own.txt = *txt;
	r->again = poll->timeout_new(poll, NULL, on_again, r);
	if (!r->again)
		goto out;
	error = known_new(&known_events, r, &r->known);
	if (error < 0)
		goto out;
	find_role(r);
	*role = r;
	return 0;
out:
	role_stop(r);
	return error;
}

void role_update(struct role *r, const struct txt *txt)
{
	struct message message = { .kind = txt ? MESSAGE_ANNOUNCE : MESSAGE_WITHDRAW };

	if (r->network && r->announcing && (!txt || !mac_equal(&txt->mac, &r->own.txt.mac)))
		withdraw(r, &r->own);
	r->announcing = txt != NULL;
	if (txt)
		r->own.txt = message.txt = *txt;
	if (r->link)
		link_send(r->link, &message);
	if (r->network && txt)
		announce(r, &r->own, txt);
}

void role_stop(struct role *r)
{
	if (!r)
		return;
	/* First the goodbye, then the share: who takes it has the last word. */
	network_stop(r->network);
	share_close(r->share);
	link_close(r->link);
	known_free(r->known);
	if (r->again)
		r->poll->timeout_free(r->again);
	free(r);
}
