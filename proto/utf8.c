/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf8.c: see utf8.h.
 */
#include "utf8.h"

#include <stdint.h>

size_t utf8_len(const void *text, size_t left)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = text;
	size_t len;
	uint32_t c;

	if (!left)
		return 0;
	len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len == 0 || len > left || p[0] > 0xf4)
		return 0;
	if (len == 1)
		return p[0] >= ' ' && p[0] != 0x7f;
	c = p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c < 0xa0)
		return 0;
	return len;
}
