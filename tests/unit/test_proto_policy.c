/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_policy.c: helper.conf, line by line, and what it says of a caller. One line that is
 * not understood, and nobody is allowed.
 */
#include <errno.h>
#include <stdio.h>

#include "text_test.h"
#include "policy.h"

static struct text text, users, groups;
static struct policy policy;
static struct outcome outcome;
static struct caller caller;

static int names_error; /* why the files of names could not be read */

static void have_names(void)
{
	fill_text(&users, names_error ? "" :
					"root:x:0:0:\nmac:x:1000:100:\nlisa:x:1001:100:\n"
					"odd:x:y:1:\n");
	fill_text(&groups, names_error ? "" : "netdev:x:101:mac\nusers:x:100:\n");
	users.error = groups.error = names_error;
}

static int parse(const char *lines)
{
	have_names();
	fill_text(&text, lines);
	outcome = (struct outcome){ .code = OUTCOME_OK };
	return policy_parse(&policy, &text, &users, &groups, &outcome);
}

static void check_bad(const char *lines, const char *what)
{
	ck_assert_msg(parse(lines) == -1, "understood: %s", lines);
	ck_assert_int_eq(outcome.code, OUTCOME_BAD_POLICY);
	ck_assert_msg(strncmp(outcome.what, POLICY_FILE ":", strlen(POLICY_FILE ":")) == 0 &&
			      strcmp(outcome.what + strlen(POLICY_FILE ":"), what) == 0,
		      "%s: %s", lines, outcome.what);
	ck_assert_uint_eq(policy.rule_count, 0);
}

/* The line that decides about that user, whose groups are @gid and @more; 0: none. */
static unsigned int line_for(uint32_t uid, uint32_t gid, uint32_t more, bool allow)
{
	struct decision decision;

	caller.uid = uid;
	caller.gid = gid;
	caller.groups[0] = 60000;
	caller.groups[1] = more;
	caller.group_count = 2;
	decision = policy_decide(&policy, &caller);
	ck_assert_int_eq(decision.allow, allow);
	return decision.line;
}

START_TEST(test_policy_is_empty_without_lines)
{
	static const char *const empty[] = { "", "\n\n", "# allow all\n", " \t \n\t#\n" };

	for (size_t i = 0; i < COUNT(empty); i++) {
		ck_assert_int_eq(parse(empty[i]), 0);
		ck_assert_uint_eq(policy.rule_count, 0);
		ck_assert_uint_eq(policy.max_taps, 8);
		ck_assert_uint_eq(policy.max_total, 64);
		ck_assert(policy.attach_auto && !policy.uplink_none && !policy.uplink[0]);
		ck_assert(!policy.serve && !policy.missing && !policy.join_count);
	}
}
END_TEST

START_TEST(test_first_rule_that_matches_decides)
{
	ck_assert_int_eq(parse("deny user mac\nallow group netdev\n\nallow group 100 # all\n"
			       "deny user 7\nallow user 8\ndeny user root\nallow all"),
			 0);
	ck_assert_uint_eq(line_for(1000, 101, 100, false), 1);
	ck_assert_uint_eq(line_for(1001, 101, 100, true), 2);
	ck_assert_uint_eq(line_for(1001, 5, 101, true), 2);
	ck_assert_uint_eq(line_for(1002, 5, 100, true), 4);
	ck_assert_uint_eq(line_for(7, 7, 7, false), 5);
	ck_assert_uint_eq(line_for(8, 8, 8, true), 6);
	ck_assert_uint_eq(line_for(9, 9, 9, true), 8);
	ck_assert_uint_eq(line_for(0, 0, 0, true), 7); /* root always */
	ck_assert_int_eq(parse("deny all"), 0);
	ck_assert_uint_eq(line_for(9, 9, 9, false), 1);
	ck_assert_uint_eq(line_for(0, 0, 0, true), 1);
	ck_assert_int_eq(parse("allow user 8"), 0);
	ck_assert_uint_eq(line_for(9, 8, 8, false), 0);
	ck_assert_uint_eq(line_for(0, 0, 0, true), 0);
	/* a group that is only counted once */
	caller.groups[1] = 101;
	caller.group_count = 1;
	caller.uid = caller.gid = 9;
	ck_assert_int_eq(parse("allow group netdev"), 0);
	ck_assert(!policy_decide(&policy, &caller).allow);
}
END_TEST

