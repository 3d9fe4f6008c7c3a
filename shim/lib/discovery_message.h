/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_message.h: what the instances of one user on one host tell each other, so that only
 * one of them need speak multicast DNS. A message is one byte of kind and what belongs to it:
 *
 *   to the one that speaks    A txt record    announce this guest, instead of what was
 *                             W               announce nothing any more
 *   from it                   H               welcome: it is there, and not stopped
 *                             F address (16) scope (4) port (2) txt record     found
 *                             L mac (6)                                        lost
 *                             S text          how it is done, for people
 *                             R               all that is there has been told
 *                             P               still there, and not stopped
 *
 * Numbers are big-endian. Pure: no I/O, no allocation.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_MESSAGE_H
#define BASILISK_TAP_SHIM_DISCOVERY_MESSAGE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery.h"
#include "txt.h"

#define MESSAGE_MAX	  (1 + 16 + 4 + 2 + TXT_MAX) /* bytes */
#define MESSAGE_LINE_SIZE DISCOVERY_LINE_SIZE

enum message_kind {
	MESSAGE_ANNOUNCE = 'A',
	MESSAGE_WITHDRAW = 'W',
	MESSAGE_WELCOME = 'H',
	MESSAGE_FOUND = 'F',
	MESSAGE_LOST = 'L',
	MESSAGE_STATE = 'S',
	MESSAGE_SETTLED = 'R',
	MESSAGE_PULSE = 'P',
};

/* Owned by whoever declared it; what does not belong to its kind is not looked at. */
struct message {
	enum message_kind kind;
	struct txt txt;		      /* announce, found */
	struct sockaddr_in6 address;  /* found */
	struct mac mac;		      /* lost */
	char line[MESSAGE_LINE_SIZE]; /* state */
};

/* Writes at most MESSAGE_MAX bytes. Returns the length. */
size_t message_encode(const struct message *message, uint8_t *bytes);

/* 0 or -EINVAL. */
int message_decode(const uint8_t *bytes, size_t len, struct message *message);

#endif
