/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor.c: `basilisk-tap doctor`: what `ether auto` would get here, and what is in the way.
 */
#include "doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "cli.h"
#include "terminal.h"

static const char usage[] =
	"usage: basilisk-tap doctor [--json]\n"
	"\n"
	"Tells what `ether auto` would get this user on this machine, what is in the way of more,\n"
	"and what to do about each. Looks only, changes nothing. Takes 2 seconds, some more where\n"
	"a machine of the LAN has to be asked whether an address is its own.\n"
	"\n"
	"  --json       as one JSON object\n"
	"  --help       this text\n"
	"\n"
	"Exit status: 0 nothing is in the way; 1 something is; 2 a word is not understood.\n";

/* In this order they are made and told. */
static const struct {
	void (*look)(struct doctor *doctor);
	const char *at; /* for who watches: what takes a moment */
} checks[] = {
	{ doctor_check_helper_file, NULL },
	{ doctor_check_no_new_privs, NULL },
	{ doctor_check_login_groups, NULL },
	{ doctor_check_wireless, "looking at the network card" },
	{ doctor_check_ingress, NULL },
	{ doctor_check_kernel, NULL },
	{ doctor_check_refusal, NULL },
	{ doctor_check_attachment, NULL },
	{ doctor_check_firewall, "trying the firewall" },
	{ doctor_check_peers, "listening for other emulators" },
	{ doctor_check_neighbours, "asking who has our addresses" },
	{ doctor_check_machine_id, NULL },
	{ doctor_check_prefs, NULL },
	{ doctor_check_macvlan, NULL },
	{ doctor_check_manager, NULL },
};

struct finding *doctor_find(struct doctor *doctor, const char *check, bool problem,
			    const char *what, ...)
{
	static struct finding too_many;
	struct finding *finding = doctor->findings < DOCTOR_FINDINGS_MAX ?
					  &doctor->finding[doctor->findings++] :
					  &too_many;
	va_list args;

	finding->check = check;
	finding->problem = problem;
	va_start(args, what);
	vsnprintf(finding->what, sizeof(finding->what), what, args);
	va_end(args);
	return finding;
}

void doctor_remedy(struct finding *finding, const char *remedy, ...)
{
	va_list args;

	va_start(args, remedy);
	vsnprintf(finding->remedy, sizeof(finding->remedy), remedy, args);
	va_end(args);
}

bool doctor_has(const struct doctor *doctor, const char *check)
{
	for (size_t i = 0; i < doctor->findings; i++) {
		if (strcmp(doctor->finding[i].check, check) == 0)
			return true;
	}
	return false;
}

/* Each fact is a line of its own: see FACT() in the helper's status. */
bool doctor_fact(const char *status, const char *fact, const char *key, char *value, size_t size)
{
	char start[64], name[64];
	const char *at, *end;
	size_t len = 0;

	*value = '\0';
	snprintf(start, sizeof(start), "{\"fact\": \"%s\"", fact);
	snprintf(name, sizeof(name), "\"%s\": \"", key);
	at = strstr(status, start);
	if (!at)
		return false;
	end = at + strcspn(at, "\n");
	at = strstr(at, name);
	if (!at || at >= end)
		return false;
	for (at += strlen(name); at < end && *at != '"' && len + 1 < size; at++) {
		if (*at == '\\' && at + 1 < end)
			at++;
		value[len++] = *at;
	}
	value[len] = '\0';
	return true;
}

/* ---- output ---- */

static void print_json(const struct doctor *doctor, const char *attach, const char *because)
{
	fputs("{\"version\": 1, \"attach\": ", stdout);
	cli_json_string(stdout, attach);
	fputs(", \"uplink\": ", stdout);
	cli_json_string(stdout, doctor->uplink);
	fputs(", \"because\": ", stdout);
	cli_json_string(stdout, because);
	fputs(", \"findings\": [", stdout);
	for (size_t i = 0; i < doctor->findings; i++) {
		const struct finding *f = &doctor->finding[i];

		printf("%s\n  {\"check\": \"%s\", \"problem\": %s, \"what\": ", i ? "," : "",
		       f->check, f->problem ? "true" : "false");
		cli_json_string(stdout, f->what);
		fputs(", \"remedy\": ", stdout);
		cli_json_string(stdout, f->remedy);
		putchar('}');
	}
	puts(doctor->findings ? "\n]}" : "]}");
}

