/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c: `basilisk-tap status`: asks each running emulator of a user's how it is connected. The
 * emulators answer the user and root only.
 */
#include <errno.h>
#include <glob.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "mac.h"
#include "status.h"
#include "terminal.h"

static const char usage[] =
	"usage: basilisk-tap status [--json] [--user NAME]\n"
	"\n"
	"Tells of each running emulator: how it is connected and why not better, its MAC\n"
	"address, its peers and how they are reached, frames, and by reason what was dropped\n"
	"of them, and which announcements were ignored.\n"
	"\n"
	"  --json       as one JSON object; a number is a number, all else a string\n"
	"  --user NAME  of that user, by name or number, for root; root otherwise sees all users'\n"
	"  --help       this text\n"
	"\n"
	"Exit status: 3 where no emulator runs.\n";

struct printer {
	bool json;
	unsigned int n; /* emulators told of */
};

/* The value behind @key in the answer's lines, or "". Good until the answer goes. */
static const char *value(char *lines[], const char *key)
{
	size_t len = strlen(key);

	for (; *lines; lines++) {
		if (strncmp(*lines, key, len) == 0 && (*lines)[len] == '=')
			return *lines + len + 1;
	}
	return "";
}

static bool is_number(const char *key, const char *text)
{
	static const char *const strings[] = { "mac",	 "mode",      "attach", "tap", "uplink",
					       "reason", "discovery", "at",	"way" };

	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		if (strcmp(key, strings[i]) == 0)
			return false;
	}
	/* JSON has no number with a zero before it */
	return *text && text[strspn(text, "0123456789")] == '\0' && (*text != '0' || !text[1]);
}

static void print_json_pair(const char *key, const char *text, bool first)
{
	fputs(first ? "" : ", ", stdout);
	cli_json_string(stdout, key);
	fputs(": ", stdout);
	if (is_number(key, text))
		fputs(text, stdout);
	else
		cli_json_string(stdout, text);
}

/* "MAC key=value key=value…", in place */
static void print_json_peer(char *line, bool first)
{
	char *save, *word = strtok_r(line, " ", &save);

	fputs(first ? "\n    {" : ",\n    {", stdout);
	print_json_pair("mac", word ? word : "", true);
	while ((word = strtok_r(NULL, " ", &save))) {
		char *equals = strchr(word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		print_json_pair(word, equals + 1, false);
	}
	fputc('}', stdout);
}

static void print_json(char *lines[], uid_t uid, bool first)
{
	bool any = false;

	printf("%s\n  {\"user\": %u", first ? "" : ",", uid);
	for (char **l = lines; *l; l++) {
		char *equals = strchr(*l, '=');

		if (!equals || strncmp(*l, "peer=", 5) == 0 || strncmp(*l, "version=", 8) == 0)
			continue;
		*equals = '\0';
		print_json_pair(strcmp(*l, "peers") == 0 ? "peer-count" : *l, equals + 1, false);
		*equals = '=';
	}
	fputs(", \"peers\": [", stdout);
	for (char **l = lines; *l; l++) {
		if (strncmp(*l, "peer=", 5) == 0) {
			print_json_peer(*l + 5, !any);
			any = true;
		}
	}
	fputs("]}", stdout);
}

/* Counters whose keys begin with @prefix, those above zero, on one line. */
static void print_counters(char *lines[], const char *prefix, const char *label)
{
	bool any = false;

	for (; *lines; lines++) {
		const char *equals = strchr(*lines, '=');

		if (!equals || strncmp(*lines, prefix, strlen(prefix)) != 0 ||
		    strcmp(equals + 1, "0") == 0)
			continue;
		printf("%s%s %.*s", any ? ", " : label, equals + 1,
		       (int)(equals - *lines - (long)strlen(prefix)), *lines + strlen(prefix));
		any = true;
	}
	if (any)
		putchar('\n');
}

/* "MAC key=value …", for people. */
static void print_peer(char *line)
{
	static const char *const keys[] = { "way=", "at=", "heard=", "proven=" };
	const char *value[] = { "", "", "0", "1" }, *mac;
	char *save, *word;

	mac = strtok_r(line, " ", &save);
	while ((word = strtok_r(NULL, " ", &save))) {
		for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
			if (strncmp(word, keys[i], strlen(keys[i])) == 0)
				value[i] = word + strlen(keys[i]);
		}
	}
	printf("  peer        %s %s%s%s%s, heard of %.1f s ago%s\n", mac ? mac : "",
	       strcmp(value[0], "none") == 0 ? "not reached" : "by ",
	       strcmp(value[0], "none") == 0 ? "" : value[0], *value[1] ? " at " : "", value[1],
	       strtod(value[2], NULL) / 1000, strcmp(value[3], "0") == 0 ? ", never answered" : "");
}

