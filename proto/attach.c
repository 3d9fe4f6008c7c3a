/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.c: see attach.h. Pure: no I/O, no globals, no allocation.
 */
#include "attach.h"

#include <errno.h>
#include <string.h>

static const char *const names[ATTACH_COUNT] = {
	[ATTACH_NO] = "no",	    [ATTACH_PATCH] = "patch", [ATTACH_JOIN] = "join",
	[ATTACH_BRIDGE] = "bridge", [ATTACH_HOST] = "host",   [ATTACH_NONE] = "none",
};

const char *attach_name(unsigned int attach)
{
	return attach < ATTACH_COUNT ? names[attach] : NULL;
}

int attach_parse(const char *text, size_t len)
{
	for (int i = 0; i < ATTACH_COUNT; i++)
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0)
			return i;
	return -EINVAL;
}

bool attach_is_bridged(enum attach attach)
{
	return attach == ATTACH_PATCH || attach == ATTACH_JOIN || attach == ATTACH_BRIDGE;
}
