/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * terminal.h: what the commands do for somebody who watches, and for nobody else: colour where the
 * output is a terminal, and a word of what is waited for where stderr is one. A file or a pipe gets
 * plain text, and so does everyone who has set NO_COLOR or a TERM of "dumb".
 */
#ifndef BASILISK_TAP_CLI_TERMINAL_H
#define BASILISK_TAP_CLI_TERMINAL_H

#include <stdio.h>

enum terminal_colour {
	TERMINAL_PLAIN, /* back to it */
	TERMINAL_BOLD,
	TERMINAL_GOOD,
	TERMINAL_WARNING,
	TERMINAL_BAD,
};

/* What switches @file, a stream that is printed to, to @colour: "" where that is no terminal's. */
const char *terminal_colour(FILE *file, enum terminal_colour colour);

/* Tells on stderr what is waited for, in place of what was told before; "" clears it. */
void terminal_progress(const char *text);

#endif
