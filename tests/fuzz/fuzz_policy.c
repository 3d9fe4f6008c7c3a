/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_policy.c: helper.conf, and the decision. Beside the helper's own evaluator stands a second,
 * naive one, which reads the same lines in the plainest way and must say the same.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

static struct text text, users, groups;
static const char passwd[] =
	"root:x:0:0::/:\nmac:x:1000:1000::/:\nlisa:x:1001:100::/:\nbad:x:y:1::/:\n";
static const char group[] = "netdev:x:101:mac,lisa\nusers:x:100:\nbroken\n";

static void fill(struct text *to, const void *bytes, size_t len)
{
	memcpy(to->bytes, bytes, len);
	to->bytes[len] = '\0';
	to->len = len;
	to->at = 0;
}

/* 1 allow, 0 deny, -1: not a line that the naive reader knows to decide about this caller. */
static int naive_line(const char *line, const unsigned int *ids)
{
	const unsigned int uid = ids[0], gid = ids[1], other = ids[2];
	char verb[16] = "", who[16] = "", name[48] = "";
	int words = sscanf(line, "%15s %15s %47s", verb, who, name);
	bool allow = strcmp(verb, "allow") == 0, match = false;

	if (words < 2 || (!allow && strcmp(verb, "deny") != 0))
		return -1;
	if (strcmp(who, "all") == 0)
		match = true;
	else if (strcmp(who, "user") == 0)
		match = (strcmp(name, "mac") == 0 && uid == 1000) ||
			(strcmp(name, "lisa") == 0 && uid == 1001) ||
			(strcmp(name, "root") == 0 && uid == 0) ||
			(name[0] >= '0' && name[0] <= '9' && strtoul(name, NULL, 10) == uid);
	else if (strcmp(who, "group") == 0)
		match = (strcmp(name, "netdev") == 0 && (gid == 101 || other == 101)) ||
			(strcmp(name, "users") == 0 && (gid == 100 || other == 100)) ||
			(name[0] >= '0' && name[0] <= '9' &&
			 (strtoul(name, NULL, 10) == gid || strtoul(name, NULL, 10) == other));
	return match ? allow : -1;
}

static bool naive(char *bytes, const unsigned int *ids)
{
	const unsigned int uid = ids[0];
	char *save = NULL;

	for (char *line = strtok_r(bytes, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *comment = strchr(line, '#');
		int verdict;

		if (comment)
			*comment = '\0';
		verdict = naive_line(line, ids);
		if (verdict >= 0)
			return verdict || uid == 0;
	}
	return uid == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* user, group, and a supplementary group, or the group once more where there is none */
	static const unsigned int ids[][3] = { { 0, 0, 0 },	   { 1000, 1000, 1000 },
					       { 1000, 101, 101 }, { 1001, 100, 100 },
					       { 1002, 5, 5 },	   { 7, 101, 101 },
					       { 1002, 5, 101 },   { 1001, 100, 7 } };
	static struct policy policy;
	static struct caller caller;
	struct outcome outcome = { 0 };

	if (size > 4096 || memchr(data, '\0', size))
		return 0;
	fill(&text, data, size);
	fill(&users, passwd, sizeof(passwd) - 1);
	fill(&groups, group, sizeof(group) - 1);
	if (policy_parse(&policy, &text, &users, &groups, &outcome)) {
		if (outcome.code != OUTCOME_BAD_POLICY || !outcome.what[0] || policy.rule_count)
			abort();
		return 0;
	}
	if (policy.rule_count > POLICY_RULES_MAX || policy.max_taps < 1 || policy.max_taps > 16)
		abort();
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char copy[4097];

		memcpy(copy, data, size);
		copy[size] = '\0';
		caller.uid = ids[i][0];
		caller.gid = ids[i][1];
		caller.groups[0] = ids[i][2];
		caller.group_count = ids[i][2] != ids[i][1];
		if (policy_decide(&policy, &caller).allow != naive(copy, ids[i]))
			abort();
	}
	return 0;
}
