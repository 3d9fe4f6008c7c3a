/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suite.h: the end of each unit test's main().
 */
#ifndef BASILISK_TAP_TESTS_UNIT_SUITE_H
#define BASILISK_TAP_TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs @suite's tests, each in a process of its own, and frees it; what main() returns. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
