/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hub_make.c: see hub_make.h. Dead ends come first, ways afterwards, links up last, so that a
 * helper killed between any two steps leaves nothing that carries a frame where it does not belong.
 * No TAP is ever a bridge port.
 */
#include "hub_make.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "patch_port.h"
#include "wiring.h"

#define CARDS_MAX 64 /* of which a release undoes what is remembered */

/* Notes what it is connected to. 0 or a negative errno. */
static int note(struct nl *nl, struct hub *hub)
{
	char alias[LINK_ALIAS_SIZE];

	snprintf(alias, sizeof(alias), HUB_ALIAS " host=%u attach=%d uplink=%d", hub->host,
		 hub->attach, hub->uplink);
	return link_ensure(nl, &hub->near, &(struct link_change){ .alias = alias });
}

int hub_remember(struct nl *nl, struct hub *hub, unsigned int did)
{
	const struct tc_filter memory = wiring_memory(hub->index, hub->uplink, did);

	hub->done |= did;
	return tc_ensure(nl, &memory);
}

static int forget(struct nl *nl, struct hub *hub, unsigned int what)
{
	int err = 0;

	for (unsigned int did = 1; !err && did <= HUB_DID_ALL; did <<= 1)
		if (hub->done & what & did)
			err = tc_remove(nl, wiring_memory(hub->index, hub->uplink, did).place);
	hub->done = 0;
	return err;
}

/* One end of the pair: silent, and dropping whatever no filter takes. */
static int prepare_end(struct nl *nl, struct link *end, const struct mac *mac)
{
	const struct tc_filter last = wiring_dead_end(end->index);
	int err = link_ensure(nl, end,
			      &(struct link_change){ .mac = mac,
						     .flags = IFF_NOARP,
						     .mask = IFF_NOARP,
						     .quiet = true });

	if (!err)
		err = tc_stands(nl, &last);
	if (err) /* then clsact does too */
		return err < 0 ? err : 0;
	err = tc_has_clsact(nl, end->index);
	if (err == 0)
		err = tc_ensure_clsact(nl, end->index);
	return err < 0 ? err : tc_ensure(nl, &last);
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
	struct tc_filters filters;
	int err = 0, there;

	if (plan->attach == ATTACH_PATCH || plan->attach == ATTACH_HOST)
		lan = plan->uplink.mac;
	if (hub->attach != ATTACH_NO && (hub->attach != plan->attach ||
					 hub->uplink != plan->uplink.index || hub->host != host)) {
		err = there = hub_has_card(nl, hub);
		if (there > 0)
			err = patch_port_disconnect(nl, hub);
		/* an empty clsact stays, rather than that a stranger could keep everyone off */
		if (!err || err == -EAGAIN)
			/* whoever is stopped may still do something to that card, but if it has
			 * gone, its number may be a stranger's: of him nothing is remembered */
			err = forget(nl, hub, there ? HUB_DID_ALL & ~HUB_DID_CLSACT : HUB_DID_ALL);
	}
	hub->attach = plan->attach;
	hub->host = host;
	hub->uplink = plan->uplink.index;
	hub->flags = 0; /* an uplink that was given up asks for none */
	wiring_switch(&filters, hub, &plan->uplink.mac, serve);
	if (!err)
		err = prepare_end(nl, &hub->near, NULL);
	if (!err)
		err = prepare_end(nl, &hub->far, &lan);
	if (!err)
		err = tc_each_of(nl, &filters, tc_ensure);
	if (!err)
		err = note(nl, hub);
	if (!err)
		err = link_up(nl, &hub->near);
	return err ? err : link_up(nl, &hub->far);
}

/*
 * The card that 'attach bridge' gave to our bridge, by the bridge's note, is as it was before; if
 * nobody has another use for it by now.
 */
static int free_card(struct nl *nl, const struct link *bridge)
{
	const bool raised = hub_noted(bridge->alias, " raised=");
	struct link card;
	int err = link_find(nl, NULL, (int)hub_noted(bridge->alias, " card="), &card);

	if (!err && card.master == bridge->index)
		err = link_set(nl, card.index,
			       &(struct link_change){ .move = true, .mask = raised ? IFF_UP : 0 });
	return err == -ENODEV || err == -EINVAL ? 0 : err; /* it has gone, or there never was one */
}

/*
 * 'attach bridge': the spare card becomes a port of a bridge of ours, which *@bridge then is. No
 * other stays one: through two on one LAN frames would go round for ever.
 */
