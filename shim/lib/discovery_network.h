/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_network.h: discovery on the network: which driver speaks multicast DNS, what is
 * published by it, and who is found by it.
 *
 * avahi-daemon where it answers, a stack of our own where there is none. A daemon that was there
 * once and goes is waited for, a minute long: it is most likely being restarted, and would find
 * its port taken by us. One that appears later is used from then on. Meanwhile nobody who was
 * known is lost.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_NETWORK_H
#define BASILISK_TAP_SHIM_DISCOVERY_NETWORK_H

#include "discovery_driver.h"

struct network;

struct network_events {
	/* As directory_events.guest(): the guest is at these addresses now; with none, nowhere. */
	void (*guest)(void *user, const struct txt *txt, const struct sockaddr_in6 *addresses,
		      size_t n);

	/* Nobody can say who is there, until settle(): those told before may still be. */
	void (*hold)(void *user);

	/* Who is there has been told. */
	void (*settle)(void *user);

	/* As discovery_events.state(). */
	void (*state)(void *user, const char *line);
};

/*
 * Starts. @host is a host name, as text, that is ours alone; NULL where nothing will be published.
 * 0 and *@network, owned by the caller; or a negative errno. @events and @counts, which is added
 * to, must outlive it. Guests that it publishes are not told.
 */
int network_start(const AvahiPoll *poll, const char *host, struct discovery_counts *counts,
		  const struct network_events *events, void *user, struct network **network);

/*
 * Publishes publication->txt, now and whenever there is a driver. Called again, with the text
 * changed, it changes what is published; the MAC stays. @publication is the caller's and stays in
 * place.
 */
void network_publish(struct network *network, struct publication *publication);

/* Takes it back, with a goodbye. */
void network_withdraw(struct network *network, struct publication *publication);

/* Says goodbye for what is still published, tells nothing. NULL is nothing. */
void network_stop(struct network *network);

#endif
