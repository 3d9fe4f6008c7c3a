/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * number.c: see number.h. Pure: no I/O, no globals, no allocation.
 */
#include "number.h"

#include <errno.h>

int number_parse(const char *text, size_t len, uint32_t max, uint32_t *value)
{
	uint64_t v = 0;

	if (len == 0 || (len > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		/* clamped, not cut: 30 digits are still "too large" and cannot wrap round */
		if (v <= UINT32_MAX)
			v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (v > max)
		return -ERANGE;
	*value = (uint32_t)v;
	return 0;
}
