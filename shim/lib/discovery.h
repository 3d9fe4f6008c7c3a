/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery.h: who else is on the network, by multicast DNS: announces one emulator and tells
 * of the others. Whether avahi-daemon does the work, or a stack of our own, or another instance
 * of this user's, does not show here but in a line of text.
 *
 * Belongs to the thread of the loop: all functions are called there, all callbacks come from
 * there, and none from within a function of ours. None waits, whatever avahi-daemon does: that is
 * done by a thread of its own.
 * What is told is only as trustworthy as the network; it has been checked for form.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_H
#define BASILISK_TAP_SHIM_DISCOVERY_H

#include <netinet/in.h>

#include <avahi-common/watch.h>

#include "discovery_counts.h"
#include "txt.h"

struct discovery;

#define DISCOVERY_STOP_MS   300
#define DISCOVERY_LINE_SIZE 256 /* of a line for people, with the final NUL */

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
 * Starts looking, and announcing @txt (copied) unless it is NULL, on the loop behind @poll,
 * which must outlive it. @events is copied. 0 and *@discovery, owned by the caller; or a negative
 * errno. A network that is not there yet is no error: it is waited for.
 */
int discovery_start(const AvahiPoll *poll, const struct txt *txt,
		    const struct discovery_events *events, void *user,
		    struct discovery **discovery);

/* Announces @txt instead (or, with NULL, nothing). 0; -EAGAIN: far too often. */
int discovery_update(struct discovery *discovery, const struct txt *txt);

/* What was not taken in so far. Valid until discovery_stop(). */
const struct discovery_counts *discovery_counts(const struct discovery *discovery);

/* Begins to say goodbye on the network: discovery_stop() has less to wait for. NULL is nothing. */
void discovery_quit(struct discovery *discovery);

/*
 * Says goodbye on the network and frees all; calls nothing back. Waits for some DISCOVERY_STOP_MS
 * at most; then the goodbye is left to its thread, which ends by itself. NULL is nothing.
 */
void discovery_stop(struct discovery *discovery);

/*
 * For a child after fork(): closes its copies of all that the thread watches, Avahi's connections
 * among them. NULL is nothing.
 */
void discovery_close_in_child(struct discovery *discovery);

#endif
