/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_share.h: the sockets between the instances of one user on one host: one instance has
 * the share, all others a link to it. They speak discovery_message.h.
 *
 * The name is an abstract one: it belongs to whoever holds it open, for one network namespace, and
 * ends with the process however that dies. So holding it is also what decides who speaks
 * multicast DNS, without a lock, and without a file that is left over. Anybody on the host could
 * take the name, or connect: both sides ask the kernel who the other is, and take nobody but
 * the same user.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_SHARE_H
#define BASILISK_TAP_SHIM_DISCOVERY_SHARE_H

#include <avahi-common/watch.h>

#include "discovery_driver.h"
#include "discovery_message.h"

#define SHARE_PULSE_MS	 20000 /* the share says so often that it is there */
#define SHARE_SILENT_MS	 30000 /* without a word for so long it is not */
#define SHARE_WELCOME_MS 1000  /* without a first word for so long it is not either */

struct share;

/* Someone with a link to us: the share's, from joined() until left(). */
struct share_client {
	struct share_client *next;
	struct share *share;
	int fd;
	AvahiWatch *watch;
	struct queued *queue;		/* what its socket did not take yet */
	size_t queue_len;		/* bytes of it */
	struct publication publication; /* for the share's user: what it announces */
	bool announced;			/* likewise: it does */
};

struct share_events {
	void (*joined)(void *user, struct share_client *client);
	void (*message)(void *user, struct share_client *client, const struct message *message);
	void (*left)(void *user, struct share_client *client); /* freed after this */
};

/*
 * Takes the share. 0 and *@share, owned by the caller; -EADDRINUSE: another instance, or another
 * user, has it; or another negative errno. @events must outlive it.
 */
int share_open(const AvahiPoll *poll, const struct share_events *events, void *user,
	       struct share **share);

/* To one; what its socket does not take is kept, and if that grows beyond bounds, it is cut off. */
void share_send(struct share_client *client, const struct message *message);

/* To all. */
void share_send_all(struct share *share, const struct message *message);

/* The first client, or NULL; share_client.next leads on. @share may be NULL. */
struct share_client *share_clients(const struct share *share);

/* Cuts everyone off, without left(). NULL is nothing. */
void share_close(struct share *share);

struct link;

struct link_events {
	void (*message)(void *user, const struct message *message);

	/*
	 * It ended, and is to be closed. @silent: the other side is there, but has been stopped,
	 * which is seen within SHARE_SILENT_MS.
	 */
	void (*down)(void *user, bool silent);
};

/*
 * Links to the share. 0 and *@link, owned by the caller; -ECONNREFUSED: nobody has it; -EPERM:
 * another user has; or another negative errno. @events must outlive it.
 */
int link_open(const AvahiPoll *poll, const struct link_events *events, void *user,
	      struct link **link);

/* Lost where the other side does not read: it has been stopped. */
void link_send(struct link *link, const struct message *message);

void link_close(struct link *link);

#endif
