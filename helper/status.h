/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.h: what --status and --check print. Neither needs a privilege, neither changes anything.
 */
#ifndef BASILISK_TAP_HELPER_STATUS_H
#define BASILISK_TAP_HELPER_STATUS_H

#include "drop.h"
#include "hub.h"
#include "policy.h"
#include "request.h"

/* What status_print() looks at; owned by main(). */
struct status {
	enum drop_mode mode;
	const struct policy *policy;
	const struct outcome *policy_outcome; /* why the policy is void, or OUTCOME_OK */
	const struct caller *caller;
	const struct early *early;
	uint32_t host;
	struct text *users, *groups;
};

/* Prints all, for people or as JSON. 0, or -1 with @outcome. */
int status_print(struct nl *route, struct nl *generic, const struct status *status, bool json,
		 struct outcome *outcome);

/*
 * Prints what the policy says of @user (a name or number; "" the caller) and by which line.
 * 0, or -1 with the refusal.
 */
int status_check(const struct status *status, const char *user, struct caller *who,
		 struct outcome *outcome);

#endif
