/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * records.c: see records.h.
 */
#include "records.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"

#define LABEL_MAX 63  /* bytes (RFC 1035, 2.3.4) */
#define TTL_HOST  120 /* seconds, for what names a host (RFC 6762, 10): a crash is seen by then */
#define TTL_OTHER (75 * 60)
#define POINTER	  0xc0 /* and up: the first of the two bytes of one (RFC 1035, 4.1.4) */
#define LOOPBACK  1    /* the interface index that every network namespace's loopback has */

/* Bytes before what is of any length (RFC 1035, 4.1.1 and 4.1.3). */
enum { MESSAGE_HEAD = 12, RECORD_HEAD = 10 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit((char)c) || c == '-' ||
	       c == '_';
}

/* One byte of a label, escaped or not. How many characters it took, or -EINVAL. */
static int unescape(const char *text, uint8_t *byte)
{
	if (text[0] != '\\') {
		*byte = (uint8_t)text[0];
		return 1;
	}
	if (is_digit(text[1]) && is_digit(text[2]) && is_digit(text[3])) {
		int value = (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');

		if (value > 255)
			return -EINVAL;
		*byte = (uint8_t)value;
		return 4;
	}
	if (!text[1] || is_digit(text[1]))
		return -EINVAL;
	*byte = (uint8_t)text[1];
	return 2;
}

int record_name_encode(const char *text, uint8_t *wire)
{
	size_t length_at = 0, n = 1;

	while (*text) {
		uint8_t byte;
		int used;

		if (*text == '.') {
			size_t label = n - length_at - 1;

			if (!label)
				return -EINVAL;
			if (!*++text)
				break; /* the root's dot, which may be written */
			if (n >= RECORD_WIRE_MAX - 1)
				return -EINVAL;
			wire[length_at] = (uint8_t)label;
			length_at = n++;
			continue;
		}
		used = unescape(text, &byte);
		if (used < 0 || n - length_at > LABEL_MAX || n >= RECORD_WIRE_MAX - 1)
			return -EINVAL;
		wire[n++] = byte;
		text += used;
	}
	if (n - length_at == 1)
		return -EINVAL;
	wire[length_at] = (uint8_t)(n - length_at - 1);
	wire[n++] = 0;
	return (int)n;
}

int record_name_decode(const uint8_t *wire, size_t len, char *text)
{
	size_t at = 0, out = 0;

	for (;;) {
		uint8_t label;

		if (at >= len || at >= RECORD_WIRE_MAX)
			return -EINVAL;
		label = wire[at++];
		if (!label)
			break;
		if (label > LABEL_MAX || label > len - at || at + label >= RECORD_WIRE_MAX)
			return -EINVAL;
		if (out)
			text[out++] = '.';
		for (; label; label--) {
			uint8_t c = wire[at++];

			/* 255 bytes of \DDD and their dots are less than RECORD_NAME_SIZE */
			if (is_plain(c))
				text[out++] = (char)c;
			else if (c == '.' || c == '\\')
				out += (size_t)sprintf(text + out, "\\%c", c);
			else
				out += (size_t)sprintf(text + out, "\\%03u", c);
		}
	}
	text[out] = 0;
	return out ? (int)at : -EINVAL;
}

bool record_name_is_below(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	/* A dot behind a backslash is a byte of the label, not its end. */
	return n > s + 1 && name[n - s - 1] == '.' && name[n - s - 2] != '\\' &&
	       strcasecmp(name + n - s, suffix) == 0;
}

/* The name under which @mac announces: the MAC makes it unique, so that nobody need be asked. */
char *records_instance(const struct mac *mac, char name[RECORD_INSTANCE_SIZE])
{
	const uint8_t *b = mac->byte;

	snprintf(name, RECORD_INSTANCE_SIZE, "Basilisk\\032%02x%02x%02x%02x%02x%02x.%s", b[0], b[1],
		 b[2], b[3], b[4], b[5], RECORD_SERVICE);
	return name;
}

char *records_host(const struct mac *mac, char host[RECORD_HOST_SIZE])
{
	const uint8_t *b = mac->byte;

	snprintf(host, RECORD_HOST_SIZE, "basilisk-%02x%02x%02x%02x%02x%02x.local", b[0], b[1],
		 b[2], b[3], b[4], b[5]);
	return host;
}

int records_of_service(const struct txt *txt, const char *host,
		       struct record records[RECORDS_OF_SERVICE])
{
	struct record *ptr = &records[0], *srv = &records[1], *text = &records[2];
	uint8_t wire[RECORD_WIRE_MAX];
	int len;

	memset(records, 0, RECORDS_OF_SERVICE * sizeof(*records));
	snprintf(ptr->name, sizeof(ptr->name), "%s", RECORD_SERVICE);
	records_instance(&txt->mac, srv->name);
	records_instance(&txt->mac, text->name);

	ptr->type = RECORD_PTR;
	ptr->ttl = TTL_OTHER;
	len = record_name_encode(srv->name, wire);
	if (len < 0)
		return len;
	ptr->len = (size_t)len;
	memcpy(ptr->data, wire, ptr->len);

	srv->type = RECORD_SRV;
	srv->ttl = TTL_HOST;
	srv->unique = true;
	len = record_name_encode(host, wire);
	if (len < 0)
		return len;
	put_be16(srv->data + 4, txt->port); /* behind priority and weight, both 0 */
	memcpy(srv->data + 6, wire, (size_t)len);
	srv->len = 6 + (size_t)len;

	text->type = RECORD_TXT;
	text->ttl = TTL_OTHER;
	text->unique = true;
	text->len = txt_encode(txt, text->data);
	return 0;
}

int records_of_address(const char *host, int family, const void *bytes, struct record *record)
{
	memset(record, 0, sizeof(*record));
	if (family != AF_INET && family != AF_INET6)
		return -EINVAL;
	if (snprintf(record->name, sizeof(record->name), "%s", host) >= (int)sizeof(record->name))
		return -EINVAL;
	record->type = family == AF_INET ? RECORD_A : RECORD_AAAA;
	record->ttl = TTL_HOST;
	record->unique = true;
	record->len = family == AF_INET ? 4 : 16;
	memcpy(record->data, bytes, record->len);
	return 0;
}

int record_read_srv(const uint8_t *data, size_t len, uint16_t *port, char *target)
{
	int used;

	if (len < 7)
		return -EINVAL;
	used = record_name_decode(data + 6, len - 6, target);
	if (used < 0 || (size_t)used != len - 6)
		return -EINVAL;
	*port = get_be16(data + 4);
	return 0;
}

/* Behind the name at @at, of which a pointer (RFC 1035, 4.1.4) is the end; or NULL. */
static const uint8_t *skip_name(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at && *at <= LABEL_MAX && *at < end - at)
		at += 1 + *at;
	if (at < end && !*at)
		return at + 1;
	return end - at >= 2 && *at >= POINTER ? at + 2 : NULL;
}

