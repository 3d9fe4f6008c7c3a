/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ifname.c: see ifname.h. Pure: no I/O, no globals, no allocation.
 */
#include "ifname.h"

#include <errno.h>
#include <string.h>

int ifname_check(const char *name, size_t len)
{
	if (len >= IFNAME_SIZE)
		return -ENAMETOOLONG;
	if (len == 0 || (len == 1 && name[0] == '.') || (len == 2 && memcmp(name, "..", 2) == 0))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("/:%", name[i]))
			return -EINVAL;
	return 0;
}
