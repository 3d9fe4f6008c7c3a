/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_number.c: the strict parser of decimal numbers.
 */
#include <errno.h>

#include "number.h"
#include "proto_test.h"

#define UNTOUCHED 77777

static int parse(const char *text, size_t len, uint32_t max, uint32_t *value)
{
	*value = UNTOUCHED;
	return number_parse(at_edge(text, len), len, max, value);
}

START_TEST(test_number_reads_up_to_its_maximum)
{
	static const struct {
		const char *text;
		uint32_t max, value;
	} good[] = {
		{ "0", 0, 0 },
		{ "0", UINT32_MAX, 0 },
		{ "7", 7, 7 },
		{ "10", 15, 10 },
		{ "65535", 65535, 65535 },
		{ "1234567890", UINT32_MAX, 1234567890 },
		{ "4294967294", UINT32_MAX - 1, UINT32_MAX - 1 },
		{ "4294967295", UINT32_MAX, UINT32_MAX },
	};
	uint32_t value;

	for (size_t i = 0; i < COUNT(good); i++) {
		ck_assert_int_eq(parse(good[i].text, strlen(good[i].text), good[i].max, &value), 0);
		ck_assert_uint_eq(value, good[i].value);
	}
}
END_TEST

START_TEST(test_number_takes_digits_alone)
{
	static const char *const bad[] = {
		"",	"-1", "+1", " 1", "1 ", "1\n", "0x10", "1e3", "1.0",  "one",
		"12a4", "/",  ":",  "1/", "1:", "\t1", "--",   "1-",  "\xb2", "1\xff",
	};
	uint32_t value;

	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_int_eq(parse(bad[i], strlen(bad[i]), UINT32_MAX, &value), -EINVAL);
		ck_assert_uint_eq(value, UNTOUCHED);
	}
	ck_assert_int_eq(parse("1\0", 2, UINT32_MAX, &value), -EINVAL);
	ck_assert_int_eq(parse("\0", 1, UINT32_MAX, &value), -EINVAL);
}
END_TEST

START_TEST(test_number_takes_no_leading_zero)
{
	static const char *const bad[] = { "00", "01", "007", "0000000000000000000000", "0x" };
	uint32_t value;

	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_int_eq(parse(bad[i], strlen(bad[i]), UINT32_MAX, &value), -EINVAL);
		ck_assert_uint_eq(value, UNTOUCHED);
	}
}
END_TEST

START_TEST(test_number_over_the_maximum_is_out_of_range_and_never_wraps)
{
	static const struct {
		const char *text;
		uint32_t max;
	} large[] = {
		{ "1", 0 },
		{ "16", 15 },
		{ "4294967295", UINT32_MAX - 1 },
		{ "4294967296", UINT32_MAX },		/* 2^32 */
		{ "4294967297", UINT32_MAX },		/* 2^32 + 1: 1 if it wrapped */
		{ "42949672950", UINT32_MAX },		/* 2^32 - 1 with a digit more */
		{ "18446744073709551616", UINT32_MAX }, /* 2^64 */
		{ "18446744073709551617", UINT32_MAX },
		{ "340282366920938463463374607431768211457", UINT32_MAX }, /* 2^128 + 1 */
		{ "100000000000000000000000000000000000000000000000000000000000000", UINT32_MAX },
	};
	uint32_t value;

	for (size_t i = 0; i < COUNT(large); i++) {
		ck_assert_int_eq(parse(large[i].text, strlen(large[i].text), large[i].max, &value),
				 -ERANGE);
		ck_assert_uint_eq(value, UNTOUCHED);
	}
}
END_TEST

START_TEST(test_number_that_is_long_and_wrong_is_wrong)
{
	uint32_t value;

	ck_assert_int_eq(parse("99999999999999999999x", 21, UINT32_MAX, &value), -EINVAL);
}
END_TEST

START_TEST(test_number_ends_where_it_is_told)
{
	uint32_t value;

	ck_assert_int_eq(parse("1234", 2, 100, &value), 0);
	ck_assert_uint_eq(value, 12);
	ck_assert_int_eq(parse("12", 0, 100, &value), -EINVAL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_number_reads_up_to_its_maximum,
		test_number_takes_digits_alone,
		test_number_takes_no_leading_zero,
		test_number_over_the_maximum_is_out_of_range_and_never_wraps,
		test_number_that_is_long_and_wrong_is_wrong,
		test_number_ends_where_it_is_told,
	};

	return run_tests("proto/number", tests, COUNT(tests));
}
