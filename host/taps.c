/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * taps.c: see taps.h. Relies on link.h; only reads.
 */
#include "taps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_TRIES 20 /* others may come and go while we list */

void taps_name(struct tap *tap, uint32_t host, uint32_t uid, unsigned int slot)
{
	tap->uid = uid;
	tap->slot = slot;
	tap->guest = mac_make(host, uid, slot);
	snprintf(tap->name, sizeof(tap->name), "btap%x-%x", uid, slot & 0xf);
}

struct listing {
	struct taps *taps;
	uint32_t host;
};

static int list_link(const struct link *link, void *user)
{
	struct listing *l = user;
	struct taps *taps = l->taps;
	struct tap tap = { .index = link->index };
	unsigned long uid, slot;
	char *end;

	if (strcmp(link->kind, "tun") != 0 || strncmp(link->name, "btap", 4) != 0)
		return 0;
	if (strcmp(link->name, TAPS_RELEASE) == 0)
		taps->releasing = true;
	uid = strtoul(link->name + 4, &end, 16);
	slot = *end == '-' ? strtoul(end + 1, NULL, 16) : MAC_SLOTS;
	if (uid > UINT32_MAX || slot >= MAC_SLOTS)
		return 0;
	/* one name for each number: not btap0003e8-0, not btap3e8-0x */
	taps_name(&tap, l->host, (uint32_t)uid, (unsigned int)slot);
	if (strncmp(tap.name, link->name, strlen(tap.name)) != 0)
		return 0;
	end = (char *)link->name + strlen(tap.name);
	if (taps->count == TAPS_MAX || taps->repair_count == TAPS_MAX)
		return -ENOSPC;
	if (strcmp(end, TAPS_REPAIR) == 0)
		taps->repair[taps->repair_count++] = *link;
	if (*end)
		return 0;
	taps->link[taps->count] = *link;
	taps->tap[taps->count++] = tap;
	return 0;
}

int taps_list(struct nl *nl, uint32_t host, struct taps *taps)
{
	struct listing l = { .taps = taps, .host = host };
	int err;

	for (int tries = 0; tries < LIST_TRIES; tries++) {
		taps->count = taps->repair_count = 0;
		taps->releasing = false;
		err = link_each(nl, "tun", list_link, &l);
		if (err || !nl->interrupted)
			return err;
	}
	return -EAGAIN;
}

const struct link *taps_each(const struct taps *taps, size_t i)
{
	if (i < taps->count)
		return &taps->link[i];
	i -= taps->count;
	return i < taps->repair_count ? &taps->repair[i] : NULL;
}

const struct tap *taps_twin(const struct taps *taps, const struct tap *tap)
{
	for (size_t i = 0; i < taps->count; i++)
		if (taps->tap[i].uid != tap->uid && mac_equal(&taps->tap[i].guest, &tap->guest))
			return &taps->tap[i];
	return NULL;
}
