/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery.c: see discovery.h.
 */
#include "discovery.h"

#include <errno.h>
#include <stdlib.h>

#include "discovery_network.h"

struct discovery {
	struct discovery_events events;
	void *user;
	struct network *network;
	struct publication own;
	bool announcing;
};

static bool is_own(const struct discovery *d, const struct mac *mac)
{
	return d->announcing && mac_equal(&d->own.txt.mac, mac);
}

static void on_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	struct discovery *d = user;

	if (!is_own(d, &txt->mac) && d->events.found)
		d->events.found(d->user, txt, address);
}

static void on_lost(void *user, const struct mac *mac)
{
	struct discovery *d = user;

	if (!is_own(d, mac) && d->events.lost)
		d->events.lost(d->user, mac);
}

static void on_state(void *user, const char *line)
{
	struct discovery *d = user;

	if (d->events.state)
		d->events.state(d->user, line);
}

int discovery_start(const AvahiPoll *poll, const struct txt *announce,
		    const struct discovery_events *events, void *user, struct discovery **discovery)
{
	static const struct discovery_events network_events = {
		.found = on_found,
		.lost = on_lost,
		.state = on_state,
	};
	struct discovery *d = calloc(1, sizeof(*d));
	char host[RECORD_HOST_SIZE];
	int error;

	if (!d)
		return -ENOMEM;
	d->events = *events;
	d->user = user;
	error = network_start(poll, announce ? records_host(&announce->mac, host) : NULL,
			      &network_events, d, &d->network);
	if (error < 0)
		goto out;
	error = discovery_update(d, announce);
	if (error < 0)
		goto out;
	*discovery = d;
	return 0;
out:
	discovery_stop(d);
	return error;
}

int discovery_update(struct discovery *d, const struct txt *announce)
{
	if (d->announcing && (!announce || !mac_equal(&announce->mac, &d->own.txt.mac))) {
		network_withdraw(d->network, &d->own);
		d->announcing = false;
	}
	if (announce) {
		d->own.txt = *announce;
		d->announcing = true;
		network_publish(d->network, &d->own);
	}
	return 0;
}

void discovery_stop(struct discovery *d)
{
	if (!d)
		return;
	network_stop(d->network);
	free(d);
}
