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

#include "discovery.h"
#include "discovery_driver.h"

struct network;

/*
 * Starts. @host is a host name, as text, that is ours alone; NULL where nothing will be published.
 * 0 and *@network, owned by the caller; or a negative errno. All guests are told, those that we
 * publish ourselves too, if the network says them.
 */
int network_start(const AvahiPoll *poll, const char *host, const struct discovery_events *events,
		  void *user, struct network **network);

/*
 * Publishes publication->txt, now and whenever there is a driver. Called again, with the text
 * changed, it changes what is published. @publication is the caller's and stays in place.
 */
void network_publish(struct network *network, struct publication *publication);

/* Takes it back, with a goodbye. */
void network_withdraw(struct network *network, struct publication *publication);

/* Tells @events what is known. */
void network_replay(const struct network *network, const struct discovery_events *events,
		    void *user);

bool network_knows(const struct network *network, const struct mac *mac);

/* Says goodbye for what is still published, tells nothing. NULL is nothing. */
void network_stop(struct network *network);

#endif
