/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_outcome.c: the codes that scripts rely on, and the line that people read.
 */
#include <errno.h>

#include "outcome.h"
#include "proto_test.h"

/* Written out once more, so that nobody renumbers or renames them by accident. */
static const char *const names[] = {
	"ok",
	"system",
	"usage",
	"denied",
	"no-policy",
	"bad-policy",
	"no-privilege",
	"no-tun",
	"bad-name",
	"bad-descriptor",
	"no-uplink",
	"uplink-unfit",
	"bridge-refused",
	"other-attachment",
	"quota",
	"slot-busy",
	"foreign-device",
	"foreign-namespace",
	"not-alive",
	"in-use",
	"not-root",
	"handover",
	"hostile-start",
	"drop",
	"tun-denied",
	"no-report",
};

static bool is_one_line(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

START_TEST(test_outcome_codes_and_names_never_change)
{
	ck_assert_uint_eq(COUNT(names), OUTCOME_COUNT);
	for (unsigned int code = 0; code < COUNT(names); code++)
		ck_assert_str_eq(outcome_name(code), names[code]);
	ck_assert_uint_eq(OUTCOME_DENIED, 3);
	ck_assert_uint_eq(OUTCOME_FOREIGN_NAMESPACE, 17);
	ck_assert_uint_eq(OUTCOME_DROP, 23);
	ck_assert_uint_eq(OUTCOME_TUN_DENIED, 24);
}
END_TEST

START_TEST(test_tun_that_may_not_be_opened_is_another_thing_than_none)
{
	static const struct {
		int err;
		enum outcome_code code;
	} cases[] = { { ENOENT, OUTCOME_NO_TUN },
		      { ENODEV, OUTCOME_NO_TUN },
		      { EACCES, OUTCOME_TUN_DENIED },
		      { EPERM, OUTCOME_TUN_DENIED } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct outcome outcome = { .code = OUTCOME_OK };

		ck_assert_int_eq(outcome_set_tun(&outcome, cases[i].err), -1);
		ck_assert_int_eq(outcome.code, cases[i].code);
		ck_assert_ptr_nonnull(strstr(outcome.what, strerror(cases[i].err)));
	}
}
END_TEST

START_TEST(test_outcome_of_an_errno_is_what_and_why)
{
	struct outcome outcome = { 0 };

	ck_assert_int_eq(outcome_set_errno(&outcome, 0, "making %s", "it"), 0);
	ck_assert_int_eq(outcome_set_errno(&outcome, 5, "making %s", "it"), 0);
	ck_assert_int_eq(outcome.code, OUTCOME_OK);
	ck_assert_int_eq(outcome_set_errno(&outcome, -ENODEV, "making %s", "it"), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_SYSTEM);
	ck_assert_str_eq(outcome.what, "making it: No such device");
	ck_assert_int_eq(outcome_set_errno(&outcome, -EIO, "later"), -1);
	ck_assert_str_eq(outcome.what, "making it: No such device");
}
END_TEST

START_TEST(test_outcome_of_each_code_has_a_sentence_and_a_remedy)
{
	for (unsigned int code = 0; code < OUTCOME_COUNT; code++) {
		ck_assert(outcome_sentence(code)[0] && is_one_line(outcome_sentence(code)));
		ck_assert(is_one_line(outcome_remedy(code)));
		ck_assert_int_eq(outcome_remedy(code)[0] != '\0', code != OUTCOME_OK);
	}
}
END_TEST

START_TEST(test_outcome_beyond_the_last_has_nothing)
{
	static const unsigned int beyond[] = { OUTCOME_COUNT, 255, -1u };

	for (size_t i = 0; i < COUNT(beyond); i++) {
		ck_assert_ptr_null(outcome_name(beyond[i]));
		ck_assert_ptr_null(outcome_sentence(beyond[i]));
		ck_assert_ptr_null(outcome_remedy(beyond[i]));
	}
}
END_TEST

START_TEST(test_outcome_keeps_the_first_failure)
{
	struct outcome outcome = { 0 };

	ck_assert_int_eq(outcome_set(&outcome, OUTCOME_QUOTA, "slot %d of %s", 8, "max"), -1);
	ck_assert_int_eq(outcome_set(&outcome, OUTCOME_SYSTEM, "later"), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_QUOTA);
	ck_assert_str_eq(outcome.what, "slot 8 of max");
}
END_TEST

START_TEST(test_outcome_shows_no_byte_of_a_callers_that_is_not_printable)
{
	for (unsigned int byte = 1; byte < 256; byte++) {
		const char text[] = { 'a', (char)byte, 'z', '\0' };
		struct outcome outcome = { 0 };
		const bool good = byte >= ' ' && byte <= '~';

		outcome_set(&outcome, OUTCOME_USAGE, "%s", text);
		ck_assert_int_eq(outcome.what[0], 'a');
		ck_assert_int_eq((uint8_t)outcome.what[1], good ? byte : '?');
		ck_assert_str_eq(outcome.what + 2, "z");
	}
}
END_TEST

START_TEST(test_outcome_cuts_what_is_too_long)
{
	struct {
		struct outcome outcome;
		char behind;
	} o = { .behind = 'x' };
	char text[OUTCOME_WHAT_SIZE + 100];

	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	outcome_set(&o.outcome, OUTCOME_USAGE, "%s", text);
	ck_assert_uint_eq(strlen(o.outcome.what), OUTCOME_WHAT_SIZE - 1);
	ck_assert_int_eq(o.behind, 'x');
}
END_TEST

START_TEST(test_outcome_text_is_what_and_the_remedy)
{
	struct outcome outcome = { 0 };
	char text[OUTCOME_TEXT_SIZE];

	outcome_set(&outcome, OUTCOME_NOT_ROOT, "--release is root's alone, not user %u's", 1000);
	ck_assert_ptr_eq(outcome_text(&outcome, text, sizeof(text)), text);
	ck_assert_str_eq(text, "--release is root's alone, not user 1000's: run it with sudo");
}
END_TEST

START_TEST(test_outcome_text_falls_back_to_the_sentence)
{
	struct outcome outcome = { .code = OUTCOME_IN_USE };
	char text[OUTCOME_TEXT_SIZE];

	ck_assert_str_eq(outcome_text(&outcome, text, sizeof(text)),
			 "TAPs are still alive: end their emulators first");
	outcome.code = OUTCOME_OK;
	ck_assert_str_eq(outcome_text(&outcome, text, sizeof(text)), "done");
	strcpy(outcome.what, "all is well");
	ck_assert_str_eq(outcome_text(&outcome, text, sizeof(text)), "all is well");
}
END_TEST

START_TEST(test_outcome_text_has_room_for_the_longest)
{
	for (unsigned int code = 1; code < OUTCOME_COUNT; code++) {
		struct outcome outcome = { .code = code };
		const char *remedy = outcome_remedy(code);
		char text[OUTCOME_TEXT_SIZE];

		memset(outcome.what, 'w', sizeof(outcome.what) - 1);
		outcome_text(&outcome, text, sizeof(text));
		ck_assert_str_eq(text + OUTCOME_WHAT_SIZE - 1 + strlen(": "), remedy);
	}
}
END_TEST

START_TEST(test_outcome_text_is_cut_to_its_buffer)
{
	const struct outcome outcome = { .code = OUTCOME_USAGE, .what = "what" };
	char text[12] = "xxxxxxxxxxx";

	outcome_text(&outcome, text, 8);
	ck_assert_str_eq(text, "what: s");
	ck_assert_str_eq(text + 8, "xxx");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_outcome_codes_and_names_never_change,
		test_tun_that_may_not_be_opened_is_another_thing_than_none,
		test_outcome_of_an_errno_is_what_and_why,
		test_outcome_of_each_code_has_a_sentence_and_a_remedy,
		test_outcome_beyond_the_last_has_nothing,
		test_outcome_keeps_the_first_failure,
		test_outcome_shows_no_byte_of_a_callers_that_is_not_printable,
		test_outcome_cuts_what_is_too_long,
		test_outcome_text_is_what_and_the_remedy,
		test_outcome_text_falls_back_to_the_sentence,
		test_outcome_text_has_room_for_the_longest,
		test_outcome_text_is_cut_to_its_buffer,
	};

	return run_tests("proto/outcome", tests, COUNT(tests));
}
