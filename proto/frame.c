/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame.c: see frame.h. Pure: no I/O, no globals, no allocation.
 */
#include "frame.h"

#include <string.h>

#include "bytes.h"

enum frame_error frame_check(const uint8_t *frame, size_t len)
{
	if (len < FRAME_MIN)
		return FRAME_SHORT;
	if (len > FRAME_MAX)
		return FRAME_LONG;
	if (frame[MAC_LEN] & 1)
		return FRAME_GROUP_SOURCE;
	return FRAME_OK;
}

static struct mac mac_at(const uint8_t *p)
{
	struct mac mac;

	memcpy(mac.byte, p, MAC_LEN);
	return mac;
}

struct mac frame_destination(const uint8_t *frame)
{
	return mac_at(frame);
}

struct mac frame_source(const uint8_t *frame)
{
	return mac_at(frame + MAC_LEN);
}

uint16_t frame_type(const uint8_t *frame)
{
	return get_be16(frame + 2 * MAC_LEN);
}

bool frame_is_group(const uint8_t *frame)
{
	return frame[0] & 1;
}
