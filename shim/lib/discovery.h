/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery.h: who else is on the network, by multicast DNS: announces one emulator and tells
 * of the others. Whether avahi-daemon does the work, or a stack of our own, or another instance
 * of this user's, does not show here but in a line of text.
 *
 * Belongs to the thread of the loop: all functions are called there, all callbacks come from
 * there, and none but state() comes from within discovery_start() and discovery_update().
 * What is told is only as trustworthy as the network; it has been checked for form.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_H
#define BASILISK_TAP_SHIM_DISCOVERY_H

#include <netinet/in.h>

#include <avahi-common/watch.h>

#include "txt.h"

struct discovery;

#define DISCOVERY_LINE_SIZE 320 /* of a line for people, with the final NUL */

/* Pointers are valid during the call only. A callback may be NULL; none may stop the discovery. */
struct discovery_events {
	/*
	 * The guest txt->mac can be reached at @address (IPv6, or IPv4 mapped into it; the scope
	 * set where it is link-local; the port set). Once for each address, and again for each of
	 * them when what @txt says has changed. Never for our own MAC.
	 */
	void (*found)(void *user, const struct txt *txt, const struct sockaddr_in6 *address);

	/* No announcement of @mac is left. It may have crashed, quit, or just be restarting. */
	void (*lost)(void *user, const struct mac *mac);

	/* How discovery is done now, or why it is not: one line for people, without its end. */
	void (*state)(void *user, const char *line);
};

/*
 * Starts looking, and announcing @announce (copied) unless it is NULL, on the loop behind @poll,
 * which must outlive it. @events is copied. 0 and *@discovery, owned by the caller; or a negative
 * errno. A network that is not there yet is no error: it is waited for.
 */
int discovery_start(const AvahiPoll *poll, const struct txt *announce,
		    const struct discovery_events *events, void *user,
		    struct discovery **discovery);

/* Announces @announce instead (or, with NULL, nothing). 0 or a negative errno. */
int discovery_update(struct discovery *discovery, const struct txt *announce);

/* Says goodbye on the network and frees all; calls nothing back. NULL is nothing. */
void discovery_stop(struct discovery *discovery);

#endif
