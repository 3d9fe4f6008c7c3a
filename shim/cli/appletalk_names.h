/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appletalk_names.h: the name binding protocol, and names as people write them.
 *
 * Pure: buffers in, buffers out; no I/O, no allocation. All that is read is untrusted.
 *
 * Source: Inside AppleTalk, second edition, chapter 7 (NBP), appendix D (character codes); for the
 * characters' numbers in Unicode: the Unicode Consortium's table MAPPINGS/VENDORS/APPLE/ROMAN.TXT.
 */
#ifndef BASILISK_TAP_CLI_APPLETALK_NAMES_H
#define BASILISK_TAP_CLI_APPLETALK_NAMES_H

#include "appletalk.h"

enum nbp_function { NBP_BROADCAST_REQUEST = 1, NBP_LOOKUP = 2, NBP_REPLY = 3 };

#define NBP_TUPLES_MAX 15  /* the count has four bits */
#define NBP_LOOKUP_MAX 106 /* bytes of a packet with one tuple */

struct nbp_tuple {
	struct at_address address;
	uint8_t socket;
	uint8_t enumerator; /* tells names of one socket apart */
	struct at_text object, type, zone;
};

struct nbp {
	uint8_t function;
	uint8_t id; /* a reply has that of its request */
	unsigned int n;
	struct nbp_tuple tuple[NBP_TUPLES_MAX];
};

/* Writes a packet with one tuple, at most NBP_LOOKUP_MAX bytes; returns its length. */
size_t nbp_encode(uint8_t *data, enum nbp_function function, uint8_t id,
		  const struct nbp_tuple *tuple);

/* 0, or -EINVAL where not all the tuples it speaks of are there. */
int nbp_decode(const uint8_t *data, size_t len, struct nbp *nbp);

/* ---- names and people ---- */

#define AT_TEXT_UTF8_SIZE (3 * APPLETALK_TEXT_MAX + 1)

/* As UTF-8; control characters, of which a terminal might obey some, become U+FFFD. */
char *at_text_format(const struct at_text *text, char *utf8);

/* From @len bytes of UTF-8. -EINVAL: empty, more than 32 characters, or one that Macs lack. */
int at_text_parse(const char *utf8, size_t len, struct at_text *text);

/*
 * Reads OBJECT[:TYPE[@ZONE]] as chapter 7 writes names; what is missing stays as it was. @tuple's
 * address is not touched.
 */
int nbp_parse(const char *utf8, struct nbp_tuple *tuple);

#endif
