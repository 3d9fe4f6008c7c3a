/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor.c: `basilisk-tap doctor`: what `ether auto` would get here, and what is in the way.
 */
#include "doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char usage[] =
	"usage: basilisk-tap doctor [--json]\n"
	"\n"
	"Tells what `ether auto` would get this user on this machine, what is in the way of more,\n"
	"and what to do about each. Looks only, changes nothing. Takes 2 seconds.\n"
	"\n"
	"  --json       as one JSON object\n"
	"  --help       this text\n"
	"\n"
	"Exit status: 0 nothing is in the way; 1 something is; 2 a word is not understood.\n";

/* In this order they are made and told. */
static void (*const checks[])(struct doctor *doctor) = {
	doctor_check_helper_file, doctor_check_no_new_privs, doctor_check_login_groups,
	doctor_check_wireless,	  doctor_check_ingress,	     doctor_check_kernel,
	doctor_check_refusal,	  doctor_check_firewall,     doctor_check_peers,
	doctor_check_machine_id,  doctor_check_own_name,     doctor_check_macvlan,
	doctor_check_manager,
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

static void print_text(const struct doctor *doctor, const char *attach, const char *because,
		       bool problems)
{
	printf("`ether auto` here: %s%s%s\n", attach, *because ? ", because " : "", because);
	for (int problem = 1; problem >= 0; problem--) {
		for (size_t i = 0; i < doctor->findings; i++) {
			const struct finding *f = &doctor->finding[i];

			if (f->problem != problem)
				continue;
			printf("\n%s  %s: %s\n", problem ? "problem" : "note   ", f->check,
			       f->what);
			if (f->remedy[0])
				printf("         what to do: %s\n", f->remedy);
		}
	}
	if (!problems)
		printf("%snothing is in the way\n", doctor->findings ? "\n" : "");
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
	doctor_ask_helper(doctor);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](doctor);
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
