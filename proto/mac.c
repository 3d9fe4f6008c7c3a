/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mac.c: see mac.h. Pure: no I/O, no globals, no allocation.
 */
#include "mac.h"

#include <errno.h>
#include <string.h>

#include "siphash.h"

/* Any constant would do; it must never change, or every guest gets a new address. */
static const struct siphash_key host_key = { 0x626173696c69736b, 0x2d7461702d6d6163 };

size_t mac_identity_len(const char *machine_id, size_t len)
{
	size_t n = 0;

	while (n < len && machine_id[n] > ' ')
		n++;
	return n;
}

uint32_t mac_host(const void *identity, size_t len)
{
	return (uint32_t)(siphash(&host_key, identity, len) & 0xffffff);
}

struct mac mac_make(uint32_t host, uint32_t uid, unsigned int slot)
{
	uint32_t low = (uid & 0xfff) << 4 | (slot & 0xf);

	return (struct mac){ {
		0xb2,
		(uint8_t)(host >> 16),
		(uint8_t)(host >> 8),
		(uint8_t)host,
		(uint8_t)(low >> 8),
		(uint8_t)low,
	} };
}

struct mac mac_of_tap(struct mac guest)
{
	guest.byte[0] = 0xfe;
	return guest;
}

bool mac_same_host(const struct mac *a, const struct mac *b)
{
	return memcmp(a->byte, b->byte, 4) == 0;
}

char *mac_format(const struct mac *mac, char *text)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < MAC_LEN; i++) {
		text[3 * i] = digit[mac->byte[i] >> 4];
		text[3 * i + 1] = digit[mac->byte[i] & 0xf];
		text[3 * i + 2] = ':';
	}
	text[MAC_TEXT_LEN - 1] = '\0';
	return text;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, size_t len, struct mac *mac)
{
	size_t step = len == MAC_TEXT_LEN - 1 ? 3 : 2;
	struct mac m;

	if (len != 2 * MAC_LEN && len != MAC_TEXT_LEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < MAC_LEN; i++) {
		int high = hex_digit(text[step * i]);
		int low = hex_digit(text[step * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		if (step == 3 && i + 1 < MAC_LEN && text[3 * i + 2] != ':')
			return -EINVAL;
		m.byte[i] = (uint8_t)(high << 4 | low);
	}
	*mac = m;
	return 0;
}
