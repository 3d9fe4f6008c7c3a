/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.c: see policy.h. Every doubt means refuse: one line that is not understood makes the
 * whole file void, for a 'deny' that is skipped would let in whom it was written against.
 */
#include "policy.h"

#include <string.h>

#include "mac.h"
#include "number.h"

#define WORDS_MAX     4 /* a longer line is not understood */
#define TAPS_DEFAULT  8
#define TOTAL_DEFAULT 64
#define TOTAL_MAX     192 /* well under TAPS_MAX: several helpers may be at the limit at once */

struct line {
	unsigned int number;
	char *word[WORDS_MAX];
	size_t words;
	struct text *users, *groups;
	struct outcome *outcome;
};

/* @word: one that the line has. */
static int bad(const struct line *line, size_t word, const char *why)
{
	return outcome_set(line->outcome, OUTCOME_BAD_POLICY, "%s:%u: '%.40s' %s", POLICY_FILE,
			   line->number, line->word[word], why);
}

static int set_name(const struct line *line, char *to)
{
	if (ifname_check(line->word[1], strlen(line->word[1])))
		return bad(line, 1, "cannot name an interface");
	strcpy(to, line->word[1]);
	return 0;
}

static int set_number(const struct line *line, uint32_t max, unsigned int *to)
{
	if (number_parse(line->word[1], strlen(line->word[1]), max, to) || *to == 0)
		return bad(line, 1, "is not a number in range");
	return 0;
}

static int read_rule(struct policy *policy, const struct line *line)
{
	struct policy_rule *rule = &policy->rules[policy->rule_count];
	const char *name = line->word[2];
	struct text *names;
	int err;

	if (policy->rule_count == POLICY_RULES_MAX)
		return bad(line, 0, "is one rule too many");
	rule->allow = strcmp(line->word[0], "allow") == 0;
	rule->line = line->number;
	if (line->words == 2 && strcmp(line->word[1], "all") == 0) {
		rule->who = POLICY_ALL;
	} else if (line->words == 3 &&
		   (strcmp(line->word[1], "user") == 0 || strcmp(line->word[1], "group") == 0)) {
		rule->who = line->word[1][0] == 'u' ? POLICY_USER : POLICY_GROUP;
		names = rule->who == POLICY_USER ? line->users : line->groups;
		err = number_parse(name, strlen(name), UINT32_MAX - 1, &rule->id);
		if (err)
			err = text_find_name(names, name, &rule->id);
		if (err && names->error)
			return outcome_set(line->outcome, OUTCOME_BAD_POLICY,
					   "%s:%u: '%.40s' cannot be looked up: %s: %s",
					   POLICY_FILE, line->number, name,
					   rule->who == POLICY_USER ? "/etc/passwd" : "/etc/group",
					   text_error(names->error));
		if (err)
			return bad(line, 2,
				   rule->who == POLICY_USER ?
					   "is no user in /etc/passwd and no number" :
					   "is no group in /etc/group and no number");
	} else {
		return bad(line, 1, "is not 'all', 'user NAME' or 'group NAME'");
	}
	policy->rule_count++;
	return 0;
}

static int read_uplink(struct policy *policy, const struct line *line)
{
	policy->uplink_none = strcmp(line->word[1], "none") == 0;
	policy->uplink[0] = '\0';
	if (policy->uplink_none || strcmp(line->word[1], "auto") == 0)
		return 0;
	return set_name(line, policy->uplink);
}

static int read_attach(struct policy *policy, const struct line *line)
{
	int attach = attach_parse(line->word[1], strlen(line->word[1]));

	policy->attach_auto = strcmp(line->word[1], "auto") == 0;
	if (policy->attach_auto)
		return 0;
	/* 'no' is no attachment, and 'join' follows from where the uplink is */
	if (attach < 0 || attach == ATTACH_NO || attach == ATTACH_JOIN)
		return bad(line, 1, "is not auto, patch, host, none or bridge");
	policy->attach = (enum attach)attach;
	return 0;
}

static int read_join(struct policy *policy, const struct line *line)
{
	if (policy->join_count == POLICY_JOINS_MAX)
		return bad(line, 0, "is one bridge too many");
	return set_name(line, policy->join[policy->join_count++]);
}

static int read_guests(struct policy *policy, const struct line *line)
{
	policy->serve = strcmp(line->word[1], "serve") == 0;
	if (!policy->serve && strcmp(line->word[1], "plain") != 0)
		return bad(line, 1, "is not plain or serve");
	return 0;
}

