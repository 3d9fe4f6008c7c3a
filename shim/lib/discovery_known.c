/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_known.c: see discovery_known.h. A plain array: a few hundred entries at most, looked
 * at when an announcement changes, never for a frame.
 */
#include "discovery_known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEP 16 /* the array grows by so many guests */

struct guest {
	struct txt txt;
	struct sockaddr_in6 address[KNOWN_ADDRESSES];
	size_t n;
	bool held; /* not confirmed since known_hold() */
};

struct known {
	struct discovery_events events;
	void *user;
	struct guest *guest;
	size_t n;
	size_t room;
};

int known_new(const struct discovery_events *events, void *user, struct known **known)
{
	struct known *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->events = *events;
	k->user = user;
	*known = k;
	return 0;
}

void known_free(struct known *known)
{
	if (!known)
		return;
	free(known->guest);
	free(known);
}

static struct guest *find(const struct known *known, const struct mac *mac)
{
	for (size_t i = 0; i < known->n; i++) {
		if (mac_equal(&known->guest[i].txt.mac, mac))
			return &known->guest[i];
	}
	return NULL;
}

static struct guest *append(struct known *known, const struct txt *txt)
{
	struct guest *guest;

	if (known->n == KNOWN_MAX)
		return NULL;
	if (known->n == known->room) {
		guest = realloc(known->guest, (known->room + STEP) * sizeof(*guest));
		if (!guest)
			return NULL;
		known->guest = guest;
		known->room += STEP;
	}
	guest = &known->guest[known->n++];
	memset(guest, 0, sizeof(*guest));
	guest->txt = *txt;
	return guest;
}

static void tell_found(const struct known *known, const struct guest *guest, size_t address)
{
	if (known->events.found)
		known->events.found(known->user, &guest->txt, &guest->address[address]);
}

static void drop(struct known *known, struct guest *guest)
{
	struct mac mac = guest->txt.mac;

	*guest = known->guest[--known->n];
	if (known->events.lost)
		known->events.lost(known->user, &mac);
}

static bool txt_equal(const struct txt *a, const struct txt *b)
{
	return mac_equal(&a->mac, &b->mac) && a->port == b->port && a->bridged == b->bridged &&
	       a->attach == b->attach && strcmp(a->hostname, b->hostname) == 0;
}

static bool address_equal(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0 &&
	       a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id;
}

static bool has_address(const struct guest *guest, const struct sockaddr_in6 *address)
{
	for (size_t i = 0; i < guest->n; i++) {
		if (address_equal(&guest->address[i], address))
			return true;
	}
	return false;
}

void known_set(struct known *known, const struct txt *txt, const struct sockaddr_in6 *addresses,
	       size_t n)
{
	struct guest *guest = find(known, &txt->mac);
	struct guest old;

	if (!n) {
		/* A held one may still be on its way back. */
		if (guest && !guest->held)
			drop(known, guest);
		return;
	}
	if (!guest)
		guest = append(known, txt);
	if (!guest)
		return;
	old = *guest;
	guest->txt = *txt;
	guest->held = false;
	guest->n = n < KNOWN_ADDRESSES ? n : KNOWN_ADDRESSES;
	memcpy(guest->address, addresses, guest->n * sizeof(*addresses));
	for (size_t i = 0; i < guest->n; i++) {
		if (!txt_equal(&old.txt, txt) || !has_address(&old, &guest->address[i]))
			tell_found(known, guest, i);
	}
}

void known_add(struct known *known, const struct txt *txt, const struct sockaddr_in6 *address)
{
	struct sockaddr_in6 all[KNOWN_ADDRESSES + 1];
	const struct guest *guest = find(known, &txt->mac);
	size_t n = 0;

	/* One that is held, or says something else now, is told of from the beginning. */
	if (guest && !guest->held && txt_equal(&guest->txt, txt)) {
		if (has_address(guest, address))
			return;
		n = guest->n;
		memcpy(all, guest->address, n * sizeof(*all));
	}
	all[n++] = *address;
	known_set(known, txt, all, n);
}

void known_remove(struct known *known, const struct mac *mac)
{
	struct guest *guest = find(known, mac);

	if (guest)
		drop(known, guest);
}

void known_hold(struct known *known)
{
	for (size_t i = 0; i < known->n; i++)
		known->guest[i].held = true;
}

void known_settle(struct known *known)
{
	for (size_t i = known->n; i-- > 0;) {
		if (known->guest[i].held)
			drop(known, &known->guest[i]);
	}
}

void known_replay(const struct known *known, const struct discovery_events *events, void *user)
{
	for (size_t i = 0; i < known->n; i++) {
		const struct guest *guest = &known->guest[i];

		for (size_t j = 0; events->found && j < guest->n; j++)
			events->found(user, &guest->txt, &guest->address[j]);
	}
}
