/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * txt.c: see txt.h. Pure: no I/O, no globals, no allocation.
 */
#include "txt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "utf8.h"

static size_t string_encode(uint8_t *at, const char *key, const char *value)
{
	int len = snprintf((char *)at + 1, TXT_HOSTNAME_SIZE + 16, "%s=%s", key, value);

	at[0] = (uint8_t)len;
	return (size_t)len + 1;
}

size_t txt_encode(const struct txt *txt, uint8_t *rdata)
{
	char number[8], hostname[TXT_HOSTNAME_SIZE];
	char mac[2 * MAC_LEN + 1];
	size_t len = 0;

	for (size_t i = 0; i < MAC_LEN; i++)
		snprintf(mac + 2 * i, 3, "%02x", txt->mac.byte[i]);
	snprintf(number, sizeof(number), "%u", txt->port);
	snprintf(hostname, sizeof(hostname), "%s", txt->hostname);
	len += string_encode(rdata + len, "mac", mac);
	len += string_encode(rdata + len, "port", number);
	len += string_encode(rdata + len, "version", "1.0");
	len += string_encode(rdata + len, "mode", txt->bridged ? "bridge" : "p2p");
	len += string_encode(rdata + len, "hostname", hostname);
	len += string_encode(rdata + len, "attach", attach_name(txt->attach));
	return len;
}

static void hostname_decode(const uint8_t *text, size_t len, char *to)
{
	size_t out = 0;

	for (size_t at = 0, step; at < len; at += step) {
		size_t good = utf8_len(text + at, len - at);

		step = good ? good : 1;
		if (out + step >= TXT_HOSTNAME_SIZE)
			break;
		if (good)
			memcpy(to + out, text + at, step);
		else
			to[out] = '?';
		out += step;
	}
	memset(to + out, 0, TXT_HOSTNAME_SIZE - out);
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

enum key { KEY_MAC, KEY_PORT, KEY_VERSION, KEY_MODE, KEY_HOSTNAME, KEY_ATTACH, KEY_COUNT };

/* RFC 6763, 6.4: keys are compared without regard to case. */
static enum key key_find(const char *text, size_t len)
{
	static const char *const names[KEY_COUNT] = { "mac",  "port",	  "version",
						      "mode", "hostname", "attach" };

	for (enum key k = 0; k < KEY_COUNT; k++) {
		size_t i = 0;

		if (strlen(names[k]) != len)
			continue;
		while (i < len && (text[i] | 0x20) == names[k][i])
			i++;
		if (i == len)
			return k;
	}
	return KEY_COUNT;
}

static int value_decode(enum key key, const char *value, size_t len, struct txt *txt)
{
	uint32_t port;
	int attach;

	switch (key) {
	case KEY_MAC:
		return mac_parse(value, len, &txt->mac);
	case KEY_PORT:
		if (number_parse(value, len, UINT16_MAX, &port) || port == 0)
			return -EINVAL;
		txt->port = (uint16_t)port;
		return 0;
	case KEY_VERSION:
		return len >= 2 && memcmp(value, "1.", 2) == 0 ? 0 : -EINVAL;
	case KEY_MODE:
		txt->bridged = is_word(value, len, "bridge");
		return txt->bridged || is_word(value, len, "p2p") ? 0 : -EINVAL;
	case KEY_HOSTNAME:
		hostname_decode((const uint8_t *)value, len, txt->hostname);
		return 0;
	default: /* KEY_ATTACH: nobody asks about KEY_COUNT */
		attach = attach_parse(value, len);
		if (attach < 0)
			return attach;
		txt->attach = (enum attach)attach;
		return 0;
	}
}

int txt_decode(const uint8_t *rdata, size_t len, struct txt *txt)
{
	struct txt t = { .port = 0 };
	bool seen[KEY_COUNT + 1] = { false };

	if (len > TXT_RDATA_MAX)
		return -EINVAL;
	for (size_t at = 0; at < len; at += 1u + rdata[at]) {
		const char *text = (const char *)rdata + at + 1;
		size_t n = rdata[at];
		const char *equals;
		enum key key;

		if (n > len - at - 1)
			return -EINVAL;
		equals = memchr(text, '=', n);
		key = key_find(text, equals ? (size_t)(equals - text) : n);
		if (key == KEY_COUNT)
			continue;
		if (seen[key] || !equals)
			return -EINVAL;
		seen[key] = true;
		if (value_decode(key, equals + 1, n - (size_t)(equals + 1 - text), &t))
			return -EINVAL;
	}
	if (!seen[KEY_MAC] || !mac_is_guest(&t.mac) || !seen[KEY_VERSION])
		return -EINVAL;
	if (!seen[KEY_ATTACH])
		t.attach = t.bridged ? ATTACH_PATCH : ATTACH_NO;
	*txt = t;
	return 0;
}
