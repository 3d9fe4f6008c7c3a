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

/* What is wrong with the @len bytes at @frame as a frame. Reads at most 14 bytes. */
enum frame_error frame_check(const uint8_t *frame, size_t len);

/* The next four rely on a frame that passed frame_check(). */
struct mac frame_destination(const uint8_t *frame);
struct mac frame_source(const uint8_t *frame);
uint16_t frame_type(const uint8_t *frame); /* EtherType, or an 802.3 length up to 1500 */
bool frame_is_group(const uint8_t *frame); /* broadcast or multicast destination */

#endif
