/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proto_test.h: what the unit tests of proto/ share: a main() in one line, and buffers that end
 * where the readable memory ends, so that a read of one byte too many kills the test.
 */
#ifndef BASILISK_TAP_TESTS_UNIT_PROTO_TEST_H
#define BASILISK_TAP_TESTS_UNIT_PROTO_TEST_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A copy of @len bytes, at most a page, behind which nothing can be read. Never freed. */
static inline void *at_edge(const void *data, size_t len)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *two =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(two != MAP_FAILED && len <= page);
	ck_assert_int_eq(mprotect(two + page, page, PROT_NONE), 0);
	if (len)
		memcpy(two + page - len, data, len);
	return two + page - len;
}

/* Runs the tests, each in a process of its own; what main() returns. */
static inline int run_tests(const char *name, const TTest *const tests[], size_t count)
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create(name);

	for (size_t i = 0; i < count; i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}

#endif
