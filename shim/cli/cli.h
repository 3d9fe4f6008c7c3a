/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cli.h: what the commands of `basilisk-tap` share. Each command is a function in a file of its
 * name; main.c has the table.
 */
#ifndef BASILISK_TAP_CLI_H
#define BASILISK_TAP_CLI_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* Exit statuses. In scripts and documentation: never change one. */
enum {
	CLI_OK = 0,
	CLI_FAILED = 1,	      /* the system refused what should work */
	CLI_USAGE = 2,	      /* a word of the command line is not understood */
	CLI_NOTHING = 3,      /* status: no emulator runs; chooser: nobody answers */
	CLI_NO_START = 126,   /* run: the program is there, but does not start, or not with us */
	CLI_NO_PROGRAM = 127, /* run: there is no such program */
};

/* Each gets its own words, argv[0] being the command's name, and returns an exit status. */
int run_main(int argc, char *argv[]);
int peers_main(int argc, char *argv[]);
int status_main(int argc, char *argv[]);
int chooser_main(int argc, char *argv[]);
int doctor_main(int argc, char *argv[]);
int mac_main(int argc, char *argv[]);

/* An option of a command: sets *@flag, or *@value to the word behind it ("--slot 3", "--slot=3").
 */
struct cli_option {
	const char *name; /* with its dashes; NULL ends a table */
	bool *flag;
	const char **value;
};

/*
 * Reads options up to the first word that is none, or behind "--". Returns that word's index; or
 * -1 where the command is to end with *@status, because of --help, which prints @usage, or of a
 * word that is not understood, which is named.
 */
int cli_options(int argc, char *argv[], const struct cli_option *options, const char *usage,
		int *status);

/* The same for commands that take no other words: true if all is understood. */
bool cli_only_options(int argc, char *argv[], const struct cli_option *options, const char *usage,
		      int *status);

/* One line on stderr, "basilisk-tap: " before it. Returns @status. */
int cli_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The user that @name, a login name or number, means; NULL is the caller. False: said on stderr. */
bool cli_user(const char *name, uid_t *uid);

/* Splits @text at its line ends, in place. The array's end is NULL; freed by the caller. */
char **cli_split(char *text);

/* @text as a JSON string, quotes and all. What a terminal should not see comes out as U+FFFD. */
void cli_json_string(FILE *file, const char *text);

#endif
