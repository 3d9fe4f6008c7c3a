/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: basilisk-tap-report, see report.h. It has its words from the helper, which has understood
 * them, and speaks in the helper's name: for people the two are one.
 *
 * May rely on nothing: anybody can start it, with any facts; then it tells just what these say.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "report.h"
#include "request.h"

static void print_help(void)
{
	fputs("usage: basilisk-tap-helper --fd=N [--slot=N] [--br=NAME] [--use-vnet]\n"
	      "       basilisk-tap-helper --repair --fd=N --slot=N [--br=NAME]\n"
	      "       basilisk-tap-helper --status [--json] | --check [--user=NAME] | --release\n"
	      "  --fd=N      send the TAP's descriptor over the unix socket N (3 or more)\n"
	      "  --slot=N    the caller's slot, 0 to 15; the reply is then the shim's\n"
	      "  --br=NAME   auto: what the policy says; or a bridge that a 'join' line names\n"
	      "  --repair    ensure again all that belongs to the live TAP of that slot\n"
	      "  --status    who may attach, and how; needs no privilege\n"
	      "  --check     what the policy says of the caller, or of --user\n"
	      "  --release   take the attachment down; root only, when no TAP is left\n"
	      "  --socket    serve the one request that comes over descriptor 0 (service manager)\n",
	      stdout);
	for (unsigned int code = 0; code < OUTCOME_COUNT; code++)
		printf("  exit %-2u %s: %s\n", code, outcome_name(code), outcome_sentence(code));
}

static void read_text(struct text *text, const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	files_read(text, fd < 0 ? -errno : fd);
	if (fd >= 0)
		close(fd);
}

/* The same files as the helper's, by the same readers. 0, or -1 with @outcome. */
static int read_files(struct report *report, struct outcome *outcome)
{
	const int machine = open("/etc/machine-id", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const int err = files_host(&report->host, machine < 0 ? -errno : machine, &report->scratch,
				   outcome);

	if (machine >= 0)
		close(machine);
	read_text(&report->users, "/etc/passwd");
	read_text(&report->groups, "/etc/group");
	files_policy(&report->policy, report->facts.policy ? report->facts.policy : FACTS_POLICY,
		     &report->users, &report->groups, &report->scratch, &report->policy_outcome);
	return err;
}

static int tell(struct report *report, const struct request *request, struct outcome *outcome)
{
	if (request->verb == REQUEST_HELP)
		print_help();
	else if (request->verb == REQUEST_VERSION)
		puts("basilisk-tap-helper " VERSION);
	else if (read_files(report, outcome))
		return -1;
	else if (request->verb == REQUEST_CHECK)
		return report_check(report, request->user, outcome);
	else
		return report_status(report, request->json, outcome);
	return 0;
}

int main(int argc, char *argv[])
{
	static struct report report;
	struct outcome outcome = { .code = OUTCOME_OK };
	char text[OUTCOME_TEXT_SIZE], *facts = getenv(FACTS_NAME);
	struct request request;

	report.facts.caller = &report.caller;
	if (!facts || facts_parse(&report.facts, facts))
		outcome_set(&outcome, OUTCOME_USAGE, "this program is for the helper to start");
	else if (request_parse(argc, argv, &request, &outcome) == 0)
		tell(&report, &request, &outcome);
	/* half of what stands would be taken for all of it */
	if ((fflush(stdout) || ferror(stdout)) && !outcome.code)
		outcome_set_errno(&outcome, -errno, "standard output");
	if (outcome.code)
		fprintf(stderr, "basilisk-tap-helper: %s\n",
			outcome_text(&outcome, text, sizeof(text)));
	return (int)outcome.code;
}
