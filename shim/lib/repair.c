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
#include "filter_news.h"
#include "interface_look.h"
#include "interfaces.h"
#include "loop.h"

#define FIRST_MS  50 /* after a change; then 4 times as long after each failure */
#define TRIES_MAX 6  /* 50 ms, 0.2, 0.8, 3.2, 12.8, 51.2 s: after that it stays as it is */
#define HUB	  "bthub"
#define LAN	  "btlan"

/*
 * The interfaces that the way to the LAN is made of; and all of them while there is no such way,
 * as any may become it.
 */
struct links {
	struct interface_look tap;
	struct interface_look uplink;
	struct interface_look hub;
	struct interface_look lan;
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
	struct filter_news *filters;
};

/* 0 and *@links; or a negative errno and nothing. */
static int look_at_links(struct bt_device *d, struct links *links)
{
	bool bridged = attach_is_bridged((enum attach)atomic_load(&d->attach));
	char tap[IFNAME_SIZE], uplink[IFNAME_SIZE];
	struct links now;
	int err;

	pthread_mutex_lock(&d->lock);
	memcpy(tap, d->said.tap, sizeof(tap));
	memcpy(uplink, d->said.uplink, sizeof(uplink));
	pthread_mutex_unlock(&d->lock);
	now.all = bridged ? 0 : interfaces_signature();
	err = interface_look(tap, &now.tap);
	if (!err)
		err = interface_look(uplink, &now.uplink);
	if (!err)
		err = interface_look(HUB, &now.hub);
	if (!err)
		err = interface_look(LAN, &now.lan);
	if (!err)
		*links = now;
	return err;
}

static bool looks_equal(const struct interface_look *a, const struct interface_look *b)
{
	return a->index == b->index && a->master == b->master && a->up == b->up &&
	       a->running == b->running && a->all_multicast == b->all_multicast &&
	       mac_equal(&a->mac, &b->mac);
}

static bool links_equal(const struct links *a, const struct links *b)
{
	return looks_equal(&a->tap, &b->tap) && looks_equal(&a->uplink, &b->uplink) &&
	       looks_equal(&a->hub, &b->hub) && looks_equal(&a->lan, &b->lan) && a->all == b->all;
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

		look_at_links(d, &r->links);
		if (changed)
			r->changed(r->user);
	} else if (renew(d)) {
		look_at_links(d, &r->links);
		r->changed(r->user);
	} else if (++r->tries < TRIES_MAX) {
		loop_set_timeout(r->poll, r->timeout, FIRST_MS << 2 * r->tries);
	}
}

/*
 * True if this guest's way may have lost filters. On bthub each TAP has some, with its own index as
 * their handle where all others' is 1, and the next run of the helper deletes those of a TAP that
 * has gone.
 */
static bool are_ours(const struct links *links, int index, uint32_t handle)
{
	if (index == links->hub.index && handle > 1 && handle != (uint32_t)links->tap.index)
		return false;
	return !index || index == links->tap.index || index == links->uplink.index ||
	       index == links->hub.index || index == links->lan.index;
}

static void on_filters_deleted(void *user, int index, uint32_t handle)
{
	struct repair *r = user;

	if (atomic_load(&r->device->tap_alive) && are_ours(&r->links, index, handle))
		loop_set_timeout(r->poll, r->timeout, FIRST_MS);
}

int repair_start(const AvahiPoll *poll, struct bt_device *device, void (*changed)(void *user),
		 void *user, struct repair **repair)
{
	struct repair *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		return -ENOMEM;
	*r = (struct repair){ .poll = poll, .device = device, .changed = changed, .user = user };
	r->timeout = poll->timeout_new(poll, NULL, on_timeout, r);
	if (r->timeout)
		err = filter_news_start(poll, on_filters_deleted, r, &r->filters);
	if (err) {
		repair_stop(r);
		return err;
	}
	look_at_links(device, &r->links);
	*repair = r;
	return 0;
}

void repair_stop(struct repair *repair)
{
	if (!repair)
		return;
	filter_news_stop(repair->filters);
	if (repair->timeout)
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
	if (look_at_links(d, &now)) {
		/* the helper will see */
		loop_set_timeout(repair->poll, repair->timeout, FIRST_MS);
		return;
	}
	if (!now.tap.index)
		device_tap_lost(d); /* nobody may be reading from it just now */
	else if (!links_equal(&now, &repair->links))
		loop_set_timeout(repair->poll, repair->timeout, FIRST_MS);
	repair->links = now;
}
