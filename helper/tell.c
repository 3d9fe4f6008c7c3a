/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tell.c: --status, --check, --help and --version need no privilege, so what answers them is not in
 * this program: when all privilege is gone, report/ is executed in its place.
 *
 * The path is fixed when this is built. The program gets the words of the caller's, which are
 * understood already, one variable, the standard streams, and the policy, open for reading.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "facts.h"
#include "run.h"
#include "say.h"

/*
 * Enough for a slow reader. Not for ever: its caller cannot end a process of our user's, and no
 * limit of his counts it.
 */
#define SECONDS_TO_TELL 10

/* Closes all but the standard streams and @policy (negative: there is none). 0 or -errno. */
static int keep_policy(int policy)
{
	/* by way of a high number: the fixed one may be its own already, and then closes itself */
	const int above = policy < 0 ? -1 : fcntl(policy, F_DUPFD, FD_ABOVE);
	const bool kept = above >= 0 && dup2(above, FACTS_POLICY) == FACTS_POLICY;

	if (policy >= 0 && !kept)
		return -errno;
	return close_range(kept ? FACTS_POLICY + 1 : FACTS_POLICY, ~0u, 0) < 0 ? -errno : 0;
}

int tell(struct run *run, char *const argv[])
{
	static char text[FACTS_MAX];
	const struct facts facts = { .mode = drop_mode_name(run->mode),
				     .policy = run->early.policy < 0 ? run->early.policy : 0,
				     .tun = run->early.tun < 0 ? run->early.tun : 0,
				     .caller = &run->caller };
	char *const environment[] = { text, NULL };
	char said[OUTCOME_TEXT_SIZE];
	int err;

	if (drop_all(&run->outcome) == 0) {
		early_live_for(SECONDS_TO_TELL);
		err = facts_format(&facts, text, sizeof(text));
		if (!err)
			err = keep_policy(run->early.policy);
		if (!err)
			err = execve(REPORT_PATH, argv, environment) < 0 ? -errno : 0;
		outcome_set(&run->outcome, OUTCOME_NO_REPORT, "%s: %s", REPORT_PATH,
			    strerror(-err));
	}
	say_line("%s", outcome_text(&run->outcome, said, sizeof(said)));
	return (int)run->outcome.code;
}
