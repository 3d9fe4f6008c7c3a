/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ether_option.h: the value of the emulator's `ether` preference, where it is ours. The grammar
 * is told in basilisk-tap.h. Pure: no I/O, no globals, no allocation.
 */
#ifndef BASILISK_TAP_SHIM_ETHER_OPTION_H
#define BASILISK_TAP_SHIM_ETHER_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "ifname.h"

enum ether_mode { ETHER_AUTO, ETHER_BRIDGE, ETHER_P2P };

#define ETHER_ERROR_SIZE 128

/* Owned by whoever declared it. */
struct ether_option {
	enum ether_mode mode;
	int slot;		  /* -1: the lowest free */
	uint16_t port;		  /* 0: TXT_PORT, or the next free */
	char bridge[IFNAME_SIZE]; /* "": what the policy says */
};

/* True where @ether begins with one of our modes and ends there or goes on with a separator. */
bool ether_option_is_ours(const char *ether);

/*
 * Reads @ether. 0; or -EINVAL with one line in @error (ETHER_ERROR_SIZE bytes, printable) that
 * names the word, and @option undefined.
 */
int ether_option_parse(const char *ether, struct ether_option *option, char *error);

#endif
