/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.c: see program.h. Nothing is assembled here: the instructions are constant but for
 * the bytes of one address.
 */
#include "program.h"

#include "bytes.h"

static const struct program programs[PROGRAM_COUNT] = {
#include "programs.h"
};

struct program program_make(enum program_name name, const struct mac *mac)
{
	struct program p = programs[name];

	for (uint16_t n = 0; n < p.len; n++)
		if (p.patch[n] == PATCH_MAC_HIGH)
			p.code[n].k = get_be32(mac->byte);
		else if (p.patch[n] == PATCH_MAC_LOW)
			p.code[n].k = get_be16(mac->byte + 4);
	return p;
}
