/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: `basilisk-tap`, the command for people: starts emulators on the network, and shows what
 * is there.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct {
	const char *name;
	int (*main)(int argc, char *argv[]);
	const char *description;
} commands[] = {
	{ "run", run_main, "start an emulator with `ether auto` at its service" },
	{ "peers", peers_main, "list the emulators on the network" },
	{ "status", status_main, "tell how this user's running emulators are connected" },
	{ "mac", mac_main, "print the MAC address to give to QEMU" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(FILE *file)
{
	fputs("usage: basilisk-tap COMMAND [OPTION]...\n\n", file);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].description);
	fputs("\n"
	      "  basilisk-tap COMMAND --help tells more of each; --version tells this one's.\n"
	      "\n"
	      "Exit status: 0 done; 1 the system refused; 2 a word is not understood; 3 there is\n"
	      "nothing to tell of (status); run ends as the program does, or with 126 where it\n"
	      "does not start, 127 where there is none.\n",
	      file);
	return ferror(file) ? CLI_FAILED : CLI_OK;
}

int main(int argc, char *argv[])
{
	const char *word = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < COMMANDS; i++) {
		int status;

		if (strcmp(word, commands[i].name) != 0)
			continue;
		status = commands[i].main(argc - 1, argv + 1);
		if (fflush(stdout) == EOF && status == CLI_OK)
			return cli_fail(CLI_FAILED, "cannot write: %m");
		return status;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return help(stdout);
	if (strcmp(word, "--version") == 0) {
		printf("basilisk-tap %s\n", VERSION);
		return CLI_OK;
	}
	if (!*word) {
		help(stderr);
		return CLI_USAGE;
	}
	return cli_fail(CLI_USAGE, "'%s' is not a command (try --help)", word);
}
