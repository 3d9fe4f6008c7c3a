/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * terminal.c: see terminal.h. Only the few codes of ECMA-48 that every terminal has.
 */
#include "terminal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_watched(FILE *file)
{
	const char *term = getenv("TERM");

	return isatty(fileno(file)) && (!term || strcmp(term, "dumb") != 0);
}

const char *terminal_colour(FILE *file, enum terminal_colour colour)
{
	static const char *const codes[] = {
		[TERMINAL_PLAIN] = "\033[0m",  [TERMINAL_BOLD] = "\033[1m",
		[TERMINAL_GOOD] = "\033[32m",  [TERMINAL_WARNING] = "\033[33m",
		[TERMINAL_BAD] = "\033[1;31m",
	};
	const char *no_colour = getenv("NO_COLOR");

	return is_watched(file) && !(no_colour && *no_colour) ? codes[colour] : "";
}

void terminal_progress(const char *text)
{
	if (is_watched(stderr))
		fprintf(stderr, "\r\033[K%s%s", text, *text ? " ..." : "");
}