START_TEST(test_rule_that_is_not_understood)
{
	check_bad("allow", "1: 'allow' has the wrong number of words behind it");
	check_bad("\n\ndeny user mac more", "3: 'deny' has the wrong number of words behind it");
	check_bad("deny user mac more and", "1: 'deny' has too many words behind it");
	check_bad("allow all users", "1: 'all' is not 'all', 'user NAME' or 'group NAME'");
	check_bad("allow user", "1: 'user' is not 'all', 'user NAME' or 'group NAME'");
	check_bad("allow mac", "1: 'mac' is not 'all', 'user NAME' or 'group NAME'");
	check_bad("allow users mac", "1: 'users' is not 'all', 'user NAME' or 'group NAME'");
	check_bad("allow user nobody", "1: 'nobody' is no user in /etc/passwd and no number");
	check_bad("allow user odd", "1: 'odd' is no user in /etc/passwd and no number");
	check_bad("allow user netdev", "1: 'netdev' is no user in /etc/passwd and no number");
	check_bad("allow group mac", "1: 'mac' is no group in /etc/group and no number");
	check_bad("allow user 4294967295",
		  "1: '4294967295' is no user in /etc/passwd and no number");
	names_error = -EFBIG;
	check_bad("allow user mac",
		  "1: 'mac' cannot be looked up: /etc/passwd: is longer than 256 KiB");
	names_error = -EACCES;
	check_bad("allow group netdev",
		  "1: 'netdev' cannot be looked up: /etc/group: is not a file of root's that only "
		  "root may write and all may read");
	names_error = -EILSEQ;
	ck_assert_int_eq(parse("allow user 8"), 0); /* a number is not looked up */
	names_error = 0;
	check_bad("allow all\nperhaps all", "2: 'perhaps' is not understood");
	check_bad("Allow all", "1: 'Allow' is not understood");
	/* what stood before that line allows nobody any more */
	check_bad("allow user 8\nperhaps all", "2: 'perhaps' is not understood");
	ck_assert_uint_eq(line_for(8, 8, 8, false), 0);
	ck_assert_int_eq(parse("allow user 4294967294"), 0);
}
END_TEST

START_TEST(test_words_may_be_far_apart_and_a_comment_ends_them)
{
	ck_assert_int_eq(parse("\t allow \t group\tnetdev \t#user mac\nallow all# but not mac"), 0);
	ck_assert_uint_eq(policy.rule_count, 2);
	ck_assert_uint_eq(line_for(5, 101, 5, true), 1);
	ck_assert_uint_eq(line_for(5, 5, 5, true), 2);
}
END_TEST

START_TEST(test_rules_and_bridges_are_counted)
{
	char lines[8192] = "";
	size_t len = 0;

	for (int i = 0; i < POLICY_RULES_MAX; i++)
		len += (size_t)sprintf(lines + len, "deny user %d\n", i + 1);
	ck_assert_int_eq(parse(lines), 0);
	ck_assert_uint_eq(policy.rule_count, POLICY_RULES_MAX);
	ck_assert_uint_eq(policy.rules[POLICY_RULES_MAX - 1].id, POLICY_RULES_MAX);
	strcpy(lines + len, "deny all");
	check_bad(lines, "65: 'deny' is one rule too many");
	for (len = 0; policy.join_count < POLICY_JOINS_MAX;) {
		len += (size_t)sprintf(lines + len, "join br%zu\n", policy.join_count);
		ck_assert_int_eq(parse(lines), 0);
	}
	ck_assert(policy_may_join(&policy, "br0") && policy_may_join(&policy, "br7"));
	ck_assert_int_eq(parse("join br0"), 0);
	ck_assert(policy_may_join(&policy, "br0") && !policy_may_join(&policy, ""));
	ck_assert(!policy_may_join(&policy, "br7") && !policy_may_join(&policy, "br"));
	strcpy(lines + len, "join br0");
	check_bad(lines, "9: 'join' is one bridge too many");
}
END_TEST

