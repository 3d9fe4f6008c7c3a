/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chooser_node.h: a node on the AppleTalk network: on it as an emulator is, with a slot of this
 * user's; an address of its own that it defends; one question at a time, each with a deadline.
 *
 * Relies on the public library alone for its frames. Must never block without a deadline.
 */
#ifndef BASILISK_TAP_CLI_CHOOSER_NODE_H
#define BASILISK_TAP_CLI_CHOOSER_NODE_H

#include "appletalk.h"
#include "appletalk_names.h"
#include "appletalk_zones.h"
#include "basilisk-tap.h"

#define NODE_SOCKET 0x81 /* ours: the first that is free for anyone */

struct node {
	struct bt_device *device;
	int signals; /* readable when somebody wants us to end */
	uint32_t seed;
	uint8_t frame[BT_FRAME_MAX]; /* the last one, which decoded packets point into */
	struct mac mac;
	struct at_address address;
	bool online; /* the address is ours */
	bool routed; /* there is a router, and with it what follows */
	struct zip_netinfo info;
	struct at_address router;
	struct mac router_mac;
};

/* What came in: either may be, never both. */
struct node_news {
	bool is_ddp;
	struct aarp aarp;
	struct ddp ddp; /* for us; its data is good until the next call */
};

/*
 * Opens the network as bt_open() does, with @ether. 0, or a negative errno; the reason is then
 * already on stderr. node_close() in either case.
 */
int node_open(struct node *node, const char *ether);
void node_close(struct node *node);

/*
 * Takes an address, asks for a router, and takes an address of its network if there is one: 2 to
 * some 6 seconds. 0; -EADDRINUSE where all addresses that were tried are taken; -EINTR.
 */
int node_join(struct node *node);

/*
 * The next that comes before @deadline, in clock_ms()'s time. What others ask of any node, its
 * hardware address and an echo, is answered meanwhile. 0; -ETIMEDOUT; -EINTR: the user wants an
 * end; or what the library said.
 */
int node_receive(struct node *node, uint32_t deadline, struct node_news *news);

/*
 * Sends from our address and NODE_SOCKET, to the hardware address @to, or to all where it is NULL.
 * The caller sets @packet's to, to_socket, type, data, len.
 */
int node_send(struct node *node, const struct mac *to, struct ddp *packet);

/* The hardware address for @address: its own or its router's. 0, -EHOSTUNREACH, -EINTR. */
int node_resolve(struct node *node, struct at_address address, struct mac *mac);

#endif
