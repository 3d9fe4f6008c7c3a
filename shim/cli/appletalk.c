/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appletalk.c: see appletalk.h.
 */
#include "appletalk.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

/* An 802.3 frame: two MACs, the length of what follows, then SNAP. */
enum { AT_LENGTH = 12, AT_SNAP = 14, AT_BODY = 22 };

#define SNAP_LEN       8
#define DDP_HEADER_LEN 13
#define DDP_LENGTH     0x03ff /* the low bits of its first word; above are the hops */
#define HARDWARE_MAC   1
#define PROTOCOL_AT    0x809b

static const struct mac all_nodes = { { 0x09, 0x00, 0x07, 0xff, 0xff, 0xff } };
static const uint8_t snap_aarp[SNAP_LEN] = { 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x80, 0xf3 };
static const uint8_t snap_ddp[SNAP_LEN] = { 0xaa, 0xaa, 0x03, 0x08, 0x00, 0x07, 0x80, 0x9b };

bool at_address_equal(struct at_address a, struct at_address b)
{
	return a.net == b.net && a.node == b.node;
}

bool at_text_equal(const struct at_text *a, const struct at_text *b)
{
	return a->len == b->len && memcmp(a->byte, b->byte, a->len) == 0;
}

int at_text_get(const uint8_t **at, const uint8_t *end, struct at_text *text)
{
	const uint8_t *from = *at;

	if (from >= end || *from > APPLETALK_TEXT_MAX || *from > end - from - 1)
		return -EINVAL;
	text->len = *from;
	memcpy(text->byte, from + 1, text->len);
	*at = from + 1 + text->len;
	return 0;
}

uint8_t *at_text_put(uint8_t *at, const struct at_text *text)
{
	*at = text->len;
	memcpy(at + 1, text->byte, text->len);
	return at + 1 + text->len;
}

static void put_header(uint8_t *frame, const struct mac *to, const struct mac *from,
		       const uint8_t *snap, size_t body_len)
{
	memcpy(frame, to ? to->byte : all_nodes.byte, MAC_LEN);
	memcpy(frame + MAC_LEN, from->byte, MAC_LEN);
	put_be16(frame + AT_LENGTH, (uint16_t)(SNAP_LEN + body_len));
	memcpy(frame + AT_SNAP, snap, SNAP_LEN);
}

/* Bytes behind the SNAP header, without padding; -EINVAL where the frame is of another kind. */
static int body_len(const uint8_t *frame, size_t len, const uint8_t *snap)
{
	size_t said;

	if (len < AT_BODY || memcmp(frame + AT_SNAP, snap, SNAP_LEN) != 0)
		return -EINVAL;
	said = get_be16(frame + AT_LENGTH);
	if (said < SNAP_LEN || said > len - AT_SNAP)
		return -EINVAL;
	return (int)(said - SNAP_LEN);
}

static struct at_address get_address(const uint8_t *at)
{
	return (struct at_address){ .net = get_be16(at), .node = at[2] };
}

static void put_address(uint8_t *at, struct at_address address)
{
	put_be16(at, address.net);
	at[2] = address.node;
}

/* ---- AARP ---- */

/* From the frame's start. An address has four bytes, of which the first is 0. */
enum {
	AARP_HARDWARE = 22,
	AARP_PROTOCOL = 24,
	AARP_LENGTHS = 26,
	AARP_FUNCTION = 28,
	AARP_FROM_MAC = 30,
	AARP_FROM = 36,
	AARP_TARGET_MAC = 40,
	AARP_TARGET = 46,
};

#define AARP_BODY_LEN (AARP_FRAME_LEN - AT_BODY)
#define LENGTHS	      0x0604 /* of the two kinds of addresses */

void aarp_encode(uint8_t *frame, const struct mac *to, const struct aarp *aarp)
{
	memset(frame, 0, AARP_FRAME_LEN);
	put_header(frame, to, &aarp->from_mac, snap_aarp, AARP_BODY_LEN);
	put_be16(frame + AARP_HARDWARE, HARDWARE_MAC);
	put_be16(frame + AARP_PROTOCOL, PROTOCOL_AT);
	put_be16(frame + AARP_LENGTHS, LENGTHS);
	put_be16(frame + AARP_FUNCTION, aarp->function);
	memcpy(frame + AARP_FROM_MAC, aarp->from_mac.byte, MAC_LEN);
	put_address(frame + AARP_FROM + 1, aarp->from);
	if (to)
		memcpy(frame + AARP_TARGET_MAC, to->byte, MAC_LEN);
	put_address(frame + AARP_TARGET + 1, aarp->target);
}