static void print_text(char *lines[], uid_t uid, bool first)
{
	bool bridged = strcmp(value(lines, "mode"), "bridge") == 0;

	printf("%sslot %s of user %u: %s%s%s, MAC %s, UDP port %s, process %s\n", first ? "" : "\n",
	       value(lines, "slot"), uid,
	       terminal_colour(stdout, bridged ? TERMINAL_GOOD : TERMINAL_WARNING),
	       bridged ? "bridged" : "peer to peer", terminal_colour(stdout, TERMINAL_PLAIN),
	       value(lines, "mac"), value(lines, "port"), value(lines, "pid"));
	if (*value(lines, "tap"))
		printf("  attached    %s by %s%s%s\n", value(lines, "attach"), value(lines, "tap"),
		       *value(lines, "uplink") ? " to " : "", value(lines, "uplink"));
	if (*value(lines, "reason"))
		printf("  because     %s\n", value(lines, "reason"));
	if (*value(lines, "discovery"))
		printf("  discovery   %s\n", value(lines, "discovery"));
	printf("  frames      %s sent; received %s by TAP, %s by tunnel\n", value(lines, "sent"),
	       value(lines, "from-tap"), value(lines, "from-tunnel"));
	print_counters(lines, "drop-", "  dropped     ");
	print_counters(lines, "ignored-", "  ignored     ");
	for (; *lines; lines++) {
		if (strncmp(*lines, "peer=", 5) == 0)
			print_peer(*lines + 5);
	}
}

/* Asks all slots of @uid. 0 or a negative errno: -EPERM, -EACCES: it is not for us to ask there. */
static int ask_user(uid_t uid, struct printer *printer, char *text)
{
	int error = 0;

	for (unsigned int slot = 0; slot < MAC_SLOTS; slot++) {
		ssize_t len = status_ask(uid, slot, text);
		char **lines;

		if (len == -ENOENT || len == -ECONNREFUSED)
			continue;
		if (len == 0 || len == -EPERM || len == -EACCES)
			return len ? (int)len : -EACCES;
		if (len < 0) {
			cli_fail(0,
				 "status: the emulator in slot %u of user %u does not answer (%s): "
				 "is it stopped?",
				 slot, uid, strerror((int)-len));
			error = (int)len;
			continue;
		}
		lines = cli_split(text);
		if (!lines) {
			cli_fail(0, "status: %s", strerror(ENOMEM));
			return -ENOMEM;
		}
		if (printer->json)
			print_json(lines, uid, !printer->n);
		else
			print_text(lines, uid, !printer->n);
		printer->n++;
		free(lines);
	}
	return error;
}

/* All users who have a directory of emulators. */
static int ask_all(struct printer *printer, char *text)
{
	static const char pattern[] = "/tmp/basilisk-tap-*";
	glob_t found;
	int error = 0;

	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *number = found.gl_pathv[i] + strlen(pattern) - 1;
		char *end;
		unsigned long uid = strtoul(number, &end, 10);

		if (*number >= '0' && *number <= '9' && !*end && uid < UINT32_MAX) {
			int failed = ask_user((uid_t)uid, printer, text);

			if (failed && failed != -EPERM && failed != -EACCES)
				error = failed;
		}
	}
	globfree(&found);
	return error;
}

int status_main(int argc, char *argv[])
{
	struct printer printer = { 0 };
	const char *user = NULL;
	const struct cli_option options[] = {
		{ .name = "--json", .flag = &printer.json },
		{ .name = "--user", .value = &user },
		{ .name = NULL },
	};
	char *text, path[SLOT_PATH_SIZE];
	int status, error;
	uid_t uid;

	if (!cli_only_options(argc, argv, options, usage, &status))
		return status;
	if (!cli_user(user, &uid))
		return CLI_FAILED;
	text = malloc(STATUS_TEXT_SIZE);
	if (!text)
		return cli_fail(CLI_FAILED, "status: %m");
	if (printer.json)
		fputs("{\"version\": 1, \"emulators\": [", stdout);
	error = !user && geteuid() == 0 ? ask_all(&printer, text) : ask_user(uid, &printer, text);
	if (printer.json)
		puts("\n]}");
	free(text);
	if (error == -EPERM || error == -EACCES)
		return cli_fail(CLI_FAILED,
				"status: %s is another user's, or not its user's alone: ask as "
				"root, or have it removed",
				slot_path(uid, path));
	if (error)
		return CLI_FAILED;
	if (!printer.n && !printer.json)
		cli_fail(0, "no emulator runs on the network here: start one with 'ether auto' in "
			    "its prefs");
	return printer.n ? CLI_OK : CLI_NOTHING;
}
