/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * repair.c: see repair.h.
 *
 * What the helper mends changes links again: they are looked at after each of its runs, so that its
 * own changes are no news and no repair brings about the next one.
 */
#include "repair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "device.h"
#include "loop.h"
#include "interfaces.h"

#define FIRST_MS  50 /* after a change; then 4 times as long after each failure */
#define TRIES_MAX 6  /* 50 ms, 0.2, 0.8, 3.2, 12.8, 51.2 s: after that it stays as it is */
#define HUB	  "bthub"

/*
 * The interfaces that the way to the LAN is made of; and all of them while there is no such way,
 * as any may become it.
 */
struct links {
	struct interface_look tap;
	struct interface_look uplink;
	struct interface_look hub;
	uint64_t all;
};

struct repair {
	const AvahiPoll *poll;
	struct bt_device *device;
	void (*changed)(void *user);
	void *user;
	AvahiTimeout *timeout;
	unsigned int tries;
	struct links links;
};

static struct links look_at_links(struct bt_device *d)
{
	bool bridged = attach_is_bridged((enum attach)atomic_load(&d->attach));
	char tap[IFNAME_SIZE], uplink[IFNAME_SIZE];

	pthread_mutex_lock(&d->lock);
	memcpy(tap, d->said.tap, sizeof(tap));
	memcpy(uplink, d->said.uplink, sizeof(uplink));
	pthread_mutex_unlock(&d->lock);
	return (struct links){ interfaces_look(tap), interfaces_look(uplink), interfaces_look(HUB),
			       bridged ? 0 : interfaces_signature() };
}

static bool looks_equal(const struct interface_look *a, const struct interface_look *b)
{
	return a->index == b->index && a->up == b->up && a->running == b->running &&
	       mac_equal(&a->mac, &b->mac);
}

static bool links_equal(const struct links *a, const struct links *b)
{
	return looks_equal(&a->tap, &b->tap) && looks_equal(&a->uplink, &b->uplink) &&
	       looks_equal(&a->hub, &b->hub) && a->all == b->all;
}

/* Asks for another TAP. False: a reason that was not told yet is told. */
static bool renew(struct bt_device *d)
{
	char before[sizeof(d->said.reason)];
	bool same;

	pthread_mutex_lock(&d->lock);
	memcpy(before, d->said.reason, sizeof(before));
	pthread_mutex_unlock(&d->lock);
	if (attachment_renew(d))
		return true;
	pthread_mutex_lock(&d->lock);
	same = strcmp(before, d->said.reason) == 0;
	pthread_mutex_unlock(&d->lock);
	if (!same)
		attachment_say(d);
	return false;
}

static void on_timeout(AvahiTimeout *timeout, void *user)
{
	struct repair *r = user;
	struct bt_device *d = r->device;

	loop_set_timeout(r->poll, timeout, -1);
	if (atomic_load(&d->tap_alive)) {
		bool changed = attachment_repair(d);

		r->links = look_at_links(d);
		if (changed)
			r->changed(r->user);
	} else if (renew(d)) {
		r->links = look_at_links(d);
		r->changed(r->user);
	} else if (++r->tries < TRIES_MAX) {
		loop_set_timeout(r->poll, r->timeout, FIRST_MS << 2 * r->tries);
	}
}

int repair_start(const AvahiPoll *poll, struct bt_device *device, void (*changed)(void *user),
		 void *user, struct repair **repair)
{
	struct repair *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct repair){ .poll = poll, .device = device, .changed = changed, .user = user };
	r->timeout = poll->timeout_new(poll, NULL, on_timeout, r);
	if (!r->timeout) {
		free(r);
		return -ENOMEM;
	}
	r->links = look_at_links(device);
	*repair = r;
	return 0;
}

void repair_stop(struct repair *repair)
{
	if (!repair)
		return;
	repair->poll->timeout_free(repair->timeout);
	free(repair);
}

void repair_tap_lost(struct repair *repair)
{
	struct bt_device *d;

	if (!repair)
		return;
	d = repair->device;
	pthread_mutex_lock(&d->lock);
	snprintf(d->said.reason, sizeof(d->said.reason),
		 "the TAP %s has gone; it is asked for again", d->said.tap);
	d->said.tap[0] = d->said.uplink[0] = '\0';
	pthread_mutex_unlock(&d->lock);
	repair->changed(repair->user);
	repair->tries = 0;
	loop_set_timeout(repair->poll, repair->timeout, FIRST_MS);
}

void repair_links_changed(struct repair *repair)
{
	struct bt_device *d;
	struct links now;

	if (!repair || !atomic_load(&repair->device->tap_alive))
		return;
	d = repair->device;
	now = look_at_links(d);
	if (!now.tap.index)
		device_tap_lost(d); /* nobody may be reading from it just now */
	else if (!links_equal(&now, &repair->links))
		loop_set_timeout(repair->poll, repair->timeout, FIRST_MS);
	repair->links = now;
}
