/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_facts.c: what the helper hands on to the program that tells of it.
 */
#include <errno.h>

#include "facts.h"
#include "proto_test.h"

static struct caller caller, again;
static char text[FACTS_MAX];

static int parse(struct facts *facts, const char *line)
{
	ck_assert_uint_lt(strlen(line), sizeof(text));
	strcpy(text, line);
	facts->caller = &again;
	return facts_parse(facts, text);
}

START_TEST(test_facts_are_one_variable)
{
	const struct facts facts = { .mode = "root",
				     .policy = -ENOENT,
				     .tun = -EACCES,
				     .caller = &caller };
	const struct facts good = { .mode = "none", .caller = &caller };

	caller = (struct caller){ .uid = 1000, .gid = 100, .groups = { 4, 4294967295 } };
	caller.group_count = 2;
	ck_assert_int_eq(facts_format(&facts, text, sizeof(text)), 0);
	ck_assert_str_eq(text, FACTS_NAME "=root 2 13 1000 100 4 4294967295");
	caller.group_count = 0;
	ck_assert_int_eq(facts_format(&good, text, sizeof(text)), 0);
	ck_assert_str_eq(text, FACTS_NAME "=none 0 0 1000 100");
}
END_TEST

START_TEST(test_facts_come_out_as_they_went_in)
{
	struct facts facts = { .mode = "capability", .policy = -40, .tun = -2, .caller = &caller };
	struct facts other;

	caller = (struct caller){ .uid = 0, .gid = UINT32_MAX };
	for (caller.group_count = 0; caller.group_count < 300; caller.group_count++)
		caller.groups[caller.group_count] = (uint32_t)caller.group_count * 7;
	ck_assert_int_eq(facts_format(&facts, text, sizeof(text)), 0);
	other.caller = &again;
	ck_assert_int_eq(facts_parse(&other, strchr(text, '=') + 1), 0);
	ck_assert_str_eq(other.mode, "capability");
	ck_assert_int_eq(other.policy, -40);
	ck_assert_int_eq(other.tun, -2);
	ck_assert(again.uid == 0 && again.gid == UINT32_MAX && again.group_count == 300);
	ck_assert_mem_eq(again.groups, caller.groups, 300 * sizeof(again.groups[0]));
}
END_TEST

START_TEST(test_facts_that_are_too_long_are_not_cut)
{
	const struct facts facts = { .mode = "root", .caller = &caller };
	const size_t len = strlen(FACTS_NAME "=root 0 0 7 7 12345");
	char small[sizeof(FACTS_NAME "=root 0 0 7 7 12345")];

	caller = (struct caller){ .uid = 7, .gid = 7, .groups = { 12345 }, .group_count = 1 };
	ck_assert_int_eq(facts_format(&facts, small, len + 1), 0);
	ck_assert_uint_eq(strlen(small), len);
	ck_assert_int_eq(facts_format(&facts, small, len), -E2BIG);
	ck_assert_int_eq(facts_format(&facts, small, 10), -E2BIG);
	for (caller.group_count = 0; caller.group_count < 65536; caller.group_count++)
		caller.groups[caller.group_count] = 4000000000;
	ck_assert_int_eq(facts_format(&facts, text, sizeof(text)), -E2BIG);
}
END_TEST

START_TEST(test_facts_that_are_not_whole_are_refused)
{
	static const char *const bad[] = {
		"",
		"root",
		"root 0",
		"root 0 0",
		"root 0 0 7",
		"root x 0 7 7",
		"root 0 x 7 7",
		"root 0 0 x 7",
		"root 0 0 7 x",
		"root 0 0 7 7 x",
		"root 4096 0 7 7",
		"root 0 4096 7 7",
		"root -1 0 7 7",
		"root 0 0 7 7 1 x",
		"root 0 0 4294967296 7",
	};
	struct facts facts;

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(parse(&facts, bad[i]) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(parse(&facts, "root 0 4095 7 8 9"), 0);
	ck_assert(facts.tun == -4095 && again.uid == 7 && again.gid == 8 && again.group_count == 1);
}
END_TEST

START_TEST(test_facts_hold_as_many_groups_as_a_process_can_have)
{
	static char line[2 * 65537 + 20];
	struct facts facts = { .caller = &again };
	char *end = stpcpy(line, "root 0 0 7 7");

	for (int i = 0; i < 65536; i++)
		end = stpcpy(end, " 1");
	ck_assert_int_eq(facts_parse(&facts, line), 0);
	ck_assert_uint_eq(again.group_count, 65536);
	end = stpcpy(line, "root 0 0 7 7");
	for (int i = 0; i < 65537; i++)
		end = stpcpy(end, " 1");
	ck_assert_int_eq(facts_parse(&facts, line), -EINVAL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_facts_are_one_variable,
		test_facts_come_out_as_they_went_in,
		test_facts_that_are_too_long_are_not_cut,
		test_facts_that_are_not_whole_are_refused,
		test_facts_hold_as_many_groups_as_a_process_can_have,
	};

	return run_tests("proto/facts", tests, COUNT(tests));
}
