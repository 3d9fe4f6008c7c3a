/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_chooser.c: `basilisk-tap chooser` on a network where the input is all that is ever heard: it
 * takes an address, asks for a router, for zones, for names, for an echo, and prints what it
 * learnt. The node's wire and clock are stand-ins: frames come from the input, and where there is
 * none the time until the deadline passes at once.
 *
 * The first byte says what is done and how it is printed. Then frames: a byte of
 * kind, which saves the fuzzer the bytes that never change, and a length byte with so many bytes.
 */
#include <errno.h>
#include <poll.h>

#include "appletalk.h"
#include "bytes.h"
#include "chooser_look.h"
#include "chooser_node.h"
#include "chooser_print.h"
#include "clock.h"
#include "frame.h"
#include "input.h"
#include "output.h"

static struct {
	struct input in;
	uint32_t now;
	size_t received; /* the last frame's length */
	bool parse;	 /* names are also read back */
	const struct node *node;
} wire;

static uint32_t wire_clock(void)
{
	return wire.now;
}

/* The time until the deadline passes. */
static int wire_poll(struct pollfd *fds, nfds_t n, int ms)
{
	for (nfds_t i = 0; i < n; i++)
		fds[i].revents = 0;
	wire.now += (uint32_t)ms;
	return 0;
}

/* A frame around the body: @kind 0 is the whole frame, 1 AARP, 2 DDP, then NBP, ATP, AEP, ZIP. */
static size_t make_frame(uint8_t kind, const uint8_t *body, size_t len, uint8_t *frame)
{
	static const uint8_t types[] = { DDP_NBP, DDP_ATP, DDP_AEP, DDP_ZIP };
	static const struct mac other = { { 2, 0, 0, 0, 0, 9 } };
	struct ddp packet = { .from_mac = other, .from = { 0xff10, 0x30 }, .data = body };

	if (kind == 0) {
		memcpy(frame, body, len);
		return len;
	}
	if (kind <= 2) {
		const struct aarp aarp = { .function = AARP_RESPONSE, .from_mac = other };

		/* the headers of one, and what the input says from there on */
		if (kind == 1)
			aarp_encode(frame, NULL, &aarp);
		else
			ddp_encode(frame, NULL, &packet);
		len = len > 40 ? 40 : len;
		memcpy(frame + 22, body, len);
		put_be16(frame + 12, (uint16_t)(8 + len));
		return 22 + len;
	}
	packet.type = types[kind % 4];
	packet.to = wire.node->address;
	packet.to_socket = packet.type == DDP_AEP ? DDP_SOCKET_ECHO : NODE_SOCKET;
	packet.len = len;
	return ddp_encode(frame, &wire.node->mac, &packet);
}

static ssize_t wire_receive(struct bt_device *device, void *buffer, size_t size)
{
	uint8_t kind, frame[FRAME_MAX], *to = buffer;
	const uint8_t *body;
	size_t len;

	(void)device;
	insist(size >= FRAME_MAX);
	if (!wire.in.left)
		return -EAGAIN;
	kind = take_byte(&wire.in);
	if (kind == 0xff)
		return -EAGAIN; /* nothing for a while */
	body = take_some(&wire.in, 255, &len);
	len = make_frame(kind % 7, body, len, frame);
	if (len < FRAME_MIN)
		return -EAGAIN;
	memset(to, 0xee, size);
	memcpy(to, frame, len);
	wire.received = len;
	return (ssize_t)len;
}

/* All that we send is well-formed, ours, and never more than what it answers. */
static ssize_t wire_send(struct bt_device *device, const void *frame, size_t len)
{
	struct mac source = frame_source(frame);
	struct aarp aarp;
	struct ddp packet;

	(void)device;
	insist(len <= APPLETALK_FRAME_MAX && mac_equal(&source, &wire.node->mac));
	if (aarp_decode(frame, len, &aarp) == 0) {
		insist(aarp.function != AARP_RESPONSE || wire.node->online);
	} else {
		insist(ddp_decode(frame, len, &packet) == 0);
		if (packet.type == DDP_AEP && packet.len && packet.data[0] == AEP_REPLY)
			insist(wire.node->online && len <= wire.received);
	}
	return (ssize_t)len;
}

