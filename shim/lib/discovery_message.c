/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_message.c: see discovery_message.h.
 */
#include "discovery_message.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

#define FOUND_HEAD 23 /* bytes before the TXT record */

size_t message_encode(const struct message *m, uint8_t *bytes)
{
	bytes[0] = (uint8_t)m->kind;
	switch (m->kind) {
	case MESSAGE_ANNOUNCE:
		return 1 + txt_encode(&m->txt, bytes + 1);
	case MESSAGE_FOUND:
		memcpy(bytes + 1, m->address.sin6_addr.s6_addr, 16);
		put_be32(bytes + 17, m->address.sin6_scope_id);
		put_be16(bytes + 21, ntohs(m->address.sin6_port));
		return FOUND_HEAD + txt_encode(&m->txt, bytes + FOUND_HEAD);
	case MESSAGE_LOST:
		memcpy(bytes + 1, m->mac.byte, MAC_LEN);
		return 1 + MAC_LEN;
	case MESSAGE_STATE: {
		size_t len = strnlen(m->line, MESSAGE_LINE_SIZE - 1);

		memcpy(bytes + 1, m->line, len);
		return 1 + len;
	}
	case MESSAGE_WITHDRAW:
	case MESSAGE_WELCOME:
	case MESSAGE_SETTLED:
	case MESSAGE_PULSE:
		break;
	}
	return 1;
}

static int decode_found(const uint8_t *bytes, size_t len, struct message *m)
{
	if (len < FOUND_HEAD)
		return -EINVAL;
	m->address.sin6_family = AF_INET6;
	memcpy(m->address.sin6_addr.s6_addr, bytes + 1, 16);
	m->address.sin6_scope_id = get_be32(bytes + 17);
	m->address.sin6_port = htons(get_be16(bytes + 21));
	return txt_decode(bytes + FOUND_HEAD, len - FOUND_HEAD, &m->txt);
}

/* One line that a terminal shows: status passes it on to people. */
static int decode_line(const uint8_t *bytes, size_t len, struct message *m)
{
	if (len >= sizeof(m->line))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] < ' ' || bytes[i] == 0x7f)
			return -EINVAL;
	memcpy(m->line, bytes, len);
	return 0;
}

int message_decode(const uint8_t *bytes, size_t len, struct message *m)
{
	memset(m, 0, sizeof(*m));
	if (!len)
		return -EINVAL;
	m->kind = (enum message_kind)bytes[0];
	switch (m->kind) {
	case MESSAGE_ANNOUNCE:
		return txt_decode(bytes + 1, len - 1, &m->txt);
	case MESSAGE_FOUND:
		return decode_found(bytes, len, m);
	case MESSAGE_LOST:
		if (len != 1 + MAC_LEN)
			return -EINVAL;
		memcpy(m->mac.byte, bytes + 1, MAC_LEN);
		return 0;
	case MESSAGE_STATE:
		return decode_line(bytes + 1, len - 1, m);
	case MESSAGE_WITHDRAW:
	case MESSAGE_WELCOME:
	case MESSAGE_SETTLED:
	case MESSAGE_PULSE:
		return len == 1 ? 0 : -EINVAL;
	}
	return -EINVAL;
}
