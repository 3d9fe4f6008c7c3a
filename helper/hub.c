/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hub.c: see hub.h. Relies on tc.h and link.h. Dead ends come first, ways afterwards, links up
 * last, so that a helper killed between any two steps leaves nothing that carries a frame where
 * it does not belong. No TAP is ever a bridge port.
 */
#include "hub.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "patch_port.h"
#include "tc.h"

#define ALIAS	   "basilisk-tap"
#define FIND_TRIES 10

/* btlan's preferences, and bthub's: GUEST and FAN_OUT have a handle for each TAP, its ifindex. */
enum {
	GUARD = 10,
	TURN = 11,
	HOST = 12,
	GROUP = 13,
	REST = 14,
	LAST = 99,
	GUEST = 10,
	FAN_OUT = 11
};

/* What bthub wears from its creation to its alias: a pair that was cut off there is still ours. */
static struct mac mark(uint32_t host)
{
	struct mac mac = mac_make(host, 0, 0);

	mac.byte[0] = 0xf2;
	return mac;
}

/* The number behind " @key=" in an alias of ours, or 0. */
static uint32_t noted(const char *alias, const char *key)
{
	const char *at = strstr(alias, key);
	uint32_t value = 0;

	at = at ? at + strlen(key) : "";
	number_parse(at, strcspn(at, " "), INT32_MAX, &value);
	return value;
}

int hub_note(struct nl *nl, struct hub *hub)
{
	char alias[LINK_ALIAS_SIZE];
	/*
	 * As it is now, not as it was found before there was a TAP: a release that has begun since
	 * gives way when its note has gone, and one that begins later sees the TAP.
	 */
	int err = link_find(nl, NULL, hub->index, &hub->near);

	snprintf(alias, sizeof(alias), ALIAS " host=%u attach=%d uplink=%d asked=%d releasing=%d",
		 hub->host, hub->attach, hub->uplink, hub->asked, hub->releasing);
	return err ? err : link_ensure(nl, &hub->near, &(struct link_change){ .alias = alias });
}

static void read_note(const struct link *near, uint32_t host, struct hub *hub)
{
	hub->index = near->index;
	hub->host = near->alias[0] ? noted(near->alias, " host=") : host;
	if (noted(near->alias, " attach=") < ATTACH_COUNT)
		hub->attach = noted(near->alias, " attach=");
	hub->uplink = (int)noted(near->alias, " uplink=");
	hub->asked = noted(near->alias, " asked=");
	hub->releasing = noted(near->alias, " releasing=");
}

bool hub_stands(struct nl *nl, const struct hub *hub)
{
	struct hub now = { 0 };

	if (link_find(nl, HUB_NAME, 0, &now.near))
		return false;
	read_note(&now.near, hub->host, &now);
	return now.index == hub->index && now.attach == hub->attach && now.uplink == hub->uplink &&
	       !now.releasing;
}

static bool is_ours(const struct link *link, const char *kind, const struct mac *marked)
{
	if (strcmp(link->kind, kind) != 0)
		return false;
	if (strncmp(link->alias, ALIAS " ", strlen(ALIAS " ")) == 0)
		return true;
	return !link->alias[0] && !(link->flags & IFF_UP) && mac_equal(&link->mac, marked);
}

/*
 * The pair comes and goes as one, but is asked for end by end: halves that do not fit mean that it
 * changed in between. 0, -ENODEV, -EXDEV where they never fit, or another negative errno.
 */
static int find_pair(struct nl *nl, struct link *near, struct link *far)
{
	for (int tries = 0; tries < FIND_TRIES; tries++) {
		int err = link_find(nl, HUB_NAME, 0, near);
		int err2 = link_find(nl, HUB_LAN_NAME, 0, far);

		if (err == err2 && (err || near->peer == far->index))
			return err;
		if (err && err != -ENODEV)
			return err;
		if (err2 && err2 != -ENODEV)
			return err2;
	}
	return -EXDEV;
}

static int collect_done(const struct tc_place *place, void *user)
{
	*(unsigned int *)user |= place->preference & HUB_DID_ALL;
	return 0;
}

static struct tc_place memory(const struct hub *hub, unsigned int did)
{
	return (struct tc_place){ hub->index, TC_EGRESS, (uint16_t)did, 1 };
}

int hub_remember(struct nl *nl, struct hub *hub, unsigned int did)
{
	hub->done |= did;
	return tc_ensure(nl, memory(hub, did), PROGRAM_MARK, NULL, NULL);
}

static int forget_all(struct nl *nl, struct hub *hub)
{
	int err = 0;

	for (unsigned int did = 1; !err && did <= HUB_DID_ALL; did <<= 1)
		if (hub->done & did)
			err = tc_remove(nl, memory(hub, did));
	hub->done = 0;
	return err;
}

