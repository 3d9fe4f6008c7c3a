/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appletalk_names.c: see appletalk_names.h.
 */
#include "appletalk_names.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

#define NBP_HEADER_LEN 2 /* function and count, id */
#define NBP_TUPLE_HEAD 5 /* address, socket, enumerator */

size_t nbp_encode(uint8_t *data, enum nbp_function function, uint8_t id,
		  const struct nbp_tuple *tuple)
{
	uint8_t *at = data + NBP_HEADER_LEN;

	data[0] = (uint8_t)(function << 4 | 1);
	data[1] = id;
	put_be16(at, tuple->address.net);
	at[2] = tuple->address.node;
	at[3] = tuple->socket;
	at[4] = tuple->enumerator;
	at = at_text_put(at + NBP_TUPLE_HEAD, &tuple->object);
	at = at_text_put(at, &tuple->type);
	at = at_text_put(at, &tuple->zone);
	return (size_t)(at - data);
}

static int get_tuple(const uint8_t **at, const uint8_t *end, struct nbp_tuple *tuple)
{
	const uint8_t *head = *at;

	if (end - head < NBP_TUPLE_HEAD)
		return -EINVAL;
	tuple->address.net = get_be16(head);
	tuple->address.node = head[2];
	tuple->socket = head[3];
	tuple->enumerator = head[4];
	*at += NBP_TUPLE_HEAD;
	if (at_text_get(at, end, &tuple->object) < 0 || at_text_get(at, end, &tuple->type) < 0)
		return -EINVAL;
	return at_text_get(at, end, &tuple->zone);
}

int nbp_decode(const uint8_t *data, size_t len, struct nbp *nbp)
{
	const uint8_t *at = data + NBP_HEADER_LEN, *end = data + len;

	if (len < NBP_HEADER_LEN)
		return -EINVAL;
	nbp->function = data[0] >> 4;
	nbp->id = data[1];
	nbp->n = data[0] & 15;
	for (unsigned int i = 0; i < nbp->n; i++) {
		if (get_tuple(&at, end, &nbp->tuple[i]) < 0)
			return -EINVAL;
	}
	return 0;
}

/* ---- names and people ---- */

/* Unicode's numbers of the characters from 0x80 on. */
static const uint16_t roman[128] = {
	0x00c4, 0x00c5, 0x00c7, 0x00c9, 0x00d1, 0x00d6, 0x00dc, 0x00e1, 0x00e0, 0x00e2, 0x00e4,
	0x00e3, 0x00e5, 0x00e7, 0x00e9, 0x00e8, 0x00ea, 0x00eb, 0x00ed, 0x00ec, 0x00ee, 0x00ef,
	0x00f1, 0x00f3, 0x00f2, 0x00f4, 0x00f6, 0x00f5, 0x00fa, 0x00f9, 0x00fb, 0x00fc, 0x2020,
	0x00b0, 0x00a2, 0x00a3, 0x00a7, 0x2022, 0x00b6, 0x00df, 0x00ae, 0x00a9, 0x2122, 0x00b4,
	0x00a8, 0x2260, 0x00c6, 0x00d8, 0x221e, 0x00b1, 0x2264, 0x2265, 0x00a5, 0x00b5, 0x2202,
	0x2211, 0x220f, 0x03c0, 0x222b, 0x00aa, 0x00ba, 0x03a9, 0x00e6, 0x00f8, 0x00bf, 0x00a1,
	0x00ac, 0x221a, 0x0192, 0x2248, 0x2206, 0x00ab, 0x00bb, 0x2026, 0x00a0, 0x00c0, 0x00c3,
	0x00d5, 0x0152, 0x0153, 0x2013, 0x2014, 0x201c, 0x201d, 0x2018, 0x2019, 0x00f7, 0x25ca,
	0x00ff, 0x0178, 0x2044, 0x20ac, 0x2039, 0x203a, 0xfb01, 0xfb02, 0x2021, 0x00b7, 0x201a,
	0x201e, 0x2030, 0x00c2, 0x00ca, 0x00c1, 0x00cb, 0x00c8, 0x00cd, 0x00ce, 0x00cf, 0x00cc,
	0x00d3, 0x00d4, 0xf8ff, 0x00d2, 0x00da, 0x00db, 0x00d9, 0x0131, 0x02c6, 0x02dc, 0x00af,
	0x02d8, 0x02d9, 0x02da, 0x00b8, 0x02dd, 0x02db, 0x02c7,
};

static const uint16_t no_character = 0xfffd;

static uint16_t unicode_of(uint8_t c)
{
	if (c >= 0x80)
		return roman[c - 0x80];
	return c < ' ' || c == 0x7f ? no_character : c;
}

char *at_text_format(const struct at_text *text, char *utf8)
{
	char *to = utf8;

	for (size_t i = 0; i < text->len; i++) {
		uint16_t u = unicode_of(text->byte[i]);

		if (u < 0x80) {
			*to++ = (char)u;
		} else if (u < 0x800) {
			*to++ = (char)(0xc0 | u >> 6);
			*to++ = (char)(0x80 | (u & 0x3f));
		} else {
			*to++ = (char)(0xe0 | u >> 12);
			*to++ = (char)(0x80 | (u >> 6 & 0x3f));
			*to++ = (char)(0x80 | (u & 0x3f));
		}
	}
	*to = '\0';
	return utf8;
}

/* The Mac's byte whose UTF-8 begins at @at, which then moves behind it; -EINVAL where none does. */
static int get_roman(const char **at, const char *end)
{
	struct at_text one = { .len = 1 };
	char utf8[AT_TEXT_UTF8_SIZE];

	for (unsigned int c = ' '; c < 0x100; c++) {
		size_t len;

		if (unicode_of((uint8_t)c) == no_character)
			continue;
		one.byte[0] = (uint8_t)c;
		len = strlen(at_text_format(&one, utf8));
		if (len <= (size_t)(end - *at) && memcmp(*at, utf8, len) == 0) {
			*at += len;
			return (int)c;
		}
	}
	return -EINVAL;
}

int at_text_parse(const char *utf8, size_t len, struct at_text *text)
{
	const char *at = utf8, *end = utf8 + len;
	struct at_text result = { 0 };

	while (at < end) {
		int c = get_roman(&at, end);

		if (c < 0 || result.len == APPLETALK_TEXT_MAX)
			return -EINVAL;
		result.byte[result.len++] = (uint8_t)c;
	}
	if (!result.len)
		return -EINVAL;
	*text = result;
	return 0;
}

int nbp_parse(const char *utf8, struct nbp_tuple *tuple)
{
	size_t object = strcspn(utf8, ":");
	struct nbp_tuple result = *tuple;

	if (at_text_parse(utf8, object, &result.object) < 0)
		return -EINVAL;
	if (utf8[object]) {
		const char *type = utf8 + object + 1, *zone = strchr(type, '@');
		size_t len = zone ? (size_t)(zone - type) : strlen(type);

		if (at_text_parse(type, len, &result.type) < 0 ||
		    (zone && at_text_parse(zone + 1, strlen(zone + 1), &result.zone) < 0))
			return -EINVAL;
	}
	*tuple = result;
	return 0;
}
