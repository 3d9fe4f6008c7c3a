/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame.h: Ethernet frames as the guests send and receive them: destination, source, type or
 * length, payload; no preamble, no check sequence, not padded (IEEE 802.3, clause 3).
 */
#ifndef BASILISK_TAP_PROTO_FRAME_H
#define BASILISK_TAP_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"
#include "mac.h"

#define FRAME_MIN		14   /* bytes: the header alone; the emulator ends a pass on less */
#define FRAME_MAX		1514 /* bytes: the emulator's buffer; more would be cut silently */
#define FRAME_ETHERTYPE_CONTROL 0x88b6 /* IEEE local experimental 2: confirmation frames */

enum frame_error {
	FRAME_OK = 0,
	FRAME_SHORT,	    /* under FRAME_MIN */
	FRAME_LONG,	    /* over FRAME_MAX */
	FRAME_GROUP_SOURCE, /* the source is a group address, which no station has */
	FRAME_ERRORS
};

/*
 * What each frame is asked is defined here: it takes less time than a call would.
 *
 * What is wrong with the @len bytes at @frame as a frame. Reads at most 14 bytes.
 */
static inline enum frame_error frame_check(const uint8_t *frame, size_t len)
{
	if (len < FRAME_MIN)
		return FRAME_SHORT;
	if (len > FRAME_MAX)
		return FRAME_LONG;
	if (frame[MAC_LEN] & 1)
		return FRAME_GROUP_SOURCE;
	return FRAME_OK;
}

/* The next four rely on a frame that passed frame_check(). */
static inline struct mac frame_destination(const uint8_t *frame)
{
	struct mac mac;

	memcpy(mac.byte, frame, MAC_LEN);
	return mac;
}

static inline struct mac frame_source(const uint8_t *frame)
{
	return frame_destination(frame + MAC_LEN);
}

/* EtherType, or an 802.3 length up to 1500. */
static inline uint16_t frame_type(const uint8_t *frame)
{
	return get_be16(frame + 2 * MAC_LEN);
}

/* Broadcast or multicast destination. */
static inline bool frame_is_group(const uint8_t *frame)
{
	return frame[0] & 1;
}

#endif
