/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tell.c: --status, --check, --help and --version: what needs no privilege, and so has none.
 */
#include <errno.h>
#include <string.h>

#include "run.h"
#include "say.h"
#include "status.h"

/*
 * Enough for a slow reader. Not for ever: its caller cannot end a process of our user's, and no
 * limit of his counts it.
 */
#define SECONDS_TO_TELL 10

static void print_help(void)
{
	static const char *const lines[] = {
		"usage: basilisk-tap-helper --fd=N [--slot=N] [--br=NAME] [--use-vnet]",
		"       basilisk-tap-helper --repair --fd=N --slot=N [--br=NAME]",
		"       basilisk-tap-helper --status [--json] | --check [--user=NAME] | --release",
		"  --fd=N      send the TAP's descriptor over the unix socket N (3 or more)",
		"  --slot=N    the caller's slot, 0 to 15; the reply is then the shim's",
		"  --br=NAME   auto: what the policy says; or a bridge that a 'join' line names",
		"  --repair    ensure again all that belongs to the live TAP of that slot",
		"  --status    who may attach, and how; needs no privilege",
		"  --check     what the policy says of the caller, or of --user",
		"  --release   take the attachment down; root only, when no TAP is left",
		"  --socket    serve the one request that comes over descriptor 0 (service manager)",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		say_line(FD_OUT, "%s", lines[i]);
	for (unsigned int code = 0; code < OUTCOME_COUNT; code++)
		say_line(FD_OUT, "  exit %-2u %s: %s", code, outcome_name(code),
			 outcome_sentence(code));
}

/* --status and --check, which look at the same things. */
static int tell_state(struct run *run)
{
	struct status status = { .mode = run->mode,
				 .policy = &run->policy,
				 .policy_outcome = &run->policy_outcome,
				 .caller = &run->caller,
				 .early = &run->early,
				 .users = &run->users,
				 .groups = &run->groups };
	int err;

	if (decide_read_files(run))
		return -1;
	status.host = run->host;
	if (run->request.verb == REQUEST_CHECK)
		return status_check(&status, run->request.user, &run->caller, &run->outcome);
	err = nl_open(&run->route, run->early.route);
	if (!err)
		err = nl_open(&run->generic, run->early.generic);
	if (err)
		return outcome_set(&run->outcome, OUTCOME_SYSTEM, "netlink: %s", strerror(-err));
	return status_print(&run->route, &run->generic, &status, run->request.json, &run->outcome);
}

int tell(struct run *run)
{
	char text[OUTCOME_TEXT_SIZE];

	if (drop_all(&run->outcome) == 0) {
		early_live_for(SECONDS_TO_TELL);
		if (run->request.verb == REQUEST_HELP)
			print_help();
		else if (run->request.verb == REQUEST_VERSION)
			say_line(FD_OUT, "basilisk-tap-helper %s", VERSION);
		else
			tell_state(run);
	}
	if (run->outcome.code)
		say_line(FD_ERR, "basilisk-tap-helper: %s",
			 outcome_text(&run->outcome, text, sizeof(text)));
	return (int)run->outcome.code;
}
