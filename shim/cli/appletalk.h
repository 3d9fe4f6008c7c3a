/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appletalk.h: AppleTalk phase 2 on Ethernet, as far as a node needs it to be on the network:
 * frames of AARP and DDP, and the echo protocol. Names are in appletalk_names.h, zones in
 * appletalk_zones.h.
 *
 * Pure: buffers in, buffers out; no I/O, no allocation. All that is read is untrusted. Decoded
 * packets point into the frame they came from.
 *
 * Source: Inside AppleTalk, second edition: chapter 2 (AARP), 3 (EtherTalk Link Access Protocol),
 * 4 (DDP), 6 (AEP), appendix C (parameters).
 */
#ifndef BASILISK_TAP_CLI_APPLETALK_H
#define BASILISK_TAP_CLI_APPLETALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mac.h"

#define APPLETALK_FRAME_MAX 621 /* Ethernet 14, SNAP 8, DDP header 13, data 586 */
#define APPLETALK_TEXT_MAX  32	/* bytes of a name, type or zone */

#define APPLETALK_NODE_ALL   0xff
#define APPLETALK_NODE_FIRST 1
#define APPLETALK_NODE_LAST  0xfd
/* Networks that a node uses while it has not heard of a router, or where there is none. */
#define APPLETALK_STARTUP_FIRST 0xff00
#define APPLETALK_STARTUP_LAST	0xfffe

struct at_address {
	uint16_t net; /* 0 is "this network" */
	uint8_t node;
};

/* A string of AppleTalk's, in Mac OS Roman. */
struct at_text {
	uint8_t len;
	uint8_t byte[APPLETALK_TEXT_MAX];
};

bool at_address_equal(struct at_address a, struct at_address b);
bool at_text_equal(const struct at_text *a, const struct at_text *b);

/* Reads a length byte and so many bytes at *@at, before @end, and moves *@at behind. */
int at_text_get(const uint8_t **at, const uint8_t *end, struct at_text *text);

/* Writes the same; returns the byte behind. */
uint8_t *at_text_put(uint8_t *at, const struct at_text *text);

/* ---- AARP: who has this address? ---- */

enum aarp_function { AARP_REQUEST = 1, AARP_RESPONSE = 2, AARP_PROBE = 3 };

#define AARP_FRAME_LEN 50

struct aarp {
	uint16_t function;
	struct mac from_mac;
	struct at_address from;	  /* in a probe the address that is wanted */
	struct at_address target; /* whom a request asks for */
};

/* Writes AARP_FRAME_LEN bytes: to @to, or to all nodes where that is NULL. */
void aarp_encode(uint8_t *frame, const struct mac *to, const struct aarp *aarp);

/* 0, or -EINVAL where the frame is no AARP of AppleTalk's on Ethernet. */
int aarp_decode(const uint8_t *frame, size_t len, struct aarp *aarp);

/* ---- DDP: datagrams between sockets ---- */

enum ddp_type { DDP_NBP = 2, DDP_ATP = 3, DDP_AEP = 4, DDP_ZIP = 6 };
enum ddp_socket { DDP_SOCKET_NAMES = 2, DDP_SOCKET_ECHO = 4, DDP_SOCKET_ZONES = 6 };

#define DDP_DATA_MAX 586

struct ddp {
	struct mac from_mac; /* of the frame: its sender, or the router that passed it on */
	struct at_address from, to;
	uint8_t from_socket, to_socket;
	uint8_t type;
	const uint8_t *data;
	size_t len;
};

/*
 * Writes a frame from @packet->from_mac to @to, or to all nodes where that is NULL. Neither
 * padded nor with a checksum. Returns its length, or 0 for more than DDP_DATA_MAX bytes of data.
 */
size_t ddp_encode(uint8_t *frame, const struct mac *to, const struct ddp *packet);

/*
 * 0; -EINVAL where the frame is no DDP packet, is shorter than its lengths say, or its checksum
 * is wrong. What is behind the packet is padding.
 */
int ddp_decode(const uint8_t *frame, size_t len, struct ddp *packet);

/* ---- AEP: the first byte of the data; what follows comes back as it was ---- */

enum aep_function { AEP_REQUEST = 1, AEP_REPLY = 2 };

#endif
