/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * output.h: what a command prints, caught while a target runs: whether a terminal may see it, and
 * whether it is JSON (RFC 8259).
 */
#ifndef BASILISK_TAP_TESTS_FUZZ_OUTPUT_H
#define BASILISK_TAP_TESTS_FUZZ_OUTPUT_H

#include <stdbool.h>

#include "input.h"

struct output {
	FILE *was;
	char *text;
	size_t len;
};

/* All that is printed on stdout from now on goes to @output. */
static inline void output_begin(struct output *output)
{
	fflush(stdout);
	output->was = stdout;
	stdout = open_memstream(&output->text, &output->len);
	insist(stdout);
}

/* Until now. output->text is the caller's to free. */
static inline void output_end(struct output *output)
{
	fclose(stdout);
	stdout = output->was;
}

/* UTF-8 without control characters, but for line ends. The naive way: by the numbers. */
static inline bool is_plain_text(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;

	while (p < end) {
		uint32_t c = *p++;
		int more = c < 0x80 ? 0 : c < 0xc0 ? -1 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

		if (more < 0 || p + more > end || c >= 0xf8)
			return false;
		if (more)
			c &= 0x3fu >> more;
		for (int i = 0; i < more; i++, p++) {
			if (*p >> 6 != 2)
				return false;
			c = c << 6 | (*p & 0x3f);
		}
		if ((c < ' ' && c != '\n') || (c >= 0x7f && c < 0xa0) || c > 0x10ffff)
			return false;
		if ((more == 1 && c < 0x80) || (more == 2 && c < 0x800) ||
		    (more == 3 && c < 0x10000) || (c >= 0xd800 && c < 0xe000))
			return false;
	}
	return true;
}

static inline const char *json_blank(const char *p)
{
	return p ? p + strspn(p, " \n\t\r") : NULL;
}

static inline const char *json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p && *p != '"'; p++) {
		if (*p != '\\')
			continue;
		if (!*++p || !strchr("\"\\/bfnrtu", *p))
			return NULL;
		if (*p == 'u' && strspn(p + 1, "0123456789abcdefABCDEF") < 4)
			return NULL;
	}
	return *p ? p + 1 : NULL;
}

static inline const char *json_number(const char *p)
{
	size_t digits = strspn(p, "0123456789");

	return digits && (*p != '0' || digits == 1) ? p + digits : NULL;
}

/* The place behind the value at @p, or NULL where there is none. */
static inline const char *json_value(const char *p, int depth)
{
	const char open = *p, close = open == '{' ? '}' : ']';

	if (depth > 8)
		return NULL;
	if (open == '"')
		return json_string(p);
	if (strncmp(p, "null", 4) == 0 || strncmp(p, "true", 4) == 0)
		return p + 4;
	if (strncmp(p, "false", 5) == 0)
		return p + 5;
	if (open != '{' && open != '[')
		return json_number(p);
	p = json_blank(p + 1);
	if (*p == close)
		return p + 1;
	for (;; p = json_blank(p + 1)) {
		if (open == '{') {
			p = json_blank(json_string(p));
			if (!p || *p != ':')
				return NULL;
			p = json_blank(p + 1);
		}
		p = json_blank(json_value(p, depth + 1));
		if (!p || (*p != ',' && *p != close))
			return NULL;
		if (*p == close)
			return p + 1;
	}
}

static inline bool is_json(const char *text)
{
	const char *end = json_blank(json_value(json_blank(text), 0));

	return end && !*end;
}

#endif
