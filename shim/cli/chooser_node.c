/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chooser_node.c: see chooser_node.h.
 *
 * Source: Inside AppleTalk, second edition: chapter 2 (how an address is claimed: ten probes, a
 * fifth of a second apart), 4 (a node's start: an address of the start-up range until a router
 * tells the network's), 8 (GetNetInfo), appendix C.
 */
#include "chooser_node.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"

#define PROBES	   10
#define PROBE_MS   200
#define CLAIMS_MAX 8 /* addresses that are tried before we give up */
#define ASK_TRIES  3 /* of a question that is lost or not answered */
#define ASK_MS	   500

int node_open(struct node *node, const char *ether)
{
	sigset_t ends;
	int error;

	memset(node, 0, sizeof(*node));
	node->signals = -1;
	error = bt_open(ether, &node->device);
	if (error)
		return error;
	bt_mac(node->device, node->mac.byte);
	/* The same each time, so that others find us where we were; another for each MAC. */
	node->seed = get_be32(node->mac.byte + 2) * 2654435761u;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	node->signals = signalfd(-1, &ends, SFD_CLOEXEC);
	return node->signals < 0 ? -errno : 0;
}

void node_close(struct node *node)
{
	bt_close(node->device);
	if (node->signals >= 0)
		close(node->signals);
}

/* ---- what others may ask of any node ---- */

static int send_frame(struct node *node, const uint8_t *frame, size_t len)
{
	ssize_t n = bt_send(node->device, frame, len);

	return n < 0 ? (int)n : 0;
}

static int send_aarp(struct node *node, const struct mac *to, enum aarp_function function,
		     struct at_address target)
{
	struct aarp aarp = { .function = (uint16_t)function, .from_mac = node->mac };
	uint8_t frame[AARP_FRAME_LEN];

	aarp.from = node->address;
	aarp.target = target;
	aarp_encode(frame, to, &aarp);
	return send_frame(node, frame, sizeof(frame));
}

static void answer_echo(struct node *node, const struct ddp *request)
{
	uint8_t frame[APPLETALK_FRAME_MAX], data[DDP_DATA_MAX];
	struct ddp reply = { .type = DDP_AEP, .from_mac = node->mac, .from = node->address };

	memcpy(data, request->data, request->len);
	data[0] = AEP_REPLY;
	reply.to = request->from;
	reply.to_socket = request->from_socket;
	reply.from_socket = DDP_SOCKET_ECHO;
	reply.data = data;
	reply.len = request->len;
	send_frame(node, frame, ddp_encode(frame, &request->from_mac, &reply));
}

static bool is_for_us(const struct node *node, const struct ddp *packet)
{
	/* A router that does not know our network yet answers to all. */
	if (packet->to.node == APPLETALK_NODE_ALL)
		return true;
	return packet->to.node == node->address.node &&
	       (!packet->to.net || packet->to.net == node->address.net);
}

/* True where the frame in node->frame is news for whoever waits. */
static bool take_frame(struct node *node, size_t len, struct node_news *news)
{
	if (aarp_decode(node->frame, len, &news->aarp) == 0) {
		const struct aarp *aarp = &news->aarp;

		news->is_ddp = false;
		if (mac_equal(&aarp->from_mac, &node->mac))
			return false;
		if (node->online && aarp->function != AARP_RESPONSE &&
		    at_address_equal(aarp->target, node->address))
			send_aarp(node, &aarp->from_mac, AARP_RESPONSE, aarp->from);
		return true;
	}
	if (ddp_decode(node->frame, len, &news->ddp) < 0 || !is_for_us(node, &news->ddp))
		return false;
	news->is_ddp = true;
	if (news->ddp.to_socket != DDP_SOCKET_ECHO)
		return news->ddp.to_socket == NODE_SOCKET;
	if (node->online && news->ddp.type == DDP_AEP && news->ddp.len &&
	    news->ddp.data[0] == AEP_REQUEST)
		answer_echo(node, &news->ddp);
	return false;
}

int node_receive(struct node *node, uint32_t deadline, struct node_news *news)
{
	for (;;) {
		struct pollfd fds[] = { { .fd = bt_fd(node->device), .events = POLLIN },
					{ .fd = node->signals, .events = POLLIN } };
		int32_t left = (int32_t)(deadline - clock_ms());
		ssize_t len;

		/* Looked at before each frame: no flood keeps us beyond the deadline. */
		if (left <= 0)
			return -ETIMEDOUT;
		len = bt_receive(node->device, node->frame, sizeof(node->frame));
		if (len >= 0) {
			if (take_frame(node, (size_t)len, news))
				return 0;
			continue;
		}
		if (len != -EAGAIN)
			return (int)len;
		if (poll(fds, 2, left) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			return -EINTR;
	}
}

int node_send(struct node *node, const struct mac *to, struct ddp *packet)
{
	uint8_t frame[APPLETALK_FRAME_MAX];
	size_t len;

	packet->from_mac = node->mac;
	packet->from = node->address;
	packet->from_socket = NODE_SOCKET;
	len = ddp_encode(frame, to, packet);
	return len ? send_frame(node, frame, len) : -EMSGSIZE;
}

/* ---- an address ---- */

/* The next candidate in @first to @last, by a generator that stays the same from start to start. */
static struct at_address candidate(struct node *node, uint16_t first, uint16_t last)
{
	const uint32_t nets = (uint32_t)(last - first) + 1;
	const uint32_t nodes = APPLETALK_NODE_LAST - APPLETALK_NODE_FIRST + 1;
	struct at_address address;
	uint32_t number;

	node->seed = node->seed * 1664525u + 1013904223u;
	number = node->seed >> 8;
	address.net = (uint16_t)(first + number / nodes % nets);
	address.node = (uint8_t)(APPLETALK_NODE_FIRST + number % nodes);
	return address;
}

/* Its owner answers a probe; somebody else may be probing for the same. */
static bool is_contested(const struct node *node, const struct node_news *news)
{
	return !news->is_ddp && news->aarp.function != AARP_REQUEST &&
	       at_address_equal(news->aarp.from, node->address);
}

/* 0, -EADDRINUSE, or a negative errno that ends all. */
static int probe(struct node *node)
{
	struct node_news news = { 0 };

	for (int i = 0; i < PROBES; i++) {
		uint32_t deadline = clock_ms() + PROBE_MS;
		int error = send_aarp(node, NULL, AARP_PROBE, node->address);

		if (error)
			return error;
		while ((error = node_receive(node, deadline, &news)) == 0) {
			if (is_contested(node, &news))
				return -EADDRINUSE;
		}
		if (error != -ETIMEDOUT)
			return error;
	}
	return 0;
}

static int claim(struct node *node, uint16_t first, uint16_t last)
{
	int error = -EADDRINUSE;

	node->online = false;
	for (int i = 0; i < CLAIMS_MAX && error == -EADDRINUSE; i++) {
		node->address = candidate(node, first, last);
		error = probe(node);
	}
	node->online = !error;
	return error;
}

static int ask_net_info(struct node *node)
{
	static const struct at_text any_zone = { 0 };
	uint8_t data[ZIP_NETINFO_MAX];
	struct ddp question = { .type = DDP_ZIP, .data = data };
	struct node_news news = { 0 };

	question.to.node = APPLETALK_NODE_ALL;
	question.to_socket = DDP_SOCKET_ZONES;
	question.len = zip_netinfo_request(data, &any_zone);
	for (int i = 0; i < ASK_TRIES; i++) {
		uint32_t deadline = clock_ms() + ASK_MS;
		int error = node_send(node, NULL, &question);

		if (error)
			return error;
		while ((error = node_receive(node, deadline, &news)) == 0) {
			if (!news.is_ddp || news.ddp.type != DDP_ZIP ||
			    zip_netinfo_decode(news.ddp.data, news.ddp.len, &node->info) < 0)
				continue;
			node->router = news.ddp.from;
			node->router_mac = news.ddp.from_mac;
			node->routed = true;
			return 0;
		}
		if (error != -ETIMEDOUT)
			return error;
	}
	return 0;
}

int node_join(struct node *node)
{
	int error = claim(node, APPLETALK_STARTUP_FIRST, APPLETALK_STARTUP_LAST);

	if (!error)
		error = ask_net_info(node);
	if (!error && node->routed)
		error = claim(node, node->info.first, node->info.last);
	return error;
}

static bool is_on_our_cable(const struct node *node, uint16_t net)
{
	return !node->routed || !net || net >= APPLETALK_STARTUP_FIRST ||
	       (net >= node->info.first && net <= node->info.last);
}

int node_resolve(struct node *node, struct at_address address, struct mac *mac)
{
	struct node_news news = { 0 };

	if (!is_on_our_cable(node, address.net)) {
		*mac = node->router_mac;
		return 0;
	}
	for (int i = 0; i < ASK_TRIES; i++) {
		uint32_t deadline = clock_ms() + ASK_MS;
		int error = send_aarp(node, NULL, AARP_REQUEST, address);

		if (error)
			return error;
		while ((error = node_receive(node, deadline, &news)) == 0) {
			if (news.is_ddp || news.aarp.function != AARP_RESPONSE ||
			    !at_address_equal(news.aarp.from, address))
				continue;
			*mac = news.aarp.from_mac;
			return 0;
		}
		if (error != -ETIMEDOUT)
			return error;
	}
	return -EHOSTUNREACH;
}
