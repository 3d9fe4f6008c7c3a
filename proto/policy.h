/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.h: /etc/basilisk-tap/helper.conf: who may have a TAP, and how it reaches the LAN.
 * The grammar is in helper.conf(5). The helper decides by it; what --check prints is the same.
 */
#ifndef BASILISK_TAP_PROTO_POLICY_H
#define BASILISK_TAP_PROTO_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach.h"
#include "ifname.h"
#include "outcome.h"
#include "text.h"

#define POLICY_FILE	 POLICY_DIR "/helper.conf"
#define POLICY_RULES_MAX 64
#define POLICY_JOINS_MAX 8

struct policy_rule {
	bool allow;
	enum { POLICY_ALL, POLICY_USER, POLICY_GROUP } who;
	uint32_t id;
	unsigned int line;
};

/* Owned by whoever declared it. */
struct policy {
	bool missing; /* there is no file: only root */
	struct policy_rule rules[POLICY_RULES_MAX];
	size_t rule_count;
	bool uplink_none;
	char uplink[IFNAME_SIZE]; /* "": find one */
	bool attach_auto;
	enum attach attach; /* where not auto */
	char join[POLICY_JOINS_MAX][IFNAME_SIZE];
	size_t join_count;
	unsigned int max_taps;	/* of each user */
	unsigned int max_total; /* of all users */
	bool serve;		/* guests may answer DHCP and advertise routers */
};

/* Whom the policy decides about: numbers from the kernel. */
struct caller {
	uint32_t uid, gid;
	uint32_t groups[65536]; /* NGROUPS_MAX of <linux/limits.h> */
	size_t group_count;
	int pid; /* of the process that asks */
};

/* What the policy says of a caller. @line 0: no rule decided. */
struct decision {
	bool allow;
	unsigned int line;
};

/*
 * Reads a policy from a text, with names from @users and @groups. 0, or -1 with OUTCOME_BAD_POLICY
 * that names file, line and word; then the policy allows nobody. @text is taken apart.
 */
int policy_parse(struct policy *policy, struct text *text, struct text *users, struct text *groups,
		 struct outcome *outcome);

/* First match wins; who matches nothing is refused; root is always allowed. */
struct decision policy_decide(const struct policy *policy, const struct caller *caller);

/* 0, or -1 with the refusal in @outcome. */
int policy_permit(const struct policy *policy, const struct caller *caller,
		  struct outcome *outcome);

/* 0 where that many TAPs of one user, and of all, may be, or -1 with OUTCOME_QUOTA. */
int policy_check_quota(const struct policy *policy, size_t own, size_t total,
		       struct outcome *outcome);

/* True where a 'join' line names the bridge. */
bool policy_may_join(const struct policy *policy, const char *bridge);

#endif