static bool strings_are_few(const uint8_t *data, size_t len)
{
	size_t at = 0, n = 0;

	for (; at < len; n++)
		at += 1u + data[at];
	return at == len && n <= RECORD_STRINGS_MAX;
}

/* Behind the record at @at, whose name was skipped; NULL where it is not a sane one. */
static const uint8_t *skip_record(const uint8_t *at, const uint8_t *end)
{
	size_t len;

	if (end - at < RECORD_HEAD)
		return NULL;
	len = get_be16(at + 8);
	at += RECORD_HEAD;
	if (len > RECORD_DATA_MAX || len > (size_t)(end - at))
		return NULL;
	if (get_be16(at - RECORD_HEAD) == RECORD_TXT && !strings_are_few(at, len))
		return NULL;
	return at + len;
}

bool records_are_sane(const uint8_t *message, size_t len)
{
	const uint8_t *at, *end = message + len;
	unsigned int questions, records;

	if (len < MESSAGE_HEAD)
		return false;
	at = message + MESSAGE_HEAD;
	questions = get_be16(message + 4);
	records = (unsigned int)get_be16(message + 6) + get_be16(message + 8) +
		  get_be16(message + 10);
	for (; questions; questions--) {
		at = skip_name(at, end);
		if (!at || end - at < 4)
			return false;
		at += 4;
	}
	for (; records; records--) {
		at = skip_name(at, end);
		at = at ? skip_record(at, end) : NULL;
		if (!at)
			return false;
	}
	return true;
}

static int read_ipv4(const uint8_t *data, int interface, struct in6_addr *address)
{
	uint32_t ip = get_be32(data);

	/* "this network", groups, reserved ones, broadcast (RFC 6890) */
	if (ip >> 24 == 0 || ip >> 28 >= 0xe)
		return -EINVAL;
	if (ip >> 24 == 127 && interface != LOOPBACK)
		return -EINVAL;
	memset(address, 0, sizeof(*address));
	address->s6_addr[10] = 0xff;
	address->s6_addr[11] = 0xff;
	memcpy(address->s6_addr + 12, data, 4);
	return 0;
}

static int read_ipv6(const uint8_t *data, int interface, struct in6_addr *address)
{
	memcpy(address->s6_addr, data, 16);
	if (IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_MULTICAST(address) ||
	    IN6_IS_ADDR_V4MAPPED(address))
		return -EINVAL;
	if (IN6_IS_ADDR_LOOPBACK(address))
		return interface == LOOPBACK ? 0 : -EINVAL;
	return IN6_IS_ADDR_V4COMPAT(address) ? -EINVAL : 0;
}

int record_read_address(enum record_type type, const uint8_t *data, size_t len, int interface,
			uint16_t port, struct sockaddr_in6 *address)
{
	int error = -EINVAL;

	memset(address, 0, sizeof(*address));
	address->sin6_family = AF_INET6;
	address->sin6_port = htons(port);
	if (type == RECORD_A && len == 4)
		error = read_ipv4(data, interface, &address->sin6_addr);
	else if (type == RECORD_AAAA && len == 16)
		error = read_ipv6(data, interface, &address->sin6_addr);
	if (!error && IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr))
		address->sin6_scope_id = (uint32_t)interface;
	return error;
}