int hub_find(struct nl *nl, uint32_t host, struct hub *hub, struct outcome *outcome)
{
	const struct mac marked = mark(host);
	int err;

	memset(hub, 0, sizeof(*hub));
	err = find_pair(nl, &hub->near, &hub->far);
	if (err == -ENODEV)
		return 0;
	if (err == -EXDEV || (!err && !is_ours(&hub->near, "veth", &marked)))
		return outcome_set(outcome, OUTCOME_FOREIGN_DEVICE, "%s or %s is not ours",
				   HUB_NAME, HUB_LAN_NAME);
	if (outcome_set_errno(outcome, err, "looking for %s", HUB_NAME))
		return -1;
	read_note(&hub->near, host, hub);
	hub->lan = hub->far.index;
	err = tc_each(nl, hub->index, TC_EGRESS, collect_done, &hub->done);
	return outcome_set_errno(outcome, err, "reading %s", HUB_NAME);
}

/* btlan's filters for @plan; one that the plan has no use for is removed. */
static int build_switch(struct nl *nl, uint32_t host, const struct plan *plan, bool serve,
			const struct hub *hub)
{
	const struct tc_action end = { TC_END, 0, 0 };
	const struct tc_action copy_to_guests = { TC_MIRROR, hub->lan, TC_EGRESS };
	const struct tc_action to_guests[] = { { TC_REDIRECT, hub->lan, TC_EGRESS }, end };
	const struct tc_action to_host[] = { { TC_REDIRECT, hub->uplink, TC_INGRESS }, end };
	const struct tc_action to_lan[] = { { TC_REDIRECT, hub->uplink, TC_EGRESS }, end };
	const struct tc_action to_all[] = { copy_to_guests,
					    { TC_MIRROR, hub->uplink, TC_INGRESS },
					    to_lan[0],
					    end };
	const struct tc_action to_this_host[] = { copy_to_guests, to_host[0], end };
	const struct tc_action to_bridge[] = { { TC_MIRROR_IN, hub->lan, TC_EGRESS }, end };
	const bool patch = plan->attach == ATTACH_PATCH, none = plan->attach == ATTACH_NONE;
	const bool beside = patch || plan->attach == ATTACH_HOST, bridge = !beside && !none;
	const struct mac prefix = mac_make(host, 0, 0);
	const struct {
		bool wanted;
		enum tc_direction direction;
		uint16_t preference;
		enum program_name program;
		const struct mac *mac;
		const struct tc_action *actions;
	} filters[] = {
		{ true, TC_INGRESS, GUARD, serve ? PROGRAM_GUARD_SERVING : PROGRAM_GUARD, &prefix,
		  NULL },
		{ true, TC_INGRESS, TURN, PROGRAM_TO_GUEST, &prefix, to_guests },
		{ beside, TC_INGRESS, HOST, PROGRAM_DESTINATION, &plan->uplink.mac, to_host },
		{ true, TC_INGRESS, GROUP, PROGRAM_GROUP, NULL,
		  patch	 ? to_all :
		  beside ? to_this_host :
		  bridge ? to_bridge :
			   to_guests },
		{ patch || bridge, TC_INGRESS, REST, patch ? PROGRAM_ANY : PROGRAM_PASS, NULL,
		  patch ? to_lan : NULL },
		{ bridge, TC_EGRESS, GUARD, PROGRAM_BRIDGE_TO_GUESTS, NULL, NULL },
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(filters) / sizeof(filters[0]); i++) {
		const struct tc_place place = { hub->lan, filters[i].direction,
						filters[i].preference, 1 };

		err = filters[i].wanted ? tc_ensure(nl, place, filters[i].program, filters[i].mac,
						    filters[i].actions) :
					  tc_remove(nl, place);
	}
	return err;
}

/* One end of the pair: silent, and dropping whatever no filter takes. */
static int prepare_end(struct nl *nl, struct link *end, const struct mac *mac)
{
	const struct tc_place last = { end->index, TC_INGRESS, LAST, 1 };
	int err = link_ensure(nl, end,
			      &(struct link_change){ .mac = mac,
						     .flags = IFF_NOARP,
						     .mask = IFF_NOARP,
						     .quiet = true });

	if (!err)
		err = tc_stands(nl, last, PROGRAM_DROP, NULL, NULL);
	if (err) /* then clsact does too */
		return err < 0 ? err : 0;
	err = tc_has_clsact(nl, end->index);
	if (err == 0)
		err = tc_ensure_clsact(nl, end->index);
	return err < 0 ? err : tc_ensure(nl, last, PROGRAM_DROP, NULL, NULL);
}