START_TEST(test_uplink_is_found_or_named_or_none_and_the_last_counts)
{
	ck_assert_int_eq(parse("uplink none"), 0);
	ck_assert(policy.uplink_none && !policy.uplink[0]);
	ck_assert_int_eq(parse("uplink enp3s0"), 0);
	ck_assert(!policy.uplink_none);
	ck_assert_str_eq(policy.uplink, "enp3s0");
	ck_assert_int_eq(parse("uplink enp3s0\nuplink auto"), 0);
	ck_assert(!policy.uplink_none && !policy.uplink[0]);
	ck_assert_int_eq(parse("uplink none\nuplink fifteen-letters"), 0);
	ck_assert(!policy.uplink_none);
	check_bad("uplink sixteen-letters-", "1: 'sixteen-letters-' cannot name an interface");
	check_bad("join a/b", "1: 'a/b' cannot name an interface");
	check_bad("uplink", "1: 'uplink' has the wrong number of words behind it");
	check_bad("uplink a b", "1: 'uplink' has the wrong number of words behind it");
}
END_TEST

START_TEST(test_attach_is_one_that_can_be_asked_for)
{
	static const struct {
		const char *line;
		enum attach attach;
	} good[] = { { "attach patch", ATTACH_PATCH },
		     { "attach host", ATTACH_HOST },
		     { "attach none", ATTACH_NONE },
		     { "attach bridge", ATTACH_BRIDGE } };

	for (size_t i = 0; i < COUNT(good); i++) {
		ck_assert_int_eq(parse(good[i].line), 0);
		ck_assert(!policy.attach_auto && policy.attach == good[i].attach);
	}
	ck_assert_int_eq(parse("attach patch\nattach auto"), 0);
	ck_assert(policy.attach_auto);
	check_bad("attach no", "1: 'no' is not auto, patch, host, none or bridge");
	check_bad("attach join", "1: 'join' is not auto, patch, host, none or bridge");
	check_bad("attach port", "1: 'port' is not auto, patch, host, none or bridge");
}
END_TEST

START_TEST(test_numbers_and_guests_have_their_range)
{
	ck_assert_int_eq(parse("max-taps 1\nmax-total 1\nguests serve"), 0);
	ck_assert(policy.max_taps == 1 && policy.max_total == 1 && policy.serve);
	ck_assert_int_eq(parse("max-taps 16\nmax-total 192\nguests serve\nguests plain"), 0);
	ck_assert(policy.max_taps == 16 && policy.max_total == 192 && !policy.serve);
	check_bad("max-taps 0", "1: '0' is not a number in range");
	check_bad("max-taps 17", "1: '17' is not a number in range");
	check_bad("max-total 193", "1: '193' is not a number in range");
	check_bad("max-total many", "1: 'many' is not a number in range");
	check_bad("guests server", "1: 'server' is not plain or serve");
}
END_TEST

START_TEST(test_refusal_says_which_line_or_that_none)
{
	caller.uid = 1000;
	caller.gid = 5;
	caller.group_count = 0;
	ck_assert_int_eq(parse("\nallow user 1000"), 0);
	ck_assert_int_eq(policy_permit(&policy, &caller, &outcome), 0);
	ck_assert_int_eq(outcome.code, OUTCOME_OK);
	ck_assert_int_eq(parse("\ndeny user 1000"), 0);
	ck_assert_int_eq(policy_permit(&policy, &caller, &outcome), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_DENIED);
	ck_assert_str_eq(outcome.what, POLICY_FILE ":2 denies user 1000");
	ck_assert_int_eq(parse("allow user 1001"), 0);
	ck_assert_int_eq(policy_permit(&policy, &caller, &outcome), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_DENIED);
	ck_assert_str_eq(outcome.what, "no line of " POLICY_FILE " matches user 1000");
	ck_assert_int_eq(parse(""), 0);
	policy.missing = true;
	ck_assert_int_eq(policy_permit(&policy, &caller, &outcome), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_NO_POLICY);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_policy_is_empty_without_lines,
		test_first_rule_that_matches_decides,
		test_rule_that_is_not_understood,
		test_words_may_be_far_apart_and_a_comment_ends_them,
		test_rules_and_bridges_are_counted,
		test_uplink_is_found_or_named_or_none_and_the_last_counts,
		test_attach_is_one_that_can_be_asked_for,
		test_numbers_and_guests_have_their_range,
		test_refusal_says_which_line_or_that_none,
	};

	return run_tests("proto/policy", tests, COUNT(tests));
}
