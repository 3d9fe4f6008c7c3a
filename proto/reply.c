/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reply.c: see reply.h. Pure: no I/O, no globals, no allocation.
 */
#include "reply.h"

#include <errno.h>
#include <string.h>

enum {
	AT_VERSION = 4,
	AT_CODE = 5,
	AT_ATTACH = 6,
	AT_SLOT = 7,
	AT_MAC = 8,
	AT_TAP = 16,
	AT_UPLINK = 32,
	AT_TEXT = 48
};

static const uint8_t magic[4] = { 'B', 'T', 'R', 'P' };

/* The kernel allows more than printable ASCII in the name of an interface; people do not see it. */
static void string_encode(const char *from, uint8_t *to, size_t size)
{
	for (size_t i = 0; i + 1 < size && from[i]; i++)
		to[i] = from[i] < ' ' || from[i] > '~' ? '?' : (uint8_t)from[i];
}

void reply_encode(const struct reply *reply, uint8_t *message)
{
	memset(message, 0, REPLY_LEN);
	memcpy(message, magic, sizeof(magic));
	message[AT_VERSION] = REPLY_VERSION;
	message[AT_CODE] = (uint8_t)reply->code;
	message[AT_ATTACH] = (uint8_t)reply->attach;
	message[AT_SLOT] = (uint8_t)reply->slot;
	memcpy(message + AT_MAC, reply->mac.byte, MAC_LEN);
	string_encode(reply->tap, message + AT_TAP, sizeof(reply->tap));
	string_encode(reply->uplink, message + AT_UPLINK, sizeof(reply->uplink));
	string_encode(reply->text, message + AT_TEXT, sizeof(reply->text));
}

static int string_decode(const uint8_t *from, char *to, size_t size)
{
	const size_t len = strnlen((const char *)from, size);

	if (len == size)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (from[i] < ' ' || from[i] > '~')
			return -EINVAL;
	memcpy(to, from, len);
	memset(to + len, 0, size - len);
	return 0;
}

int reply_decode(const uint8_t *message, size_t len, struct reply *reply)
{
	struct reply r;

	if (len != REPLY_LEN || memcmp(message, magic, sizeof(magic)) != 0)
		return -EINVAL;
	if (message[AT_VERSION] != REPLY_VERSION)
		return -EPROTO;
	if (message[AT_CODE] >= OUTCOME_COUNT || message[AT_ATTACH] >= ATTACH_COUNT ||
	    message[AT_SLOT] >= MAC_SLOTS)
		return -EINVAL;
	memset(&r, 0, sizeof(r));
	r.code = message[AT_CODE];
	r.attach = message[AT_ATTACH];
	r.slot = message[AT_SLOT];
	memcpy(r.mac.byte, message + AT_MAC, MAC_LEN);
	if (string_decode(message + AT_TAP, r.tap, sizeof(r.tap)) ||
	    string_decode(message + AT_UPLINK, r.uplink, sizeof(r.uplink)) ||
	    string_decode(message + AT_TEXT, r.text, sizeof(r.text)))
		return -EINVAL;
	*reply = r;
	return 0;
}