static int ensure_bridge(struct nl *nl, uint32_t host, const struct link *card, struct link *bridge)
{
	const struct mac mark = hub_mark(host);
	int err = link_find(nl, UPLINK_BRIDGE, 0, bridge);
	char alias[LINK_ALIAS_SIZE];
	struct link now;
	bool noted;

	if (err == -ENODEV) {
		err = link_create_bridge(nl, UPLINK_BRIDGE, &mark);
		if (!err || err == -EEXIST)
			err = link_find(nl, UPLINK_BRIDGE, 0, bridge);
	}
	if (err)
		return err;
	if (!hub_is_ours(bridge, "bridge", host))
		return -EEXIST;
	/* noted before it is done, once: a card that was down is lowered again */
	snprintf(alias, sizeof(alias), HUB_ALIAS " card=%d raised=%d", card->index,
		 !(card->flags & IFF_UP));
	noted = hub_noted(bridge->alias, " card=") == (uint32_t)card->index;
	if (!noted)
		err = free_card(nl, bridge);
	if (!err)
		err = link_ensure(
			nl, bridge,
			&(struct link_change){ .alias = noted ? NULL : alias, .quiet = true });
	/* nobody asks the kernel to put it here only if it is free: so late, and then at once */
	if (!err)
		err = link_find(nl, NULL, card->index, &now);
	if (!err && now.master && now.master != bridge->index)
		err = -EBUSY;
	if (!err)
		err = link_set(nl, card->index,
			       &(struct link_change){ .move = true,
						      .master = bridge->index,
						      .flags = IFF_UP,
						      .mask = IFF_UP });
	return err ? err : link_up(nl, bridge);
}

/* Our bridge has no card any more; and (@whole) is no more. */
static int release_bridge(struct nl *nl, uint32_t host, bool whole)
{
	struct link bridge;
	int err = link_find(nl, UPLINK_BRIDGE, 0, &bridge);

	if (err || !hub_is_ours(&bridge, "bridge", host))
		return err == -ENODEV ? 0 : err;
	err = free_card(nl, &bridge);
	if (!err && whole)
		err = link_delete(nl, bridge.index);
	return err == -ENODEV ? 0 : err; /* another release was faster */
}

/* The pair, if it was made by a helper and nobody else has a use for it. */
static int ensure_pair(struct nl *nl, uint32_t host, struct hub *hub, struct outcome *outcome)
{
	const struct mac mark = hub_mark(host);
	int err = hub->index ? -EEXIST : link_create_pair(nl, HUB_NAME, HUB_LAN_NAME, &mark);

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

	if (plan->attach != ATTACH_BRIDGE && (hub->attach == ATTACH_BRIDGE || card.master))
		err = release_bridge(nl, host, false);
	else if (plan->attach == ATTACH_BRIDGE && strcmp(card.name, UPLINK_BRIDGE) != 0)
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
	struct tc_filters filters;

	wiring_place(&filters, hub->index, tap);
	return tc_each_of(nl, &filters, tap->fresh ? tc_put : tc_ensure);
}

int hub_sweep(struct nl *nl, uint32_t host, const struct hub *hub, const struct tap *own)
{
	static struct hub_places places;
	static struct taps taps;
	/* in this order: a place that is seen has, or had, a TAP that was there before it */
	int err = hub_list_places(nl, hub->index, own, &places);

	if (!err && places.count)
		err = taps_list(nl, host, &taps);
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

int hub_release(struct nl *nl, uint32_t host, const struct hub *hub)
{
	const int there = hub->index ? hub_has_card(nl, hub) : 0;
	struct hub card = *hub;
	int err = there < 0 ? there : 0, cards = 0;

	do { /* this one's, then each stray's: what is no memory of ours stays, and may name two */
		if (!err && (there || card.uplink != hub->uplink))
			err = patch_port_disconnect(nl, &card);
		if (!err && hub->index)
			err = forget(nl, &card, HUB_DID_ALL);
		card.uplink = card.stray;
		card.attach = ATTACH_PATCH;
		if (!err && card.uplink)
			err = hub_read_memory(nl, &card);
	} while (!err && card.uplink && ++cards < CARDS_MAX);
	if (!err && hub->index)
		err = link_delete(nl, hub->index);
	/* the card may have been away at some moment of it */
	if (there > 0 && (!err || err == -ENODEV))
		err = patch_port_disconnect(nl, hub);
	return err && err != -ENODEV ? err : release_bridge(nl, host, true);
}
