/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_wire.c: what comes over a wire or a socket, one packet at a time: TXT record, confirmation
 * frame, the helper's reply, a message of the discovery's share, DNS records and messages. The
 * first byte chooses; what is decoded must come back the same when it is written and read again.
 */
#include <errno.h>

#include "control.h"
#include "discovery_message.h"
#include "input.h"
#include "records.h"
#include "reply.h"
#include "txt.h"

static void insist_same_txt(const struct txt *a, const struct txt *b)
{
	insist(mac_equal(&a->mac, &b->mac) && a->port == b->port && a->bridged == b->bridged &&
	       a->attach == b->attach && strcmp(a->hostname, b->hostname) == 0);
}

/* What every TXT record that is believed has. */
static void check_txt(const struct txt *txt)
{
	insist(mac_is_guest(&txt->mac) && (unsigned int)txt->attach < ATTACH_COUNT);
	insist(strnlen(txt->hostname, sizeof(txt->hostname)) < sizeof(txt->hostname));
	for (const char *p = txt->hostname; *p; p++)
		insist((unsigned char)*p >= ' ' && *p != 0x7f);
}

static void fuzz_txt(const uint8_t *data, size_t size)
{
	struct txt txt, again;
	uint8_t rdata[TXT_MAX];
	size_t len;

	if (txt_decode(data, size, &txt))
		return;
	check_txt(&txt);
	if (txt.port == 0)
		return; /* "not said" is not written */
	len = txt_encode(&txt, rdata);
	insist(len <= TXT_MAX && txt_decode(rdata, len, &again) == 0);
	insist_same_txt(&txt, &again);
}

static void fuzz_control(const uint8_t *data, size_t size)
{
	struct control control, again;
	uint8_t frame[CONTROL_LEN];

	if (control_decode(data, size, &control))
		return;
	insist(mac_is_guest(&control.source) && (unsigned int)control.attach < ATTACH_COUNT);
	control_encode(&control, frame);
	insist(control_is(frame, sizeof(frame)));
	insist(control_decode(frame, sizeof(frame), &again) == 0 && control.type == again.type &&
	       control.cookie == again.cookie && control.echo == again.echo &&
	       mac_equal(&control.source, &again.source));
}

static void fuzz_reply(const uint8_t *data, size_t size)
{
	struct reply reply, again;
	uint8_t message[REPLY_LEN];

	if (reply_decode(data, size, &reply))
		return;
	reply_encode(&reply, message);
	insist(reply_decode(message, sizeof(message), &again) == 0 && reply.code == again.code &&
	       strcmp(reply.text, again.text) == 0 && strcmp(reply.tap, again.tap) == 0 &&
	       strcmp(reply.uplink, again.uplink) == 0 && mac_equal(&reply.mac, &again.mac));
}

static void fuzz_message(const uint8_t *data, size_t size)
{
	struct message message, again;
	uint8_t bytes[MESSAGE_MAX];
	size_t len;

	if (message_decode(data, size, &message))
		return;
	if (message.kind == MESSAGE_ANNOUNCE || message.kind == MESSAGE_FOUND) {
		check_txt(&message.txt);
		if (!message.txt.port)
			return;
	}
	for (const char *p = message.line; *p; p++)
		insist((unsigned char)*p >= ' ' && *p != 0x7f);
	len = message_encode(&message, bytes);
	insist(len <= sizeof(bytes) && message_decode(bytes, len, &again) == 0);
	insist(message.kind == again.kind && mac_equal(&message.mac, &again.mac) &&
	       memcmp(&message.address, &again.address, sizeof(again.address)) == 0 &&
	       strcmp(message.line, again.line) == 0);
	insist_same_txt(&message.txt, &again.txt);
}

/* A name as text is at most as long as its buffer, means the same on the wire, and is printable. */
static void check_name(const char *text, const uint8_t *wire, size_t used)
{
	uint8_t again[RECORD_WIRE_MAX];

	insist(strlen(text) < RECORD_NAME_SIZE);
	for (const char *p = text; *p; p++)
		insist(*p > ' ' && *p <= '~');
	insist(record_name_encode(text, again) == (int)used && memcmp(again, wire, used) == 0);
}

static void fuzz_name(const uint8_t *data, size_t size)
{
	char text[RECORD_NAME_SIZE], *given;
	uint8_t wire[RECORD_WIRE_MAX];
	int used = record_name_decode(data, size, text);

	if (used > 0)
		check_name(text, data, (size_t)used);
	/* and text that is not ours, from Avahi */
	given = malloc(size + 1);
	insist(given);
	memcpy(given, data, size);
	given[size] = '\0';
	used = record_name_encode(given, wire);
	if (used > 0) {
		insist(used <= RECORD_WIRE_MAX);
		insist(record_name_decode(wire, (size_t)used, text) == used);
		record_name_is_below(text, RECORD_SERVICE);
	}
	free(given);
}

static void fuzz_record(const uint8_t *data, size_t size)
{
	static const enum record_type types[] = { RECORD_A, RECORD_AAAA, RECORD_PTR };
	char target[RECORD_NAME_SIZE];
	struct sockaddr_in6 address;
	struct in6_addr *ip = &address.sin6_addr;
	uint16_t port;

	if (record_read_srv(data, size, &port, target) == 0)
		check_name(target, data + 6, size - 6);
	if (!size)
		return;
	if (record_read_address(types[data[0] % 3], data + 1, size - 1, data[0] & 0x80 ? 1 : 7,
				6066, &address))
		return;
	insist(!IN6_IS_ADDR_UNSPECIFIED(ip) && !IN6_IS_ADDR_MULTICAST(ip));
	if (!(data[0] & 0x80))
		insist(!IN6_IS_ADDR_LOOPBACK(ip) &&
		       !(IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[12] == 127));
	insist(!IN6_IS_ADDR_LINKLOCAL(ip) || address.sin6_scope_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const uint8_t *data, size_t size) = {
		fuzz_txt, fuzz_control, fuzz_reply, fuzz_message, fuzz_name, fuzz_record,
	};
	uint8_t *copy;

	if (!size)
		return 0;
	copy = copy_of(data + 1, size - 1);
	if (data[0] >= 0xf8)
		records_are_sane(copy, size - 1); /* looks at nothing beyond its end */
	else
		targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](copy, size - 1);
	free(copy);
	return 0;
}
