/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_ether.c: the emulator's `ether` preference. Beside the library's reader stands a second,
 * naive one, which must say the same; and what is not ours must stay the emulator's own business.
 */
#include <errno.h>
#include <stdbool.h>

#include "ether_option.h"
#include "input.h"

/* A number of one to five digits without a sign or a leading zero, up to @max; or -1. */
static int naive_number(const char *text, int max)
{
	char again[16];
	long value = strtol(text, NULL, 10);

	snprintf(again, sizeof(again), "%ld", value);
	return value >= 0 && value <= max && strcmp(text, again) == 0 ? (int)value : -1;
}

static bool naive_name(const char *name)
{
	if (!*name || strlen(name) > 15 || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || strchr("/:%", *name))
			return false;
	return true;
}

static bool naive_word(const char *word, struct ether_option *option, unsigned int seen[3])
{
	int number;

	if (strncmp(word, "slot=", 5) == 0) {
		option->slot = number = naive_number(word + 5, 15);
		return !seen[0]++ && number >= 0;
	}
	if (strncmp(word, "port=", 5) == 0) {
		number = naive_number(word + 5, 65535);
		option->port = (uint16_t)number;
		return !seen[1]++ && number >= 1024;
	}
	if (strncmp(word, "bridge=", 7) != 0 || seen[2]++ || !naive_name(word + 7))
		return false;
	strcpy(option->bridge, word + 7);
	return true;
}

/* 0, -EINVAL, or 1 for what is not ours. */
static int naive(char *text, struct ether_option *option)
{
	unsigned int seen[3] = { 0 };
	char *word = text;
	bool good = true;

	*option = (struct ether_option){ .slot = -1 };
	for (unsigned int n = 0; word; n++) {
		char *end = strpbrk(word, "/,");
		bool more = end != NULL;

		if (more)
			*end = '\0';
		if (n)
			good = good && naive_word(word, option, seen);
		else if (strcmp(word, "auto-bridge") == 0)
			option->mode = ETHER_BRIDGE;
		else if (strcmp(word, "auto-p2p") == 0)
			option->mode = ETHER_P2P;
		else if (strcmp(word, "auto") != 0)
			return 1;
		word = more ? end + 1 : NULL;
	}
	return good && !(option->mode == ETHER_P2P && option->bridge[0]) ? 0 : -EINVAL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *copy = malloc(size + 1);
	char error[ETHER_ERROR_SIZE];
	struct ether_option option, plain;
	int verdict;

	insist(text && copy);
	memcpy(text, data, size);
	text[size] = '\0';
	strcpy(copy, text);
	verdict = naive(copy, &plain);
	insist(ether_option_is_ours(text) == (verdict <= 0));
	memset(error, 0xff, sizeof(error));
	insist(ether_option_parse(text, &option, error) == (verdict ? -EINVAL : 0));
	if (verdict) {
		insist(error[0] && strnlen(error, sizeof(error)) < sizeof(error));
		for (const char *p = error; *p; p++)
			insist(*p >= ' ' && *p <= '~');
	} else {
		insist(option.mode == plain.mode && option.slot == plain.slot &&
		       option.port == plain.port && strcmp(option.bridge, plain.bridge) == 0);
	}
	free(text);
	free(copy);
	return 0;
}