int aarp_decode(const uint8_t *frame, size_t len, struct aarp *aarp)
{
	if (body_len(frame, len, snap_aarp) < AARP_BODY_LEN ||
	    get_be16(frame + AARP_HARDWARE) != HARDWARE_MAC ||
	    get_be16(frame + AARP_PROTOCOL) != PROTOCOL_AT ||
	    get_be16(frame + AARP_LENGTHS) != LENGTHS)
		return -EINVAL;
	aarp->function = get_be16(frame + AARP_FUNCTION);
	memcpy(aarp->from_mac.byte, frame + AARP_FROM_MAC, MAC_LEN);
	aarp->from = get_address(frame + AARP_FROM + 1);
	aarp->target = get_address(frame + AARP_TARGET + 1);
	return 0;
}

/* ---- DDP ---- */

/* From the frame's start: the long header, the only one on Ethernet. */
enum {
	DDP_LENGTH_AT = 22,
	DDP_CHECKSUM_AT = 24,
	DDP_TO_NET = 26,
	DDP_FROM_NET = 28,
	DDP_TO_NODE = 30,
	DDP_FROM_NODE = 31,
	DDP_TO_SOCKET = 32,
	DDP_FROM_SOCKET = 33,
	DDP_TYPE_AT = 34,
	DDP_DATA = 35,
};

size_t ddp_encode(uint8_t *frame, const struct mac *to, const struct ddp *packet)
{
	size_t len = DDP_HEADER_LEN + packet->len;

	if (packet->len > DDP_DATA_MAX)
		return 0;
	put_header(frame, to, &packet->from_mac, snap_ddp, len);
	put_be16(frame + DDP_LENGTH_AT, (uint16_t)len);
	put_be16(frame + DDP_CHECKSUM_AT, 0);
	put_be16(frame + DDP_TO_NET, packet->to.net);
	put_be16(frame + DDP_FROM_NET, packet->from.net);
	frame[DDP_TO_NODE] = packet->to.node;
	frame[DDP_FROM_NODE] = packet->from.node;
	frame[DDP_TO_SOCKET] = packet->to_socket;
	frame[DDP_FROM_SOCKET] = packet->from_socket;
	frame[DDP_TYPE_AT] = packet->type;
	memcpy(frame + DDP_DATA, packet->data, packet->len);
	return AT_BODY + len;
}

/* Chapter 4: add each byte, then rotate left by one; 0 on the wire means that there is none. */
static uint16_t checksum(const uint8_t *at, const uint8_t *end)
{
	uint16_t sum = 0;

	for (; at < end; at++) {
		sum = (uint16_t)(sum + *at);
		sum = (uint16_t)(sum << 1 | sum >> 15);
	}
	return sum ? sum : 0xffff;
}

int ddp_decode(const uint8_t *frame, size_t len, struct ddp *packet)
{
	int body = body_len(frame, len, snap_ddp);
	uint16_t said, sum;

	if (body < DDP_HEADER_LEN)
		return -EINVAL;
	said = get_be16(frame + DDP_LENGTH_AT) & DDP_LENGTH;
	if (said < DDP_HEADER_LEN || said > body || said > DDP_HEADER_LEN + DDP_DATA_MAX)
		return -EINVAL;
	sum = get_be16(frame + DDP_CHECKSUM_AT);
	if (sum && sum != checksum(frame + DDP_TO_NET, frame + AT_BODY + said))
		return -EINVAL;
	memcpy(packet->from_mac.byte, frame + MAC_LEN, MAC_LEN);
	packet->to.net = get_be16(frame + DDP_TO_NET);
	packet->to.node = frame[DDP_TO_NODE];
	packet->from.net = get_be16(frame + DDP_FROM_NET);
	packet->from.node = frame[DDP_FROM_NODE];
	packet->to_socket = frame[DDP_TO_SOCKET];
	packet->from_socket = frame[DDP_FROM_SOCKET];
	packet->type = frame[DDP_TYPE_AT];
	packet->data = frame + DDP_DATA;
	packet->len = said - DDP_HEADER_LEN;
	return 0;
}
