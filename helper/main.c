/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: basilisk-tap-helper's life, a few milliseconds long, stage by stage. See
 * basilisk-tap-helper(8) for how it is called.
 *
 *   stage        what the process may do afterwards
 *   1 distrust   everything its privilege allows, but nothing of the caller's is in force
 *   2 open       likewise; all it will ever use is open
 *   3 drop       CAP_NET_ADMIN, as a user of its own; read what is open
 *   4 decide     likewise; it knows what is asked, by whom, and whether that is allowed
 *   5 filter     a handful of system calls on five descriptors
 *   6 act        likewise
 *   7 hand over  exit
 */
#include <errno.h>
#include <unistd.h>

#include "run.h"
#include "drop.h"
#include "early.h"
#include "filter.h"
#include "say.h"

/* #syscall exit_group */
int main(int argc, char *argv[])
{
	/* large, and never on a stack whose limit the caller has set */
	static struct run run;
	struct outcome *outcome = &run.outcome;
	uint32_t user, group;
	int failed = 0;

	run.early = (struct early)EARLY_CLOSED;
	/* 1 */
	failed = early_distrust(argc, outcome);
	/* 2 */
	run.mode = drop_look();
	decide_note_caller(&run);
	if (!failed)
		failed = early_open(&run.early, outcome);
	/* 3: whatever failed, nothing is said before this */
	decide_own_user(&run, &user, &group);
	if (drop_to_net_admin(run.mode, user, group, outcome))
		failed = -1;
	/* 4 */
	if (!failed)
		failed = request_parse(argc, argv, &run.request, outcome);
	if (!failed && !decide_needs_privilege(&run))
		return tell(&run, argv);
	if (!failed)
		failed = decide(&run);
	/* 5 */
	if (!failed)
		failed = filter_load(outcome);
	/* 6 */
	if (!failed)
		act(&run);
	/* 7 */
	hand_over(&run);
	_exit(outcome->code);
}
