/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hub.c: see hub.h. Relies on link.h and tc.h; only reads.
 */
#include "hub.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "number.h"
#include "uplink.h"
#include "wiring.h"

#define FIND_TRIES 10

struct mac hub_mark(uint32_t host)
{
	struct mac mac = mac_make(host, 0, 0);

	mac.byte[0] = 0xf2;
	return mac;
}

uint32_t hub_noted(const char *alias, const char *key)
{
	const char *at = strstr(alias, key);
	uint32_t value = 0;

	at = at ? at + strlen(key) : "";
	number_parse(at, strcspn(at, " "), INT32_MAX, &value);
	return value;
}

static void read_note(const struct link *near, uint32_t host, struct hub *hub)
{
	hub->index = near->index;
	hub->host = near->alias[0] ? hub_noted(near->alias, " host=") : host;
	if (hub_noted(near->alias, " attach=") < ATTACH_COUNT)
		hub->attach = hub_noted(near->alias, " attach=");
	hub->uplink = (int)hub_noted(near->alias, " uplink=");
}

static int collect(const struct tc_place *place, void *user)
{
	struct hub *hub = user;
	const unsigned int did = place->preference <= HUB_DID_ALL ? place->preference : 0;
	const struct tc_filter own = wiring_memory(hub->index, hub->uplink, did);

	if (place->handle == own.place.handle)
		hub->done |= did;
	else if (did && place->handle > 1)
		hub->stray = (int)place->handle;
	return 0;
}

int hub_read_memory(struct nl *nl, struct hub *hub)
{
	hub->done = 0;
	hub->stray = 0;
	return tc_each(nl, hub->index, TC_EGRESS, collect, hub);
}

bool hub_stands(struct nl *nl, const struct hub *hub)
{
	struct hub now = { 0 };

	if (link_find(nl, HUB_NAME, 0, &now.near))
		return false;
	read_note(&now.near, hub->host, &now);
	return now.index == hub->index && now.attach == hub->attach && now.uplink == hub->uplink;
}

/* Ours has the address that btlan wears; or another one now, and still our filter. */
int hub_has_card(struct nl *nl, const struct hub *hub)
{
	struct tc_filters filters;
	struct link card, lan;
	int err;

	if (hub->attach != ATTACH_PATCH && hub->attach != ATTACH_HOST)
		return 1;
	wiring_card(&filters, hub);
	err = link_find(nl, NULL, hub->uplink, &card);
	if (!err)
		err = link_find(nl, NULL, hub->lan, &lan);
	if (!err && !mac_equal(&card.mac, &lan.mac))
		return tc_stands(nl, &filters.filter[0]);
	/* in doubt it is ours: of what has gone nothing can be taken off */
	return err && err != -ENODEV && err != -EINVAL ? err : 1;
}

bool hub_has_note(const struct link *link)
{
	return strncmp(link->alias, HUB_ALIAS " ", strlen(HUB_ALIAS " ")) == 0;
}

bool hub_is_ours(const struct link *link, const char *kind, uint32_t host)
{
	const struct mac mark = hub_mark(host);

	if (strcmp(link->kind, kind) != 0)
		return false;
	if (hub_has_note(link))
		return true;
	return !link->alias[0] && !(link->flags & IFF_UP) && mac_equal(&link->mac, &mark);
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

int hub_find(struct nl *nl, uint32_t host, struct hub *hub, struct outcome *outcome)
{
	int err;

	memset(hub, 0, sizeof(*hub));
	err = find_pair(nl, &hub->near, &hub->far);
	if (err == -ENODEV)
		return 0;
	if (err == -EXDEV || (!err && !hub_is_ours(&hub->near, "veth", host)))
		return outcome_set(outcome, OUTCOME_FOREIGN_DEVICE, "%s or %s is not ours",
				   HUB_NAME, HUB_LAN_NAME);
	if (outcome_set_errno(outcome, err, "looking for %s", HUB_NAME))
		return -1;
	read_note(&hub->near, host, hub);
	hub->lan = hub->far.index;
	err = hub_read_memory(nl, hub);
	return outcome_set_errno(outcome, err, "reading %s", HUB_NAME);
}

int hub_check_others(const struct hub *hub, uint32_t host, const struct taps *taps, size_t others,
		     const struct plan *plan, struct outcome *outcome)
{
	enum attach attach = ATTACH_NO, noted;
	const struct link *link;
	size_t elsewhere = 0;

	if (hub->index && hub->host != host && others)
		return outcome_set(
			outcome, OUTCOME_OTHER_ATTACHMENT,
			"%zu TAPs have MACs of another machine-id or host name than this", others);
	for (size_t i = 0; (link = taps_each(taps, i)); i++) {
		noted = hub_noted(link->alias, " attach=");
		if (noted == ATTACH_NO || (!plan->asked && !hub_noted(link->alias, " asked=")) ||
		    (noted == plan->attach &&
		     (int)hub_noted(link->alias, " uplink=") == plan->uplink.index))
			continue;
		attach = noted;
		elsewhere++;
	}
	return elsewhere ?
		       outcome_set(outcome, OUTCOME_OTHER_ATTACHMENT,
				   "%zu TAPs of this host are attached by %s to another interface",
				   elsewhere, attach_name(attach)) :
		       0;
}

struct listing {
	const struct tap *own;
	struct hub_places *places;
};

static int list_place(const struct tc_place *place, void *user)
{
	struct hub_places *places = ((struct listing *)user)->places;
	const struct tap *own = ((struct listing *)user)->own;

	if (wiring_is_place(place) && place->handle != (uint32_t)own->index &&
	    places->count < 2 * TAPS_MAX)
		places->place[places->count++] = *place;
	return 0;
}

int hub_list_places(struct nl *nl, int hub, const struct tap *own, struct hub_places *places)
{
	struct listing listing = { own, places };

	places->count = 0;
	return tc_each(nl, hub, TC_INGRESS, list_place, &listing);
}
