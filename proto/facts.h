/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.h: what the helper knows by its privilege, or of its start, and hands on to the program
 * that tells of it, which has neither. One line of text, the whole environment of that program:
 *
 *     BASILISK_TAP_FACTS=MODE POLICY TUN UID GID GROUP...
 *
 * MODE is a word; POLICY and TUN are 0 or the errno of why that file did not open; the policy
 * itself is open at descriptor FACTS_POLICY.
 */
#ifndef BASILISK_TAP_PROTO_FACTS_H
#define BASILISK_TAP_PROTO_FACTS_H

#include <stddef.h>

#include "policy.h"

#define FACTS_NAME   "BASILISK_TAP_FACTS"
#define FACTS_MAX    131072 /* what Linux takes as one string: 10,000 groups and more */
#define FACTS_POLICY 3

/* Owned by whoever declared it, and so is @caller; @mode points into the text that was read. */
struct facts {
	const char *mode;      /* how the helper came by its privilege, or "none" */
	int policy;	       /* 0, or the negative errno of why there is none at FACTS_POLICY */
	int tun;	       /* 0, or the negative errno of why /dev/net/tun does not open */
	struct caller *caller; /* but for his process */
};

/* Writes the line, FACTS_NAME in front. 0, or -E2BIG where @size bytes do not take it. */
int facts_format(const struct facts *facts, char *text, size_t size);

/* Reads what stands behind "FACTS_NAME=", into facts->caller too. 0 or -EINVAL. @text is taken
 * apart. */
int facts_parse(struct facts *facts, char *text);

#endif
