/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wiring.c: see wiring.h. Every filter has a fixed preference and handle, so that a rerun doubles
 * nothing; mirrors on a card that others use end in "continue", so that theirs see what is only
 * copied.
 */
#include "wiring.h"

/* Preferences: on our own devices … */
enum {
	GUARD = 10,
	TURN = 11,
	HOST = 12,
	GROUP = 13,
	REST = 14,
	ENTRY = 10,
	GUEST = 10,
	FAN_OUT = 11,
	LAST = 99
};
/* … and on the card: high numbers, the administrator's own filters come first. */
enum { CARD_TO_GUEST = 24700, CARD_TO_GROUP = 24701 };

static struct tc_filter *add(struct tc_filters *filters, int index, enum tc_direction direction,
			     uint16_t preference, enum program_name program)
{
	struct tc_filter *filter = &filters->filter[filters->count++];

	*filter = (struct tc_filter){ .place = { index, direction, preference, 1 },
				      .program = program };
	return filter;
}

struct tc_filter wiring_dead_end(int index)
{
	return (struct tc_filter){ .place = { index, TC_INGRESS, LAST, 1 },
				   .program = PROGRAM_DROP };
}

void wiring_tap(struct tc_filters *filters, const struct tap *tap, int hub)
{
	struct tc_filter *entry;

	filters->count = 0;
	entry = add(filters, tap->index, TC_INGRESS, ENTRY, PROGRAM_SOURCE);
	entry->mac = tap->guest;
	entry->actions[0] = (struct tc_action){ TC_REDIRECT, hub, TC_EGRESS };
	/* behind it: for each that comes before all others the kernel waits for its readers */
	filters->filter[filters->count++] = wiring_dead_end(tap->index);
}

void wiring_place(struct tc_filters *filters, int hub, const struct tap *tap)
{
	struct tc_filter *own, *all;

	filters->count = 0;
	own = add(filters, hub, TC_INGRESS, GUEST, PROGRAM_DESTINATION);
	own->actions[0] = (struct tc_action){ TC_REDIRECT, tap->index, TC_EGRESS };
	all = add(filters, hub, TC_INGRESS, FAN_OUT, PROGRAM_GROUP_FROM_OTHERS);
	all->actions[0] = (struct tc_action){ TC_MIRROR_ON, tap->index, TC_EGRESS };
	own->mac = all->mac = tap->guest;
	own->place.handle = all->place.handle = (uint32_t)tap->index;
}

bool wiring_is_place(const struct tc_place *place)
{
	return place->handle && (place->preference == GUEST || place->preference == FAN_OUT);
}

/* Where a group frame goes from btlan; the last one takes the frame itself. */
static void lead_group(struct tc_action *actions, const struct hub *hub)
{
	const struct tc_action copy_to_guests = { TC_MIRROR, hub->lan, TC_EGRESS };

	switch (hub->attach) {
	case ATTACH_PATCH:
		*actions++ = copy_to_guests;
		*actions++ = (struct tc_action){ TC_MIRROR, hub->uplink, TC_INGRESS };
		*actions = (struct tc_action){ TC_REDIRECT, hub->uplink, TC_EGRESS };
		break;
	case ATTACH_HOST:
		*actions++ = copy_to_guests;
		*actions = (struct tc_action){ TC_REDIRECT, hub->uplink, TC_INGRESS };
		break;
	case ATTACH_NONE:
		*actions = (struct tc_action){ TC_REDIRECT, hub->lan, TC_EGRESS };
		break;
	default: /* btlan is a bridge's port */
		*actions = (struct tc_action){ TC_MIRROR_IN, hub->lan, TC_EGRESS };
	}
}

void wiring_switch(struct tc_filters *filters, const struct hub *hub, const struct mac *card,
		   bool serve)
{
	const bool patch = hub->attach == ATTACH_PATCH;
	const bool beside = patch || hub->attach == ATTACH_HOST;
	const bool bridge = !beside && hub->attach != ATTACH_NONE;
	struct tc_filter *guard, *turn, *host, *group, *rest, *from_bridge;

	filters->count = 0;
	guard = add(filters, hub->lan, TC_INGRESS, GUARD,
		    serve ? PROGRAM_GUARD_SERVING : PROGRAM_GUARD);
	turn = add(filters, hub->lan, TC_INGRESS, TURN, PROGRAM_TO_GUEST);
	turn->actions[0] = (struct tc_action){ TC_REDIRECT, hub->lan, TC_EGRESS };
	guard->mac = turn->mac = mac_make(hub->host, 0, 0);
	host = add(filters, hub->lan, TC_INGRESS, HOST, PROGRAM_DESTINATION);
	host->mac = *card;
	host->actions[0] = (struct tc_action){ TC_REDIRECT, hub->uplink, TC_INGRESS };
	host->absent = !beside;
	group = add(filters, hub->lan, TC_INGRESS, GROUP, PROGRAM_GROUP);
	lead_group(group->actions, hub);
	rest = add(filters, hub->lan, TC_INGRESS, REST, patch ? PROGRAM_ANY : PROGRAM_PASS);
	if (patch)
		rest->actions[0] = (struct tc_action){ TC_REDIRECT, hub->uplink, TC_EGRESS };
	rest->absent = !patch && !bridge;
	from_bridge = add(filters, hub->lan, TC_EGRESS, GUARD, PROGRAM_BRIDGE_TO_GUESTS);
	from_bridge->absent = !bridge;
}

void wiring_card(struct tc_filters *filters, const struct hub *hub)
{
	static const enum tc_direction directions[] = { TC_EGRESS, TC_INGRESS };
	struct tc_filter *group, *guest;

	filters->count = 0;
	for (int d = 0; d < 2; d++) {
		group = add(filters, hub->uplink, directions[d], CARD_TO_GROUP,
			    PROGRAM_OUTSIDE_TO_GROUP);
		group->actions[0] = (struct tc_action){ TC_MIRROR_ON, hub->lan, TC_EGRESS };
		guest = add(filters, hub->uplink, directions[d], CARD_TO_GUEST,
			    PROGRAM_OUTSIDE_TO_GUEST);
		guest->actions[0] = (struct tc_action){ TC_REDIRECT, hub->lan, TC_EGRESS };
		group->mac = guest->mac = mac_make(hub->host, 0, 0);
		group->absent = guest->absent = hub->attach == ATTACH_HOST &&
						directions[d] == TC_INGRESS;
	}
}

struct tc_filter wiring_memory(int hub, int card, unsigned int did)
{
	/* no interface but lo has the number 1 */
	const uint32_t handle = card ? (uint32_t)card : 1;

	return (struct tc_filter){ .place = { hub, TC_EGRESS, (uint16_t)did, handle },
				   .program = PROGRAM_MARK };
}
