/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter.c: see filter.h. The program itself is build/gen/filter-program.h, by gen/filter-gen.c.
 */
#include "filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "filter-program.h"

int filter_load(struct outcome *outcome)
{
	const struct sock_fprog program = {
		.len = sizeof(filter_program) / sizeof(filter_program[0]),
		.filter = (struct sock_filter *)filter_program,
	};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		return 0;
	return outcome_set_errno(outcome, -errno, "seccomp");
}
