/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.h: the classic BPF programs of the patch port, as cls_bpf runs them.
 *
 * Most answer "match" or "no match" for a filter with an action; those called verdicts answer
 * what is done with the frame (TC_ACT_SHOT, TC_ACT_UNSPEC, TC_ACT_OK; direct action).
 * Source: <linux/filter.h>, <linux/pkt_cls.h>.
 */
#ifndef BASILISK_TAP_HELPER_PROGRAM_H
#define BASILISK_TAP_HELPER_PROGRAM_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "mac.h"

#define PROGRAM_MAX 96 /* instructions; the longest has about 80 */

/* Owned by whoever declared it. @direct: a verdict. */
struct program {
	struct sock_filter code[PROGRAM_MAX];
	uint16_t len;
	bool direct;
};

struct program program_any(void);			      /* match: every frame */
struct program program_destination(const struct mac *mac);    /* match: to @mac */
struct program program_source(const struct mac *mac);	      /* match: from @mac */
struct program program_group_not_from(const struct mac *mac); /* match: group, not from @mac */
struct program program_group(void);			      /* match: to a group */
struct program program_to_any_guest(const struct mac *guest); /* match: to a guest of the host */
struct program program_from_host_to_guest(const struct mac *guest); /* match: … from no guest */
struct program program_group_for_guests(const struct mac *guest);   /* match: group, no guest's */
struct program program_drop(void);			      /* verdict: drop */
struct program program_pass(void);			      /* verdict: to the stack */
/* verdict: drop what no Mac sends and a network is hurt by, go on with the rest */
struct program program_guard(const struct mac *guest, bool serve);
/* verdict: drop what a bridge must not tell guests, pass the rest */
struct program program_bridge_to_guests(void);

#endif
