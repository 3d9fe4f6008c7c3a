/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chooser_print.h: what `basilisk-tap chooser` prints: for people, or as parts of its JSON object.
 */
#ifndef BASILISK_TAP_CLI_CHOOSER_PRINT_H
#define BASILISK_TAP_CLI_CHOOSER_PRINT_H

#include "chooser_look.h"

#define CHOOSER_ADDRESS_SIZE 16 /* "65534.253" and the final NUL */

/* "NET.NODE"; @text gets CHOOSER_ADDRESS_SIZE bytes. Returns @text. */
const char *chooser_format_address(struct at_address address, char *text);

/* Who we are on this network, and what its router said: one line on stderr. */
void chooser_print_self(const struct node *node);

/* The same on stdout: the start of the object, up to where a comma may follow. */
void chooser_print_self_json(const struct node *node);

void chooser_print_list(const struct look *look);

/* The rest of the object. */
void chooser_print_list_json(const struct look *look);

#endif
