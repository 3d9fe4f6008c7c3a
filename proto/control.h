/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h: the confirmation frames by which peers prove to each other that an address is
 * theirs: one Ethernet frame of EtherType 0x88B6, in a datagram or over the TAP like any other.
 *
 *   0 destination  6 source  12 0x88B6  14 "BTAP"  18 version 1  19 type
 *  20 cookie of mine for you (8)  28 your cookie, echoed (8)
 *  36 mode (1 = bridge)  37 attach  38 flags  39 zero (21)
 *
 * Numbers are big-endian; cookies are opaque to whoever echoes them.
 */
#ifndef BASILISK_TAP_PROTO_CONTROL_H
#define BASILISK_TAP_PROTO_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach.h"
#include "bytes.h"
#include "frame.h"
#include "mac.h"
#include "siphash.h"

#define CONTROL_LEN	       60
#define CONTROL_MAGIC	       0x42544150 /* "BTAP" */
#define CONTROL_COOKIE_SECONDS 16 /* a cookie is valid in its own slot of time and the next */

enum control_type {
	CONTROL_HELLO = 1, /* who are you, are you there? */
	CONTROL_ACK = 2,   /* here; and are you? */
	CONTROL_FIN = 3,   /* here: the third leg, answered by nothing */
	CONTROL_BYE = 4,   /* gone; counts only with a valid cookie */
};

/* Owned by whoever declared it. */
struct control {
	struct mac destination;
	struct mac source;
	enum control_type type;
	uint64_t cookie;
	uint64_t echo;
	bool bridged;
	enum attach attach;
	uint8_t flags; /* sent as 0, not looked at by version 1 */
};

/* Writes CONTROL_LEN bytes at @frame. */
void control_encode(const struct control *control, uint8_t *frame);

/*
 * True where the frame (checked by frame_check()) is a confirmation frame by EtherType and
 * magic: such a frame is never the guest's, whatever control_decode() says of it.
 */
static inline bool control_is(const uint8_t *frame, size_t len)
{
	return len >= FRAME_MIN + 4 && frame_type(frame) == FRAME_ETHERTYPE_CONTROL &&
	       get_be32(frame + FRAME_MIN) == CONTROL_MAGIC;
}

/* 0, or -EINVAL (not control_is(), short, a value out of range, source no guest's), -EPROTO. */
int control_decode(const uint8_t *frame, size_t len, struct control *control);

/*
 * The cookie for a peer: @key is this process's secret, @address its IPv6 (or v4-mapped) address
 * of 16 bytes, @port in host byte order, @slot the time in units of CONTROL_COOKIE_SECONDS.
 */
uint64_t control_cookie(const struct siphash_key *key, const uint8_t *address, uint16_t port,
			const struct mac *mac, uint64_t slot);

#endif
