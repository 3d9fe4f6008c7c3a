/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state.c: see state.h. Compares every filter of wiring.h with the kernel's; changes nothing.
 */
#include "state.h"

#include <net/if.h>

#include "wiring.h"

static bool stand(struct nl *nl, const struct tc_filters *filters)
{
	for (size_t i = 0; i < filters->count; i++)
		if (!filters->filter[i].absent && tc_stands(nl, &filters->filter[i]) == 0)
			return false;
	return true;
}

static bool is_end(struct nl *nl, const struct link *end)
{
	const struct tc_filter last = wiring_dead_end(end->index);

	return (end->flags & IFF_UP) && tc_stands(nl, &last) != 0;
}

const char *state_amiss(struct nl *nl, const struct hub *hub, const struct taps *taps, bool serve)
{
	const bool beside = hub->attach == ATTACH_PATCH || hub->attach == ATTACH_HOST;
	const bool bridge = hub->attach == ATTACH_JOIN || hub->attach == ATTACH_BRIDGE;
	static struct link card; /* its name is returned */
	struct tc_filters filters;

	wiring_card(&filters, hub);
	if (beside && (link_find(nl, NULL, hub->uplink, &card) || !stand(nl, &filters)))
		return card.index ? card.name : "the card";
	/* by the address of the card it is known which frames are this host's */
	wiring_switch(&filters, hub, &hub->far.mac, serve);
	if (!is_end(nl, &hub->far) || !stand(nl, &filters) ||
	    (beside && !mac_equal(&hub->far.mac, &card.mac)) ||
	    (bridge && hub->far.master != hub->uplink))
		return HUB_LAN_NAME;
	if (!is_end(nl, &hub->near))
		return HUB_NAME;
	for (size_t i = 0; i < taps->count; i++) {
		const struct tap *tap = &taps->tap[i];
		bool whole = taps->link[i].flags & IFF_UP;

		wiring_tap(&filters, tap, hub->index);
		whole = whole && stand(nl, &filters);
		wiring_place(&filters, hub->index, tap);
		if (!whole || !stand(nl, &filters))
			return tap->name;
	}
	return NULL;
}
