/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suite.h: the end of each unit test's main(), and of a test that cannot be made here.
 */
#ifndef BASILISK_TAP_TESTS_UNIT_SUITE_H
#define BASILISK_TAP_TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* At the beginning of a test. What it says of one that ends here, tests/run takes for skipped. */
#define NEEDS(condition, reason)                                                                   \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("skip %s: %s\n", __func__, reason);                                 \
			fflush(stdout);                                                            \
			return;                                                                    \
		}                                                                                  \
	} while (0)

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
