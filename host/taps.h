/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * taps.h: the TAPs there are, btap<uid hex>-<slot hex>: found by their names, changed nowhere here.
 */
#ifndef BASILISK_TAP_HOST_TAPS_H
#define BASILISK_TAP_HOST_TAPS_H

#include "link.h"

#define TAPS_MAX   256 /* of all users; the policy's max-total is at most this */
#define TAPS_ALIAS "basilisk-tap uid="
/*
 * No TAPs of guests: whose --release, or repair of the TAP whose name it is with this behind, is
 * under way holds an interface of this name, which ends with him, however he ends.
 */
#define TAPS_RELEASE "btap-release"
#define TAPS_REPAIR  "r"

struct tap {
	char name[IFNAME_SIZE];
	int index; /* of the interface */
	uint32_t uid;
	unsigned int slot;
	struct mac guest;
	bool fresh; /* just made: none of its filters can stand yet */
};

/* All TAPs there are; owned by whoever declared it. */
struct taps {
	size_t count;
	struct tap tap[TAPS_MAX];
	struct link link[TAPS_MAX];
	bool releasing; /* a --release is under way */
	size_t repair_count;
	struct link repair[TAPS_MAX]; /* what repairs that are under way hold */
};

/* The TAP of user @uid's in @slot, as it is called where it exists; .index stays as it is. */
void taps_name(struct tap *tap, uint32_t host, uint32_t uid, unsigned int slot);

/* Finds all TAPs by their names and kind. @host: mac_host(). 0 or a negative errno. */
int taps_list(struct nl *nl, uint32_t host, struct taps *taps);

/* By turns each TAP there is, and what each repair holds; NULL behind the last. */
const struct link *taps_each(const struct taps *taps, size_t i);

/* Another user's TAP with the same guest's address, or NULL: uids may share their low 12 bits. */
const struct tap *taps_twin(const struct taps *taps, const struct tap *tap);

#endif