/* As the emulator will say it, with the policy's word for it. */
static void print_outcome(const struct doctor *doctor, const char *attach)
{
	int value = attach_parse(attach, strlen(attach));

	if (value > ATTACH_NO && attach_is_bridged((enum attach)value))
		printf("bridged to %s (%s)", doctor->uplink, attach);
	else if (value == ATTACH_HOST)
		printf("this host and peer to peer only (%s)", attach);
	else if (value == ATTACH_NONE)
		printf("peer to peer only (%s)", attach);
	else
		fputs(attach, stdout);
}

static void print_text(const struct doctor *doctor, const char *attach, const char *because,
		       bool problems)
{
	const char *plain = terminal_colour(stdout, TERMINAL_PLAIN);

	printf("`ether auto` here: %s", terminal_colour(stdout, TERMINAL_BOLD));
	print_outcome(doctor, attach);
	printf("%s%s%s\n", plain, *because ? ", because " : "", because);
	for (int problem = 1; problem >= 0; problem--) {
		const char *colour =
			terminal_colour(stdout, problem ? TERMINAL_BAD : TERMINAL_WARNING);

		for (size_t i = 0; i < doctor->findings; i++) {
			const struct finding *f = &doctor->finding[i];

			if (f->problem != problem)
				continue;
			printf("\n%s%s%s  %s: %s\n", colour, problem ? "problem" : "note   ", plain,
			       f->check, f->what);
			if (f->remedy[0])
				printf("         what to do: %s\n", f->remedy);
		}
	}
	if (!problems)
		printf("%s%snothing is in the way%s\n", doctor->findings ? "\n" : "",
		       terminal_colour(stdout, TERMINAL_GOOD), plain);
}

/* What the helper says of `ether auto`. A socket's helper has its own privilege, which we cannot
 * see. */
static void summarize(const struct doctor *doctor, char *attach, size_t attach_size, char *because,
		      size_t because_size)
{
	char code[32];

	doctor_fact(doctor->status, "ether auto", "code", code, sizeof(code));
	if (doctor->socket && (!*code || strcmp(code, "no-privilege") == 0)) {
		snprintf(attach, attach_size, "as the helper of a service manager decides");
		snprintf(because, because_size, "it is asked by its socket");
		return;
	}
	if (!doctor_fact(doctor->status, "ether auto", "attach", attach, attach_size))
		snprintf(attach, attach_size, "peer to peer only");
	if (!doctor_fact(doctor->status, "ether auto", "because", because, because_size))
		snprintf(because, because_size, "the helper does not answer");
}

int doctor_main(int argc, char *argv[])
{
	bool json = false, problems = false;
	const struct cli_option options[] = {
		{ .name = "--json", .flag = &json },
		{ .name = NULL },
	};
	char attach[64], because[512];
	struct doctor *doctor;
	int status;

	if (!cli_only_options(argc, argv, options, usage, &status))
		return status;
	doctor = calloc(1, sizeof(*doctor));
	if (!doctor)
		return cli_fail(CLI_FAILED, "doctor: %m");
	terminal_progress("asking the helper");
	doctor_ask_helper(doctor);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i].at)
			terminal_progress(checks[i].at);
		checks[i].look(doctor);
	}
	terminal_progress("");
	for (size_t i = 0; i < doctor->findings; i++)
		problems = problems || doctor->finding[i].problem;
	summarize(doctor, attach, sizeof(attach), because, sizeof(because));
	if (json)
		print_json(doctor, attach, because);
	else
		print_text(doctor, attach, because, problems);
	free(doctor);
	return problems ? CLI_FAILED : CLI_OK;
}