static int link_up(struct nl *nl, struct link *link)
{
	return link_ensure(nl, link, &(struct link_change){ .flags = IFF_UP, .mask = IFF_UP });
}

static int build(struct nl *nl, uint32_t host, const struct plan *plan, bool serve, struct hub *hub)
{
	/* in a bridge, a port's low address would become the bridge's; as the far end of the NIC,
	 * btlan wears its address, so that the kernel takes what is sent to the host for its own */
	struct mac lan = mac_of_tap(mac_make(host, 0, 0));
	int err = 0;

	if (plan->attach == ATTACH_PATCH || plan->attach == ATTACH_HOST)
		lan = plan->uplink.mac;
	if (hub->attach != ATTACH_NO && (hub->attach != plan->attach ||
					 hub->uplink != plan->uplink.index || hub->host != host)) {
		err = patch_port_is_there(nl, hub);
		if (err > 0)
			err = patch_port_disconnect(nl, hub);
		if (!err)
			err = forget_all(nl, hub);
	}
	hub->attach = plan->attach;
	hub->host = host;
	hub->asked = plan->asked;
	hub->releasing = false;
	hub->uplink = plan->uplink.index;
	if (!err)
		err = prepare_end(nl, &hub->near, NULL);
	if (!err)
		err = prepare_end(nl, &hub->far, &lan);
	if (!err)
		err = build_switch(nl, host, plan, serve, hub);
	if (!err)
		err = hub_note(nl, hub);
	if (!err)
		err = link_up(nl, &hub->near);
	return err ? err : link_up(nl, &hub->far);
}

/* 'attach bridge': the spare card becomes a port of a bridge of ours, which *@bridge then is. */
static int ensure_bridge(struct nl *nl, uint32_t host, const struct link *card, struct link *bridge)
{
	const struct mac marked = mark(host);
	int err = link_find(nl, UPLINK_BRIDGE, 0, bridge);
	char alias[LINK_ALIAS_SIZE];

	if (err == -ENODEV) {
		err = link_create_bridge(nl, UPLINK_BRIDGE, &marked);
		if (!err || err == -EEXIST)
			err = link_find(nl, UPLINK_BRIDGE, 0, bridge);
	}
	if (err)
		return err;
	if (!is_ours(bridge, "bridge", &marked))
		return -EEXIST;
	/* noted before it is done, once: release lowers a card that was down */
	snprintf(alias, sizeof(alias), ALIAS " raised=%d", card->flags & IFF_UP ? 0 : card->index);
	err = link_ensure(
		nl, bridge,
		&(struct link_change){ .alias = bridge->alias[0] ? NULL : alias, .quiet = true });
	if (!err)
		err = link_set(nl, card->index,
			       &(struct link_change){ .move = true,
						      .master = bridge->index,
						      .flags = IFF_UP,
						      .mask = IFF_UP });
	return err ? err : link_up(nl, bridge);
}

/* Its ports become free with it. */
static int release_bridge(struct nl *nl, uint32_t host)
{
	const struct mac marked = mark(host);
	struct link bridge;
	int err = link_find(nl, UPLINK_BRIDGE, 0, &bridge);

	if (err || !is_ours(&bridge, "bridge", &marked))
		return err == -ENODEV ? 0 : err;
	if (noted(bridge.alias, " raised="))
		err = link_set(nl, (int)noted(bridge.alias, " raised="),
			       &(struct link_change){ .mask = IFF_UP });
	if (!err || err == -ENODEV)
		err = link_delete(nl, bridge.index);
	return err == -ENODEV ? 0 : err; /* another release was faster */
}

/* The pair, if it was made by a helper and nobody else has a use for it. */
static int ensure_pair(struct nl *nl, uint32_t host, struct hub *hub, struct outcome *outcome)
{
	const struct mac marked = mark(host);
	int err = hub->index ? -EEXIST : link_create_pair(nl, HUB_NAME, HUB_LAN_NAME, &marked);

	if (err && err != -EEXIST)
		return outcome_set(outcome, OUTCOME_SYSTEM, "making %s: %s%s", HUB_NAME,
				   strerror(-err),
				   err == -EOPNOTSUPP ? " (kernel module veth?)" : "");
	/* -EEXIST without our having seen it: another helper was faster, or somebody else */
	if (!hub->index && hub_find(nl, host, hub, outcome))
		return -1;
	err = !hub->index ? -ENODEV : link_has_address(nl, hub->index, hub->lan);
	if (err > 0)
		return outcome_set(outcome, OUTCOME_FOREIGN_DEVICE, "%s or %s has an address",
				   HUB_NAME, HUB_LAN_NAME);
	return outcome_set_errno(outcome, err, HUB_NAME);
}

