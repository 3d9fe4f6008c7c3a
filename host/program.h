/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.h: the classic BPF programs of the patch port, as cls_bpf runs them. They are made at
 * build time by gen/; what each looks at stands there.
 *
 * Those above PROGRAM_DROP answer "match" or "no match" for a filter with actions. The others are
 * verdicts: they say what is done with the frame (TC_ACT_SHOT, _OK, _UNSPEC; direct action).
 * Source: <linux/filter.h>, <linux/pkt_cls.h>.
 */
#ifndef BASILISK_TAP_HOST_PROGRAM_H
#define BASILISK_TAP_HOST_PROGRAM_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "mac.h"

#define PROGRAM_MAX 112 /* instructions */

enum program_name {
	PROGRAM_ANY,		   /* match: every frame */
	PROGRAM_DESTINATION,	   /* match: to the address */
	PROGRAM_SOURCE,		   /* match: from the address */
	PROGRAM_GROUP,		   /* match: broadcast or multicast */
	PROGRAM_GROUP_FROM_OTHERS, /* match: that, and not from the address */
	PROGRAM_TO_GUEST,	   /* match: to any guest of this host */
	PROGRAM_OUTSIDE_TO_GUEST,  /* match: that, untagged, and not from another guest */
	PROGRAM_OUTSIDE_TO_GROUP,  /* match: group, untagged, for guests, and not from one */
	PROGRAM_DROP,		   /* verdict: drop */
	PROGRAM_MARK,		   /* verdict: none; that it stands there is what counts */
	PROGRAM_PASS,		   /* verdict: on to the stack */
	PROGRAM_BRIDGE_TO_GUESTS,  /* verdict: drop what a bridge keeps to itself, pass the rest */
	PROGRAM_GUARD,		   /* verdict: drop what no Mac sends and hurts a network */
	PROGRAM_GUARD_SERVING,	   /* verdict: that, but not of servers: see need_no_server() */
	PROGRAM_COUNT
};

/* What is put in the place of an instruction's constant. */
enum program_patch { PATCH_NOTHING, PATCH_MAC_HIGH, PATCH_MAC_LOW };

/* Owned by whoever declared it. */
struct program {
	bool direct; /* a verdict */
	uint16_t len;
	struct sock_filter code[PROGRAM_MAX];
	uint8_t patch[PROGRAM_MAX]; /* enum program_patch */
};

/* The program with @mac in its places; PROGRAM_…GUEST, …GROUP and …GUARD take any guest's. */
struct program program_make(enum program_name name, const struct mac *mac);

#endif
