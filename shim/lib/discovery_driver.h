/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_driver.h: what it takes to speak multicast DNS: to ask for records, and to publish
 * ours. There are two drivers: discovery_client.c has avahi-daemon do it, discovery_core.c does it
 * in this process. Neither knows what the records mean.
 *
 * A driver comes up and goes down by itself; while it is down it holds no handles: what was
 * asked and published before is to be asked and published again once it is up. All calls but
 * start() and stop() are allowed only while it is up. It calls back from the loop, but for
 * collision() never from within a call of ours.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_DRIVER_H
#define BASILISK_TAP_SHIM_DISCOVERY_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <avahi-common/watch.h>

#include "discovery_counts.h"
#include "discovery_question.h"
#include "txt.h"

/* One guest announced. Owned by whoever publishes it, and in place until it is withdrawn. */
struct publication {
	struct publication *next;
	struct txt txt;
	void *handle;  /* the driver's; NULL: not published */
	void *driver;  /* likewise: whose handle it is */
	bool collided; /* the network: is to be withdrawn and published anew */
};

struct driver_events {
	/* Ready, or ready under another host name: publish all (again). */
	void (*up)(void *user);

	/* Not ready any more, for which @why is one line: all handles are void. */
	void (*down)(void *user, const char *why);

	/* There is no avahi-daemon at present, or no way to ask for it. The client driver's only.
	 */
	void (*absent)(void *user, const char *why);

	/* Someone else has these names, or the network failed: withdraw, and publish later. */
	void (*collision)(void *user, struct publication *publication);

	/* @data answers @question on that interface, or no longer does. */
	void (*record)(void *user, struct question *question, bool present,
		       const struct sighting *sighting);
};

struct driver_ops {
	/* Sets question->handle. 0, or a negative errno: ask again later. */
	int (*ask)(void *driver, struct question *question);

	/* question->handle, which is set, becomes NULL. */
	void (*forget)(void *driver, struct question *question);

	/* Publishes, or changes what is published. 0 or a negative errno: handle is then NULL. */
	int (*publish)(void *driver, struct publication *publication);

	/* Says goodbye; publication->handle, which is set, becomes NULL. */
	void (*withdraw)(void *driver, struct publication *publication);

	/* Frees the driver; says goodbye for all that is published. Calls nothing back. */
	void (*stop)(void *driver);
};

struct driver {
	const struct driver_ops *ops;
	void *self;
};

/* Both: 0 and *@driver, or a negative errno. @events must outlive the driver. */

/*
 * avahi-daemon. -ENOENT without a system bus, -ELIBACC without libavahi-client; later it waits for
 * daemon and bus to come back, whatever happens.
 */
int discovery_client_start(const AvahiPoll *poll, const struct driver_events *events, void *user,
			   struct driver *driver);

/*
 * A stack of our own. @host is its host name, as text; NULL: nothing will be published. @counts is
 * added to, and must outlive the driver. Once started it is up within one turn of the loop, and
 * stays up.
 */
int discovery_core_start(const AvahiPoll *poll, const char *host, struct discovery_counts *counts,
			 const struct driver_events *events, void *user, struct driver *driver);

#endif
