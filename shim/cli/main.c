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
	{ "doctor", doctor_main, "tell what this machine would get, and what is in the way" },
	{ "chooser", chooser_main, "list what a Mac's Chooser would list, and ping it" },
	{ "mac", mac_main, "print the MAC address to give to QEMU" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *file)
{
	fputs("usage: basilisk-tap COMMAND [OPTION]...\n\n", file);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].description);
	fputs("\n"
	      "  basilisk-tap COMMAND --help tells more of each; --version tells this one's.\n"
	      "\n"
	      "Exit status: 0 done; 1 the system refused, or something is in the way (doctor); 2 a\n"
	      "word is not understood; 3 there is nothing to tell of (status), nobody answers\n"
	      "(chooser); run ends as the program does, or with 126 where it does not start, 127\n"
	      "where there is none.\n",
	      file);
}

static int dispatch(int argc, char *argv[])
{
	const char *word = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(word, commands[i].name) == 0)
			return commands[i].main(argc - 1, argv + 1);
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		help(stdout);
		return CLI_OK;
	}
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

int main(int argc, char *argv[])
{
	int status = dispatch(argc, argv);

	/* whatever else there is to tell: who reads it has got less than all, or nothing */
	if (fflush(stdout) == EOF || ferror(stdout))
		return cli_fail(CLI_FAILED, "cannot write to the standard output: %m");
	return status;
}
