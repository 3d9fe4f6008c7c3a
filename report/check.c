/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.c: --check: what the policy says of somebody. The exit status is for scripts, the lines are
 * for people.
 */
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "report.h"
#include "request.h"

const char *report_name_of(struct text *names, uint32_t id, char *to, size_t size)
{
	if (text_find_id(names, id, to, size))
		snprintf(to, size, "%u", id);
	return to;
}

/* Puts @user, with the groups that the files give him, in the caller's place. */
static int become(struct report *report, const char *user, struct outcome *outcome)
{
	struct caller *who = &report->caller;
	char name[REQUEST_USER_SIZE];
	int count;

	if (number_parse(user, strlen(user), UINT32_MAX - 1, &who->uid) &&
	    text_find_name(&report->users, user, &who->uid))
		return outcome_set(outcome, OUTCOME_USAGE, "there is no user %s in /etc/passwd",
				   user);
	report_name_of(&report->users, who->uid, name, sizeof(name));
	who->gid = UINT32_MAX; /* nobody's, where passwd does not say */
	text_find_group_of(&report->users, name, &who->gid);
	count = text_find_groups(&report->groups, name, who->groups,
				 sizeof(who->groups) / sizeof(who->groups[0]));
	if (count < 0)
		return outcome_set(outcome, OUTCOME_SYSTEM,
				   "user %u is in more groups than a process can have", who->uid);
	who->group_count = (size_t)count;
	return 0;
}

int report_check(struct report *report, const char *user, struct outcome *outcome)
{
	const struct caller *who = &report->caller;
	struct decision decision;

	if (report->policy_outcome.code) {
		*outcome = report->policy_outcome;
		return -1;
	}
	if (user[0] && become(report, user, outcome))
		return -1;
	decision = policy_decide(&report->policy, who);
	if (decision.line)
		printf("user %u: %s by %s:%u\n", who->uid, decision.allow ? "allowed" : "denied",
		       POLICY_FILE, decision.line);
	else
		printf("user %u: %s, no line of %s matches\n", who->uid,
		       decision.allow ? "allowed as root" : "denied", POLICY_FILE);
	return decision.allow ? 0 : policy_permit(&report->policy, who, outcome);
}
