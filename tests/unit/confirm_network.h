/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confirm_network.h: several instances joined by a small network that is made of arrays: addresses,
 * LANs for the TAPs, wires that can be cut, a clock that is set. For the tests of who is believed
 * to be where.
 */
#ifndef BASILISK_TAP_TESTS_UNIT_CONFIRM_NETWORK_H
#define BASILISK_TAP_TESTS_UNIT_CONFIRM_NETWORK_H

#include <check.h>
#include <string.h>

#include "bytes.h"
#include "confirm.h"
#include "confirm_rounds.h"
#include "frame.h"
#include "proto_test.h"

#define NODES	  4
#define ADDRESSES 3
#define QUEUE	  4096

struct node {
	struct confirm confirm;
	struct peers peers;
	struct tunnel_target at[ADDRESSES]; /* where it is; port 0: nothing */
	bool cut[ADDRESSES];		    /* nothing arrives there or leaves */
	int lan;			    /* of its TAP; 0: reaches nobody */
	bool deaf;			    /* does not know confirmation frames */
	unsigned int sent;		    /* confirmation frames */
	unsigned int news[CONFIRM_TWIN + 1];
};

struct packet {
	uint8_t frame[CONTROL_LEN];
	struct tunnel_target from, to; /* port 0: by the TAP */
	int sender;
};

static struct node node[NODES];
static struct packet queue[QUEUE];
static unsigned int head, tail;
static uint32_t now;
static unsigned int stray; /* frames to addresses that nobody has */

static inline struct tunnel_target place(unsigned int network, unsigned int host)
{
	struct tunnel_target t = { { { [10] = 0xff, [11] = 0xff } }, 6066 };

	t.address.byte[12] = 10;
	t.address.byte[13] = (uint8_t)network;
	t.address.byte[15] = (uint8_t)host;
	return t;
}

static inline void on_send(void *user, const uint8_t *frame, const struct tunnel_target *to)
{
	struct node *n = user;
	struct packet *p = &queue[head % QUEUE];
	int from = 0;

	ck_assert_uint_lt(head - tail, QUEUE);
	n->sent++;
	*p = (struct packet){ .sender = (int)(n - node) };
	memcpy(p->frame, frame, CONTROL_LEN);
	/* sent from the address in the same network, as the kernel does it */
	for (int i = 0; to && i < ADDRESSES; i++)
		if (n->at[i].port && n->at[i].address.byte[13] == to->address.byte[13])
			from = i;
	if (to) {
		p->to = *to;
		p->from = n->at[from];
	}
	head += !to || !n->cut[from];
}

static inline bool on_link(void *user, const struct address *address)
{
	const struct node *n = user;

	for (int i = 0; i < ADDRESSES; i++)
		if (n->at[i].port && n->at[i].address.byte[13] == address->byte[13])
			return true;
	return false;
}

static inline void on_news(void *user, enum confirm_news news, const struct peer *peer)
{
	struct node *n = user;

	(void)peer;
	n->news[news]++;
}

static inline void deliver_by_tap(const struct packet *p)
{
	struct mac to = frame_destination(p->frame);

	for (int i = 0; i < NODES; i++)
		if (node[i].lan && node[i].lan == node[p->sender].lan &&
		    mac_equal(&to, &node[i].confirm.mac) && !node[i].deaf)
			confirm_frame(&node[i].confirm, p->frame, CONTROL_LEN, NULL, now);
}

static inline void deliver(const struct packet *p)
{
	for (int i = 0; i < NODES; i++)
		for (int k = 0; k < ADDRESSES; k++) {
			if (node[i].at[k].port != p->to.port ||
			    !address_equal(&node[i].at[k].address, &p->to.address))
				continue;
			if (!node[i].cut[k] && !node[i].deaf)
				confirm_frame(&node[i].confirm, p->frame, CONTROL_LEN, &p->from,
					      now);
			return;
		}
	stray++;
}

static inline void run_network(void)
{
	while (tail != head) {
		struct packet p = queue[tail++ % QUEUE];

		if (p.to.port)
			deliver(&p);
		else
			deliver_by_tap(&p);
	}
}

/* Does what is due, and what that brings about, as the nodes' loops do. ms until more is due. */
static inline int settle(void)
{
	int next;
	bool moved;

	do {
		next = -1;
		for (int i = 0; i < NODES; i++) {
			int wait = confirm_tick(&node[i].confirm, now);

			ck_assert_int_ne(wait, 0); /* or the thread would spin */
			if (wait > 0 && (next < 0 || wait < next))
				next = wait;
		}
		moved = tail != head;
		run_network();
	} while (moved);
	return next;
}

static inline void pass(uint32_t ms)
{
	uint32_t end = now + ms;
	int next;

	while ((next = settle()) > 0 && !time_after(now + (uint32_t)next, end))
		now += (uint32_t)next;
	now = end;
}

static inline struct mac mac_of(int i)
{
	return (struct mac){ { 0xb2, 0, 0, (uint8_t)i, 0, 0 } };
}

static inline void start(int i, enum attach attach)
{
	static const struct confirm_calls calls = { on_send, on_link, on_news };
	struct siphash_key key = { (uint64_t)i * 77, (uint64_t)i + 1 };
	struct mac mac = mac_of(i);

	ck_assert_int_eq(peers_init(&node[i].peers, (uint64_t)i), 0);
	confirm_init(&node[i].confirm, &node[i].peers, &mac, attach, &key, &calls, &node[i], now);
	node[i].at[0] = place(1, (unsigned int)i + 1);
}

static inline void setup(void)
{
	memset(node, 0, sizeof(node));
	head = tail = stray = 0;
	now = 0xfffff000; /* wraps round in four seconds */
	for (int i = 0; i < NODES; i++)
		start(i, ATTACH_NO);
}

static inline void teardown(void)
{
	for (int i = 0; i < NODES; i++)
		peers_free(&node[i].peers);
}

static inline struct peer *peer_of(int i, int other)
{
	struct mac mac = mac_of(other);

	return peers_find(&node[i].peers, &mac);
}

static inline void announce_at(int i, int other, const struct tunnel_target *at)
{
	struct txt txt = { .mac = mac_of(other), .attach = node[other].confirm.attach };

	confirm_found(&node[i].confirm, &txt, at, now);
}

static inline void announce(int i, int other)
{
	announce_at(i, other, &node[other].at[0]);
}

/* What somebody sends to that node from there. @expect: what it makes of it. */
static inline void forge(struct control *c, int to, const struct tunnel_target *from, int expect)
{
	uint8_t frame[CONTROL_LEN];

	c->destination = mac_of(to);
	control_encode(c, frame);
	ck_assert_int_eq(confirm_frame(&node[to].confirm, frame, CONTROL_LEN, from, now), expect);
}

/* Runs the tests, each with all nodes new; what main() returns. */
static inline int run_on_network(const char *name, const TTest *const tests[], size_t count)
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create(name);

	tcase_add_checked_fixture(cases, setup, teardown);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}

#endif
