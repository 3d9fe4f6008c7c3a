/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ether_option.c: see ether_option.h.
 */
#include "ether_option.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "mac.h"
#include "number.h"

#define PORT_MIN 1024

static const char separators[] = "/,";

static const struct {
	const char *word;
	enum ether_mode mode;
} modes[] = {
	{ "auto", ETHER_AUTO },
	{ "auto-bridge", ETHER_BRIDGE },
	{ "auto-p2p", ETHER_P2P },
};

/* The mode's index, or -1; *@len is the length of the first word. */
static int mode_find(const char *ether, size_t *len)
{
	*len = strcspn(ether, separators);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strlen(modes[i].word) == *len && memcmp(ether, modes[i].word, *len) == 0)
			return (int)i;
	return -1;
}

bool ether_option_is_ours(const char *ether)
{
	size_t len;

	return ether && mode_find(ether, &len) >= 0;
}

/* How much of a word of @len characters a message shows. */
static int shown(size_t len)
{
	return len < 40 ? (int)len : 40;
}

__attribute__((format(printf, 2, 3))) static int complain(char *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, ETHER_ERROR_SIZE, format, args);
	va_end(args);
	for (char *p = error; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return -EINVAL;
}

static int slot_set(struct ether_option *option, const char *value, size_t len, char *error)
{
	uint32_t slot;

	if (number_parse(value, len, MAC_SLOTS - 1, &slot))
		return complain(error, "slot=%.*s: a number from 0 to %d is wanted", shown(len),
				value, MAC_SLOTS - 1);
	option->slot = (int)slot;
	return 0;
}

static int port_set(struct ether_option *option, const char *value, size_t len, char *error)
{
	uint32_t port;

	if (number_parse(value, len, UINT16_MAX, &port) || port < PORT_MIN)
		return complain(error, "port=%.*s: a number from %d to %d is wanted", shown(len),
				value, PORT_MIN, UINT16_MAX);
	option->port = (uint16_t)port;
	return 0;
}

static int bridge_set(struct ether_option *option, const char *value, size_t len, char *error)
{
	if (ifname_check(value, len))
		return complain(error,
				"bridge=%.*s: an interface name of at most %d characters is wanted",
				shown(len), value, IFNAME_SIZE - 1);
	memcpy(option->bridge, value, len);
	option->bridge[len] = '\0';
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct ether_option *option, const char *value, size_t len, char *error);
} keys[] = {
	{ "slot=", slot_set },
	{ "port=", port_set },
	{ "bridge=", bridge_set },
};

int ether_option_parse(const char *ether, struct ether_option *option, char *error)
{
	unsigned int seen = 0;
	size_t len, k;
	int mode = mode_find(ether, &len);

	if (mode < 0)
		return complain(error, "'%.40s': auto, auto-bridge or auto-p2p is wanted", ether);
	*option = (struct ether_option){ .mode = modes[mode].mode, .slot = -1 };
	for (ether += len; *ether; ether += len) {
		ether++;
		len = strcspn(ether, separators);
		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			if (strncmp(ether, keys[k].key, strlen(keys[k].key)) == 0)
				break;
		if (k == sizeof(keys) / sizeof(keys[0]))
			return complain(error, "'%.*s': slot=, port= or bridge= is wanted",
					shown(len), ether);
		if (seen & 1u << k)
			return complain(error, "%.*s: %s was given already", shown(len), ether,
					keys[k].key);
		seen |= 1u << k;
		if (keys[k].set(option, ether + strlen(keys[k].key), len - strlen(keys[k].key),
				error))
			return -EINVAL;
	}
	if (option->mode == ETHER_P2P && option->bridge[0])
		return complain(error, "bridge=%s: not together with auto-p2p", option->bridge);
	return 0;
}
