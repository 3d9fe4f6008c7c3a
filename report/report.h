/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.h: what the helper's --status, --check, --help and --version print. This program has no
 * privilege, and changes nothing: the helper executes it when it has given up its own, and says
 * what it alone can know.
 */
#ifndef BASILISK_TAP_REPORT_REPORT_H
#define BASILISK_TAP_REPORT_REPORT_H

#include <stdbool.h>

#include "facts.h"
#include "nl.h"

/* One run; owned by main(). */
struct report {
	struct facts facts;
	struct caller caller; /* whom the helper was started by */
	struct policy policy;
	struct outcome policy_outcome; /* why the policy is void, or OUTCOME_OK */
	uint32_t host;		       /* mac_host() */
	struct text users, groups, scratch;
	struct nl route, generic;
};

/* The name of @id in a passwd(5) or group(5) text, or the number, into @to of @size. Returns @to.
 */
const char *report_name_of(struct text *names, uint32_t id, char *to, size_t size);

/* Prints all that stands, for people or as JSON. 0, or -1 with @outcome. */
int report_status(struct report *report, bool json, struct outcome *outcome);

/*
 * Prints what the policy says of @user (a name or number; "" the caller) and by which line.
 * 0, or -1 with the refusal.
 */
int report_check(struct report *report, const char *user, struct outcome *outcome);

#endif
