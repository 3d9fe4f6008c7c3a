/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.c: see control.h. Pure: no I/O, no globals, no allocation.
 */
#include "control.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

enum {
	AT_TYPE = 12,
	AT_MAGIC = 14,
	AT_VERSION = 18,
	AT_KIND = 19,
	AT_COOKIE = 20,
	AT_ECHO = 28,
	AT_MODE = 36,
	AT_ATTACH = 37,
	AT_FLAGS = 38
};

void control_encode(const struct control *control, uint8_t *frame)
{
	memset(frame, 0, CONTROL_LEN);
	memcpy(frame, control->destination.byte, MAC_LEN);
	memcpy(frame + MAC_LEN, control->source.byte, MAC_LEN);
	put_be16(frame + AT_TYPE, FRAME_ETHERTYPE_CONTROL);
	put_be32(frame + AT_MAGIC, CONTROL_MAGIC);
	frame[AT_VERSION] = 1;
	frame[AT_KIND] = (uint8_t)control->type;
	put_be64(frame + AT_COOKIE, control->cookie);
	put_be64(frame + AT_ECHO, control->echo);
	frame[AT_MODE] = control->bridged;
	frame[AT_ATTACH] = (uint8_t)control->attach;
	frame[AT_FLAGS] = control->flags;
}

int control_decode(const uint8_t *frame, size_t len, struct control *control)
{
	struct control c;

	if (len < CONTROL_LEN || !control_is(frame, len))
		return -EINVAL;
	if (frame[AT_VERSION] != 1)
		return -EPROTO;
	if (frame[AT_KIND] < CONTROL_HELLO || frame[AT_KIND] > CONTROL_BYE || frame[AT_MODE] > 1 ||
	    frame[AT_ATTACH] >= ATTACH_COUNT)
		return -EINVAL;
	memset(&c, 0, sizeof(c));
	c.destination = frame_destination(frame);
	c.source = frame_source(frame);
	if (!mac_is_guest(&c.source))
		return -EINVAL;
	c.type = frame[AT_KIND];
	c.cookie = get_be64(frame + AT_COOKIE);
	c.echo = get_be64(frame + AT_ECHO);
	c.bridged = frame[AT_MODE];
	c.attach = frame[AT_ATTACH];
	c.flags = frame[AT_FLAGS];
	*control = c;
	return 0;
}

uint64_t control_cookie(const struct siphash_key *key, const uint8_t *address, uint16_t port,
			const struct mac *mac, uint64_t slot)
{
	uint8_t message[16 + 2 + MAC_LEN + 8];

	memcpy(message, address, 16);
	put_be16(message + 16, port);
	memcpy(message + 18, mac->byte, MAC_LEN);
	put_be64(message + 18 + MAC_LEN, slot);
	return siphash(key, message, sizeof(message));
}
