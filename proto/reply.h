/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reply.h: the helper's answer to the shim, one message of REPLY_LEN bytes, with the TAP's
 * descriptor as SCM_RIGHTS where the code is OUTCOME_OK and the request was not --repair.
 * All numbers are big-endian. QEMU's answer is another: one NUL byte and the descriptor.
 *
 *   0 "BTRP"    4 version 1   5 code (enum outcome_code)   6 attach   7 slot
 *   8 MAC (6)  14 zero (2)   16 TAP's name (16)   32 uplink's or bridge's name (16)
 *  48 text (320): why not more, or what was wrong and what to do; NUL-terminated
 */
#ifndef BASILISK_TAP_PROTO_REPLY_H
#define BASILISK_TAP_PROTO_REPLY_H

#include <stdint.h>

#include "attach.h"
#include "ifname.h"
#include "mac.h"
#include "outcome.h"

#define REPLY_LEN     368
#define REPLY_VERSION 1

/* Owned by whoever declared it. */
struct reply {
	enum outcome_code code;
	enum attach attach;
	unsigned int slot;
	struct mac mac;
	char tap[IFNAME_SIZE];
	char uplink[IFNAME_SIZE];     /* "" where there is none */
	char text[OUTCOME_TEXT_SIZE]; /* "" where there is nothing to say */
};

/* Writes REPLY_LEN bytes at @message. Bytes that are not printable ASCII become '?'. */
void reply_encode(const struct reply *reply, uint8_t *message);

/*
 * Reads @len bytes at @message. 0, or -EINVAL (length, magic, a value out of range, a string
 * without its NUL), -EPROTO (another version). Strings come out as printable ASCII.
 */
int reply_decode(const uint8_t *message, size_t len, struct reply *reply);

#endif
