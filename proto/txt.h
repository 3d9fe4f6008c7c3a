/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * txt.h: the TXT record that an emulator announces under _basilisk-ether._udp, as the rdata of
 * RFC 1035, 3.3.14: strings "key=value", each behind its length (RFC 6763, 6).
 *
 *   mac=b20011223344 port=6066 version=1.0 mode=bridge|p2p hostname=NAME attach=patch|…
 */
#ifndef BASILISK_TAP_PROTO_TXT_H
#define BASILISK_TAP_PROTO_TXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach.h"
#include "mac.h"

#define TXT_SERVICE	  "_basilisk-ether._udp"
#define TXT_PORT	  6066 /* UDP; the next free one is taken where it is in use */
#define TXT_HOSTNAME_SIZE 64   /* with the final NUL */
#define TXT_MAX		  256  /* bytes that txt_encode() writes at most */
#define TXT_RDATA_MAX	  1300 /* bytes that txt_decode() reads at most (RFC 6763, 6.2) */

/* Owned by whoever declared it. */
struct txt {
	struct mac mac;
	uint16_t port;	    /* 0: not said, the SRV record's counts */
	bool bridged;	    /* mode=bridge */
	enum attach attach; /* where the key is missing: patch for bridge, no for p2p */
	char hostname[TXT_HOSTNAME_SIZE]; /* UTF-8, for people only; may be "" */
};

/* Writes the record, at most TXT_MAX bytes, to @rdata. Returns the length. */
size_t txt_encode(const struct txt *txt, uint8_t *rdata);

/*
 * Reads a record from the network. 0, or -EINVAL: too long, a string beyond the end, a key
 * twice, no mac or not one of our guests, a port that is none, a mode or attach that is none,
 * no version 1. Unknown keys are passed over. Control characters and broken UTF-8 in the host
 * name come out as '?'; a longer one is cut between characters.
 */
int txt_decode(const uint8_t *rdata, size_t len, struct txt *txt);

#endif