static int read_max_taps(struct policy *policy, const struct line *line)
{
	return set_number(line, MAC_SLOTS, &policy->max_taps);
}

static int read_max_total(struct policy *policy, const struct line *line)
{
	return set_number(line, TOTAL_MAX, &policy->max_total);
}

static const struct {
	const char *word;
	size_t words_min, words_max;
	int (*read)(struct policy *policy, const struct line *line);
} keywords[] = {
	{ "allow", 2, 3, read_rule },	       { "deny", 2, 3, read_rule },
	{ "uplink", 2, 2, read_uplink },       { "attach", 2, 2, read_attach },
	{ "join", 2, 2, read_join },	       { "max-taps", 2, 2, read_max_taps },
	{ "max-total", 2, 2, read_max_total }, { "guests", 2, 2, read_guests },
};

static int read_line(struct policy *policy, char *bytes, struct line *line)
{
	char *save, *comment = strchr(bytes, '#');

	if (comment)
		*comment = '\0';
	line->words = 0;
	for (char *word = strtok_r(bytes, " \t", &save); word;
	     word = strtok_r(NULL, " \t", &save)) {
		if (line->words == WORDS_MAX)
			return bad(line, 0, "has too many words behind it");
		line->word[line->words++] = word;
	}
	if (line->words == 0)
		return 0;
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (strcmp(line->word[0], keywords[i].word) != 0)
			continue;
		if (line->words < keywords[i].words_min || line->words > keywords[i].words_max)
			return bad(line, 0, "has the wrong number of words behind it");
		return keywords[i].read(policy, line);
	}
	return bad(line, 0, "is not understood");
}

int policy_parse(struct policy *policy, struct text *text, struct text *users, struct text *groups,
		 struct outcome *outcome)
{
	struct line line = { .users = users, .groups = groups, .outcome = outcome };
	char *bytes;
	int err = 0;

	memset(policy, 0, sizeof(*policy));
	policy->attach_auto = true;
	policy->max_taps = TAPS_DEFAULT;
	policy->max_total = TOTAL_DEFAULT;
	while (!err && (bytes = text_next(text, '\n'))) {
		line.number++;
		err = read_line(policy, bytes, &line);
	}
	if (err)
		policy->rule_count = 0;
	return err;
}

static bool is_in_group(const struct caller *caller, uint32_t gid)
{
	for (size_t i = 0; i < caller->group_count; i++)
		if (caller->groups[i] == gid)
			return true;
	return caller->gid == gid;
}

struct decision policy_decide(const struct policy *policy, const struct caller *caller)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->who == POLICY_ALL ||
		    (rule->who == POLICY_USER && rule->id == caller->uid) ||
		    (rule->who == POLICY_GROUP && is_in_group(caller, rule->id)))
			return (struct decision){ rule->allow || caller->uid == 0, rule->line };
	}
	return (struct decision){ caller->uid == 0, 0 };
}

int policy_permit(const struct policy *policy, const struct caller *caller, struct outcome *outcome)
{
	const struct decision decision = policy_decide(policy, caller);

	if (decision.allow)
		return 0;
	if (policy->missing)
		return outcome_set(outcome, OUTCOME_NO_POLICY,
				   "there is no %s, so only root is allowed", POLICY_FILE);
	if (decision.line == 0)
		return outcome_set(outcome, OUTCOME_DENIED, "no line of %s matches user %u",
				   POLICY_FILE, caller->uid);
	return outcome_set(outcome, OUTCOME_DENIED, "%s:%u denies user %u", POLICY_FILE,
			   decision.line, caller->uid);
}

int policy_check_quota(const struct policy *policy, size_t own, size_t total,
		       struct outcome *outcome)
{
	if (own > policy->max_taps)
		return outcome_set(outcome, OUTCOME_QUOTA, "all %u TAPs of 'max-taps' are in use",
				   policy->max_taps);
	if (total > policy->max_total)
		return outcome_set(outcome, OUTCOME_QUOTA, "all %u TAPs of 'max-total' are in use",
				   policy->max_total);
	return 0;
}

bool policy_may_join(const struct policy *policy, const char *bridge)
{
	for (size_t i = 0; i < policy->join_count; i++)
		if (strcmp(policy->join[i], bridge) == 0)
			return true;
	return false;
}