int hub_ensure(struct nl *nl, uint32_t host, struct plan *plan, bool serve, struct hub *hub,
	       struct outcome *outcome)
{
	const struct link card = plan->uplink;
	int err = 0;

	if (plan->attach == ATTACH_BRIDGE && strcmp(card.name, UPLINK_BRIDGE) != 0)
		err = ensure_bridge(nl, host, &card, &plan->uplink);
	if (err)
		return outcome_set(outcome,
				   err == -EEXIST ? OUTCOME_FOREIGN_DEVICE : OUTCOME_SYSTEM,
				   "%s for %s: %s", UPLINK_BRIDGE, card.name,
				   err == -EEXIST ? "it is not ours" : strerror(-err));
	if (ensure_pair(nl, host, hub, outcome))
		return -1;
	err = build(nl, host, plan, serve, hub);
	if (err)
		return outcome_set(outcome, OUTCOME_SYSTEM, "building %s and %s: %s%s", HUB_NAME,
				   HUB_LAN_NAME, strerror(-err),
				   err == -ENOENT || err == -EOPNOTSUPP ?
					   " (kernel modules cls_bpf, act_mirred?)" :
					   "");
	return 0;
}

int hub_finish_frames(struct nl *nl, struct nl *generic, struct hub *hub)
{
	int err = hub->done & HUB_DID_FINISH ? 0 : link_finish_frames(generic, hub->index);

	return err || hub->done & HUB_DID_FINISH ? err : hub_remember(nl, hub, HUB_DID_FINISH);
}

int hub_add(struct nl *nl, const struct hub *hub, const struct tap *tap)
{
	const struct tc_place own = { hub->index, TC_INGRESS, GUEST, (uint32_t)tap->index };
	const struct tc_place all = { hub->index, TC_INGRESS, FAN_OUT, (uint32_t)tap->index };
	const struct tc_action take[] = { { TC_REDIRECT, tap->index, TC_EGRESS },
					  { TC_END, 0, 0 } };
	const struct tc_action copy[] = { { TC_MIRROR_ON, tap->index, TC_EGRESS },
					  { TC_END, 0, 0 } };
	tc_filter_fn *ensure = tap->fresh ? tc_put : tc_ensure;
	int err = ensure(nl, own, PROGRAM_DESTINATION, &tap->guest, take);

	return err ? err : ensure(nl, all, PROGRAM_GROUP_FROM_OTHERS, &tap->guest, copy);
}

struct places {
	uint32_t own; /* a handle that is not collected */
	size_t count;
	struct tc_place place[2 * TAPS_MAX];
};

static int collect_place(const struct tc_place *place, void *user)
{
	struct places *p = user;

	if (place->handle != 0 && place->handle != p->own && place->preference != LAST &&
	    p->count < 2 * TAPS_MAX)
		p->place[p->count++] = *place;
	return 0;
}

int hub_sweep(struct nl *nl, uint32_t host, const struct hub *hub, const struct tap *own)
{
	static struct places places;
	static struct taps taps;
	int err;

	/* in this order: a place that is seen has, or had, a TAP that was there before it */
	places.own = (uint32_t)own->index;
	places.count = 0;
	err = tc_each(nl, hub->index, TC_INGRESS, collect_place, &places);
	if (!err && places.count)
		err = tap_list(nl, host, &taps);
	if (err == -ENOSPC) /* a later run will sweep */
		return 0;
	for (size_t i = 0; !err && i < places.count; i++) {
		size_t t = 0;

		while (t < taps.count && (uint32_t)taps.tap[t].index != places.place[i].handle)
			t++;
		if (t == taps.count)
			err = tc_remove(nl, places.place[i]);
	}
	return err;
}

/* 0 where the note that release wrote still stands; -EBUSY where another helper built anew. */
static int check_releasing(struct nl *nl, uint32_t host, const struct hub *hub)
{
	struct outcome ignored = { 0 };
	struct hub now;

	return hub_find(nl, host, &now, &ignored) == 0 && now.index == hub->index &&
			       !now.releasing ?
		       -EBUSY :
		       0;
}

int hub_release(struct nl *nl, uint32_t host, const struct hub *hub)
{
	int there, err;

	if (!hub->index)
		return release_bridge(nl, host);
	there = patch_port_is_there(nl, hub);
	err = there < 0 ? there : check_releasing(nl, host, hub);
	if (!err && there)
		err = patch_port_disconnect(nl, hub);
	if (!err)
		err = check_releasing(nl, host, hub);
	if (!err)
		err = link_delete(nl, hub->index);
	/* a helper that was connecting meanwhile: its filters would point nowhere */
	if (!err && there)
		err = patch_port_disconnect(nl, hub);
	return err && err != -ENODEV ? err : release_bridge(nl, host);
}
