/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_utf8.c: which bytes are a character that people may see.
 */
#include "proto_test.h"
#include "utf8.h"

static size_t len_of(const char *text, size_t left)
{
	return utf8_len(at_edge(text, left), left);
}

START_TEST(test_characters_of_every_length_are_taken_at_both_ends_of_their_range)
{
	/* clang-format off: a row for each kind */
	static const char *const good[] = {
		" ",
		"~",
		"\xc2\xa0",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT(good); i++) {
		size_t len = strlen(good[i]);

		ck_assert_uint_eq(len_of(good[i], len), len);
		/* cut short it is none */
		for (size_t left = 0; left < len; left++)
			ck_assert_uint_eq(len_of(good[i], left), 0);
	}
}
END_TEST

START_TEST(test_what_follows_a_character_is_not_looked_at)
{
	ck_assert_uint_eq(len_of("a\xff", 2), 1);
	ck_assert_uint_eq(len_of("\xc3\xa9\x1b", 3), 2);
}
END_TEST

START_TEST(test_what_a_terminal_might_obey_is_none)
{
	for (int c = 0; c < ' '; c++)
		ck_assert_uint_eq(len_of(&(char){ (char)c }, 1), 0);
	ck_assert_uint_eq(len_of("\x7f", 1), 0);
	for (unsigned int c = 0x80; c < 0xa0; c++)
		ck_assert_uint_eq(len_of((const char[]){ '\xc2', (char)c }, 2), 0);
}
END_TEST

START_TEST(test_what_is_not_utf8_is_none)
{
	/* clang-format off: a row for each kind */
	static const char *const bad[] = {
		"\x80",
		"\xbf", /* a middle alone */
		"\xc0\xaf",
		"\xc1\xbf", /* two bytes for one */
		"\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf", /* three for two, four for three */
		"\xed\xa0\x80",
		"\xed\xbf\xbf", /* surrogates */
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff", /* beyond U+10FFFF */
		"\xc3(",
		"\xe2\x82(",
		"\xe2(\xac",
		"\xf0\x9f\x98(", /* another middle */
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_uint_eq(len_of(bad[i], strlen(bad[i])), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_characters_of_every_length_are_taken_at_both_ends_of_their_range,
		test_what_follows_a_character_is_not_looked_at,
		test_what_a_terminal_might_obey_is_none,
		test_what_is_not_utf8_is_none,
	};

	return run_tests("utf8", tests, COUNT(tests));
}