#define bt_fd(device)	 (-1)
#define bt_receive	 wire_receive
#define bt_send		 wire_send
#define poll(fds, n, ms) wire_poll(fds, n, ms)
#define clock_ms	 wire_clock
#include "../../shim/cli/chooser_node.c"
#include "../../shim/cli/chooser_look.c"

static void check_text(const struct at_text *text)
{
	char utf8[AT_TEXT_UTF8_SIZE];
	struct at_text again;

	insist(text->len <= APPLETALK_TEXT_MAX);
	at_text_format(text, utf8);
	insist(strlen(utf8) < sizeof(utf8) && is_plain_text(utf8, strlen(utf8)));
	/* which tries 256 characters for each: not every time */
	if (wire.parse && at_text_parse(utf8, strlen(utf8), &again) == 0)
		insist(at_text_equal(text, &again));
}

static void check_node(const struct node *node)
{
	const struct zip_netinfo *info = &node->info;

	if (node->routed) {
		insist(info->first && info->first <= info->last &&
		       info->last < APPLETALK_STARTUP_FIRST && info->zone.len);
		check_text(&info->zone);
	}
	if (!node->online)
		return;
	insist(node->address.node >= APPLETALK_NODE_FIRST &&
	       node->address.node <= APPLETALK_NODE_LAST);
	insist(node->routed ? node->address.net >= info->first && node->address.net <= info->last :
			      node->address.net >= APPLETALK_STARTUP_FIRST);
}

static void check_output(const struct look *look, bool json)
{
	struct output output;

	output_begin(&output);
	if (json) {
		printf("{\"node\": 1");
		chooser_print_list_json(look);
	} else if (look->names) {
		chooser_print_list(look);
	}
	output_end(&output);
	insist(is_plain_text(output.text, output.len));
	if (json)
		insist(is_json(output.text));
	free(output.text);
}

static void look_around(struct look *look, uint8_t what)
{
	struct nbp_tuple any = { .object = { 1, "=" }, .type = { 1, "=" }, .zone = { 1, "*" } };
	struct mac mac;

	if (look_for_zones(look) < 0)
		return;
	insist(look->zones && look->zones <= LOOK_ZONES_MAX);
	for (unsigned int i = 0; i < look->zones; i++)
		check_text(&look->zone[i]);
	look_for_names(look, &any, 300, what & 4);
	insist(look->names <= LOOK_NAMES_MAX);
	for (unsigned int i = 0; i < look->names; i++) {
		check_text(&look->name[i].object);
		check_text(&look->name[i].type);
		check_text(&look->name[i].zone);
	}
	look_sort(look);
	if (look->names && node_resolve(look->node, look->name[0].address, &mac) == 0)
		look_echo(look->node, look->name[0].address, &mac, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct node node;
	static struct nbp_tuple
		names[LOOK_NAMES_MAX]; /* allocating it anew costs more than all else */
	static struct look look;
	uint8_t what;

	memset(&node, 0, sizeof(node));
	memset(&look, 0, sizeof(look));
	node.mac = (struct mac){ { 0xb2, 0, 0, 1, 2, 3 } };
	node.signals = -1;
	node.seed = 1;
	look.node = &node;
	look.name = names;
	memset(&wire, 0, sizeof(wire));
	wire.in = (struct input){ data, size };
	wire.node = &node;
	what = take_byte(&wire.in);
	wire.parse = (what & 0xe0) == 0xe0;
	if (what & 1) { /* as after a start, without the fifteen deadlines of one */
		node.address = (struct at_address){ APPLETALK_STARTUP_FIRST, 0x81 };
		node.online = true;
		ask_net_info(&node);
		if (node.routed)
			node.address.net = node.info.first;
	} else if (node_join(&node) < 0) {
		insist(!node.online);
		return 0;
	}
	check_node(&node);
	look_around(&look, what);
	check_node(&node);
	check_output(&look, what & 0x10);
	return 0;
}
