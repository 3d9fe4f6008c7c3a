/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_attach.c: the words and numbers of the attachments, which are on the wire.
 */
#include <errno.h>

#include "attach.h"
#include "proto_test.h"

/* Written out once more, so that nobody renumbers them by accident. */
static const struct {
	int value;
	const char *name;
	bool bridged;
} all[] = {
	{ 0, "no", false },    { 1, "patch", true }, { 2, "join", true },
	{ 3, "bridge", true }, { 4, "host", false }, { 5, "none", false },
};

START_TEST(test_attach_values_and_words_never_change)
{
	ck_assert_uint_eq(COUNT(all), ATTACH_COUNT);
	for (size_t i = 0; i < COUNT(all); i++) {
		const size_t len = strlen(all[i].name);

		ck_assert_str_eq(attach_name((unsigned int)all[i].value), all[i].name);
		ck_assert_int_eq(attach_parse(at_edge(all[i].name, len), len), all[i].value);
	}
}
END_TEST

START_TEST(test_attach_beyond_the_last_has_no_name)
{
	ck_assert_ptr_null(attach_name(ATTACH_COUNT));
	ck_assert_ptr_null(attach_name(255));
	ck_assert_ptr_null(attach_name(-1u));
}
END_TEST

START_TEST(test_attach_parse_takes_whole_words_alone)
{
	static const char *const bad[] = {
		"",	 "n",	 "nope",   "non",    "nonee", "Patch",
		"PATCH", "patc", "patch ", " patch", "auto",
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(attach_parse(at_edge(bad[i], strlen(bad[i])), strlen(bad[i])),
				 -EINVAL);
	ck_assert_int_eq(attach_parse("patch", 6), -EINVAL);
	ck_assert_int_eq(attach_parse("nobody", 2), ATTACH_NO);
}
END_TEST

START_TEST(test_attach_reaches_the_lan_by_patch_join_and_bridge)
{
	for (size_t i = 0; i < COUNT(all); i++)
		ck_assert_int_eq(attach_is_bridged((enum attach)all[i].value), all[i].bridged);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_attach_values_and_words_never_change,
		test_attach_beyond_the_last_has_no_name,
		test_attach_parse_takes_whole_words_alone,
		test_attach_reaches_the_lan_by_patch_join_and_bridge,
	};

	return run_tests("proto/attach", tests, COUNT(tests));
}
