/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_confirm.c: who is believed to be where. Several instances are joined by a small network
 * that is made of arrays: addresses, LANs for the TAPs, wires that can be cut, a clock that is set.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "bytes.h"
#include "confirm.h"
#include "confirm_rounds.h"
#include "frame.h"
#include "suite.h"

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

static struct tunnel_target place(unsigned int network, unsigned int host)
{
	struct tunnel_target t = { { { [10] = 0xff, [11] = 0xff } }, 6066 };

	t.address.byte[12] = 10;
	t.address.byte[13] = (uint8_t)network;
	t.address.byte[15] = (uint8_t)host;
	return t;
}

static void on_send(void *user, const uint8_t *frame, const struct tunnel_target *to)
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

static bool on_link(void *user, const struct address *address)
{
	const struct node *n = user;

	for (int i = 0; i < ADDRESSES; i++)
		if (n->at[i].port && n->at[i].address.byte[13] == address->byte[13])
			return true;
	return false;
}

static void on_news(void *user, enum confirm_news news, const struct peer *peer)
{
	struct node *n = user;

	(void)peer;
	n->news[news]++;
}

static void deliver_by_tap(const struct packet *p)
{
	struct mac to = frame_destination(p->frame);

	for (int i = 0; i < NODES; i++)
		if (node[i].lan && node[i].lan == node[p->sender].lan &&
		    mac_equal(&to, &node[i].confirm.mac) && !node[i].deaf)
			confirm_frame(&node[i].confirm, p->frame, CONTROL_LEN, NULL, now);
}

static void deliver(const struct packet *p)
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

static void run_network(void)
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
static int settle(void)
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

static void pass(uint32_t ms)
{
	uint32_t end = now + ms;
	int next;

	while ((next = settle()) > 0 && !time_after(now + (uint32_t)next, end))
		now += (uint32_t)next;
	now = end;
}

static struct mac mac_of(int i)
{
	return (struct mac){ { 0xb2, 0, 0, (uint8_t)i, 0, 0 } };
}

static void start(int i, enum attach attach)
{
	static const struct confirm_calls calls = { on_send, on_link, on_news };
	struct siphash_key key = { (uint64_t)i * 77, (uint64_t)i + 1 };
	struct mac mac = mac_of(i);

	ck_assert_int_eq(peers_init(&node[i].peers, (uint64_t)i), 0);
	confirm_init(&node[i].confirm, &node[i].peers, &mac, attach, &key, &calls, &node[i], now);
	node[i].at[0] = place(1, (unsigned int)i + 1);
}

static void setup(void)
{
	memset(node, 0, sizeof(node));
	head = tail = stray = 0;
	now = 0xfffff000; /* wraps round in four seconds */
	for (int i = 0; i < NODES; i++)
		start(i, ATTACH_NO);
}

static void teardown(void)
{
	for (int i = 0; i < NODES; i++)
		peers_free(&node[i].peers);
}

static struct peer *peer_of(int i, int other)
{
	struct mac mac = mac_of(other);

	return peers_find(&node[i].peers, &mac);
}

static void announce_at(int i, int other, const struct tunnel_target *at)
{
	struct txt txt = { .mac = mac_of(other), .attach = node[other].confirm.attach };

	confirm_found(&node[i].confirm, &txt, at, now);
}

static void announce(int i, int other)
{
	announce_at(i, other, &node[other].at[0]);
}

/* ---- finding each other ---- */

START_TEST(test_one_announcement_makes_both_sides_proven)
{
	announce(0, 1);
	pass(100);
	ck_assert(peer_is_proven(peer_of(0, 1)));
	ck_assert(peer_is_proven(peer_of(1, 0)));
	ck_assert_uint_eq(node[0].news[CONFIRM_PROVEN], 1);
	ck_assert_uint_eq(node[1].news[CONFIRM_PROVEN], 1);
	ck_assert_uint_le(node[0].sent + node[1].sent, 3);
}
END_TEST

START_TEST(test_datagram_of_a_stranger_is_answered_by_hello_not_by_an_entry)
{
	struct mac mac = mac_of(1);
	struct tunnel_target nowhere = place(9, 9);

	confirm_unknown(&node[0].confirm, &mac, &nowhere, now);
	ck_assert_uint_eq(node[0].peers.count, 0);
	ck_assert_uint_eq(node[0].sent, 1);
	confirm_unknown(&node[0].confirm, &mac, &node[1].at[0], now);
	run_network();
	ck_assert(peer_is_proven(peer_of(0, 1)));
	ck_assert(peer_is_proven(peer_of(1, 0)));
}
END_TEST

START_TEST(test_unproven_peer_gets_frames_only_on_link)
{
	struct tunnel_target near = place(1, 99), far = place(9, 9);

	announce_at(0, 2, &far);
	ck_assert_uint_eq(peer_of(0, 2)->sending, PEER_ADDRESSES);
	announce_at(0, 2, &near);
	ck_assert_uint_eq(peer_of(0, 2)->sending, 1);
}
END_TEST

START_TEST(test_unproven_peer_gets_frames_by_ipv4_if_it_has_that)
{
	struct tunnel_target six = { { { 0xfd, [13] = 1, [15] = 3 } }, 6066 };
	struct tunnel_target four = place(1, 99), later = place(1, 98);

	announce_at(0, 2, &six);
	ck_assert_uint_eq(peer_of(0, 2)->sending, 0);
	announce_at(0, 2, &four);
	ck_assert_uint_eq(peer_of(0, 2)->sending, 1);
	announce_at(0, 2, &later);
	ck_assert_uint_eq(peer_of(0, 2)->sending, 1);
}
END_TEST

START_TEST(test_peer_that_knows_no_confirmation_stays_while_announced)
{
	node[1].deaf = true;
	announce(0, 1);
	pass(300000);
	ck_assert_ptr_nonnull(peer_of(0, 1));
	ck_assert_uint_eq(peer_of(0, 1)->sending, 0);
	ck_assert_uint_le(node[0].sent, 4 + 300000 / 20000 + 1);
	confirm_lost(&node[0].confirm, &node[1].confirm.mac, now);
	ck_assert_ptr_null(peer_of(0, 1));
}
END_TEST

START_TEST(test_all_confirmed_addresses_are_the_peers)
{
	node[1].at[1] = place(2, 2);
	node[0].at[1] = place(2, 1);
	announce(0, 1);
	pass(100);
	announce_at(0, 1, &node[1].at[1]);
	run_network();
	ck_assert_int_eq(peer_address(peer_of(0, 1), &node[1].at[1].address, 6066), 1);
	ck_assert_uint_eq(peer_of(0, 1)->confirmed, 3);
	ck_assert_uint_eq(peer_of(0, 1)->sending, 0);
	ck_assert_uint_eq(peer_of(1, 0)->confirmed, 3);
}
END_TEST

/* ---- forgeries ---- */

START_TEST(test_forged_announcement_does_not_move_a_proven_peer)
{
	struct tunnel_target evil = place(1, 66);

	announce(0, 1);
	pass(100);
	announce_at(0, 1, &evil);
	pass(5000);
	ck_assert_int_eq(peer_address(peer_of(0, 1), &evil.address, evil.port), -1);
	ck_assert(address_equal(&peer_of(0, 1)->address[peer_of(0, 1)->sending],
				&node[1].at[0].address));
	ck_assert_uint_eq(stray, 1);
}
END_TEST

START_TEST(test_another_port_takes_over_only_by_answering)
{
	struct tunnel_target moved = node[1].at[0];

	announce(0, 1);
	pass(100);
	moved.port = 6067;
	announce_at(0, 1, &moved);
	pass(1000);
	ck_assert_uint_eq(peer_of(0, 1)->port, 6066);
	node[1].at[0].port = 6067; /* it has restarted there */
	announce_at(0, 1, &moved);
	pass(1000);
	ck_assert_uint_eq(peer_of(0, 1)->port, 6067);
	ck_assert(peer_is_proven(peer_of(0, 1)));
}
END_TEST

static void forge(struct control *c, int to, const struct tunnel_target *from, int expect)
{
	uint8_t frame[CONTROL_LEN];

	c->destination = mac_of(to);
	control_encode(c, frame);
	ck_assert_int_eq(confirm_frame(&node[to].confirm, frame, CONTROL_LEN, from, now), expect);
}

START_TEST(test_answers_without_our_cookie_count_for_nothing)
{
	static const enum control_type types[] = { CONTROL_ACK, CONTROL_FIN, CONTROL_BYE };
	struct tunnel_target evil = place(1, 66);

	announce(0, 1);
	pass(100);
	for (int i = 0; i < 3; i++) {
		struct control c = { .source = mac_of(1), .type = types[i], .echo = 12345 };

		forge(&c, 0, &evil, -EINVAL);
		forge(&c, 0, &node[1].at[0], -EINVAL);
	}
	ck_assert(peer_is_proven(peer_of(0, 1)));
	ck_assert_uint_eq(peer_of(0, 1)->count, 1);
	ck_assert_uint_eq(node[0].news[CONFIRM_GONE], 0);
}
END_TEST

/* A cookie is good for one address, one MAC and a short time. */
START_TEST(test_a_cookie_does_not_travel)
{
	struct tunnel_target evil = place(1, 66);
	struct control c = { .source = mac_of(3), .type = CONTROL_ACK };
	struct control hello;

	confirm_unknown(&node[0].confirm, &c.source, &evil, now);
	ck_assert_int_eq(control_decode(queue[tail % QUEUE].frame, CONTROL_LEN, &hello), 0);
	tail = head;
	c.echo = hello.cookie;
	forge(&c, 0, &node[1].at[0], -EINVAL); /* another address */
	c.source = mac_of(2);
	forge(&c, 0, &evil, -EINVAL); /* another MAC */
	c.source = mac_of(3);
	now += 40000;
	forge(&c, 0, &evil, -EINVAL); /* too late */
	now -= 40000;
	forge(&c, 0, &evil, 0);
}
END_TEST

/* Its own slot of time and the next: who is answered at the end of one has all of the other. */
START_TEST(test_a_cookie_is_good_for_two_slots)
{
	const uint32_t slot = CONTROL_COOKIE_SECONDS * 1000, start = 10 * slot;
	struct control hello, c = { .source = mac_of(3), .type = CONTROL_ACK };
	struct tunnel_target at = place(1, 66);

	now = start + slot - 1;
	confirm_unknown(&node[0].confirm, &c.source, &at, now);
	ck_assert_int_eq(control_decode(queue[tail % QUEUE].frame, CONTROL_LEN, &hello), 0);
	c.echo = hello.cookie;
	now = start + 2 * slot;
	forge(&c, 0, &at, -EINVAL);
	now--;
	forge(&c, 0, &at, 0);
	now = start - 1; /* nor before it was made */
	forge(&c, 0, &at, -EINVAL);
}
END_TEST

/* Who asks gets a cookie of ours for his own address; it must not end another one's peer. */
START_TEST(test_goodbye_from_elsewhere_ends_nobody)
{
	struct control hello, c = { .source = mac_of(1), .type = CONTROL_BYE };
	struct tunnel_target evil = place(1, 66);

	announce(0, 1);
	pass(100);
	tail = head;
	confirm_unknown(&node[0].confirm, &c.source, &evil, now);
	ck_assert_int_eq(control_decode(queue[tail % QUEUE].frame, CONTROL_LEN, &hello), 0);
	tail = head;
	c.echo = hello.cookie;
	forge(&c, 0, &evil, 0);
	ck_assert(peer_is_proven(peer_of(0, 1)));
	/* nor by the TAP, where anybody may say who he is */
	c.echo = confirm_cookie(&node[0].confirm, &c.source, &confirm_by_tap, now, 0);
	forge(&c, 0, NULL, 0);
	ck_assert(peer_is_proven(peer_of(0, 1)));
	ck_assert_uint_eq(node[0].news[CONFIRM_GONE], 0);
}
END_TEST

/* A HELLO proves nothing, not even that its sender is where he says. */
START_TEST(test_hello_from_elsewhere_says_nothing_of_a_peer)
{
	struct control c = { .source = mac_of(1), .type = CONTROL_HELLO, .attach = ATTACH_NO };
	struct tunnel_target evil = place(1, 66);

	node[0].confirm.attach = node[1].confirm.attach = ATTACH_PATCH;
	announce(0, 1);
	pass(100);
	ck_assert_uint_eq(peer_of(0, 1)->attach, ATTACH_PATCH);
	forge(&c, 0, &evil, 0);
	ck_assert_uint_eq(peer_of(0, 1)->attach, ATTACH_PATCH);
	forge(&c, 0, &node[1].at[0], 0);
	ck_assert_uint_eq(peer_of(0, 1)->attach, ATTACH_NO);
}
END_TEST

/* Somebody answers for as many MACs as he likes, with cookies that he really got. */
START_TEST(test_one_address_answers_for_so_many_and_no_more)
{
	struct tunnel_target at = place(1, 66);

	for (unsigned int i = 0; i < PEERS_BY_ADDRESS + 5; i++) {
		struct control c = { .source = { { 0xb2, 5, 5, 5, 0, (uint8_t)i } },
				     .type = CONTROL_ACK };

		c.echo = confirm_cookie(&node[0].confirm, &c.source, &at, now, 0);
		forge(&c, 0, &at, 0);
	}
	ck_assert_uint_eq(node[0].peers.count, PEERS_BY_ADDRESS);
}
END_TEST

START_TEST(test_frames_for_others_from_us_or_broken_are_refused)
{
	struct control c = { .source = mac_of(1), .type = CONTROL_HELLO };
	uint8_t frame[CONTROL_LEN];

	c.destination = mac_of(2);
	control_encode(&c, frame);
	ck_assert_int_eq(confirm_frame(&node[0].confirm, frame, CONTROL_LEN, &node[1].at[0], now),
			 -EINVAL);
	ck_assert_int_eq(
		confirm_frame(&node[2].confirm, frame, CONTROL_LEN - 1, &node[1].at[0], now),
		-EINVAL);
	c.source = mac_of(0);
	forge(&c, 0, &node[1].at[0], -EINVAL);
	ck_assert_uint_eq(node[0].news[CONFIRM_TWIN], 1);
	ck_assert_uint_eq(node[0].sent + node[2].sent, 0);
}
END_TEST

START_TEST(test_flood_of_announcements_sends_no_more_than_the_rate)
{
	/* 3 x 4,000 at one third party, 10 seconds: the bound is 16 MACs there */
	struct tunnel_target victim = place(1, 66);

	for (int s = 0; s < 10; s++) {
		for (uint32_t i = 0; i < 1200; i++) {
			struct txt txt = { .mac = { { 0xb2 } } };

			put_be32(txt.mac.byte + 2, (uint32_t)s * 1200 + i + 100);
			confirm_found(&node[0].confirm, &txt, &victim, now);
		}
		pass(1000);
	}
	ck_assert_uint_le(node[0].peers.count, PEERS_BY_ADDRESS);
	ck_assert_uint_le(node[0].sent, PEERS_BY_ADDRESS * 5);
}
END_TEST

START_TEST(test_flood_of_addresses_is_bounded_in_memory_and_rate)
{
	for (int s = 0; s < 10; s++) {
		for (uint32_t i = 0; i < 1200; i++) {
			struct txt txt = { .mac = { { 0xb2 } } };
			struct tunnel_target at = place(9, 0);

			put_be32(txt.mac.byte + 2, (uint32_t)s * 1200 + i + 100);
			at.address.byte[14] = (uint8_t)(i >> 8);
			at.address.byte[15] = (uint8_t)i;
			at.port = (uint16_t)(1000 + s);
			confirm_found(&node[0].confirm, &txt, &at, now);
		}
		pass(1000);
	}
	ck_assert_uint_le(node[0].peers.count, PEERS_UNPROVEN);
	ck_assert_uint_le(node[0].sent, CONFIRM_BURST + 10 * CONFIRM_RATE);
	/* and one that is real is still proven by the flood's side */
	announce(1, 0);
	pass(100);
	ck_assert(peer_is_proven(peer_of(0, 1)));
}
END_TEST

START_TEST(test_frame_of_our_own_address_is_not_asked_who_it_is)
{
	confirm_unknown(&node[0].confirm, &node[0].confirm.mac, &node[1].at[0], now);
	ck_assert_uint_eq(node[0].sent, 0);
}
END_TEST

START_TEST(test_flood_of_strangers_leaves_hellos_for_the_announced)
{
	for (uint32_t i = 0; i < 5000; i++) {
		struct mac mac = { { 0xb2, 7 } };
		struct tunnel_target at = place(9, i % 250 + 1);

		put_be32(mac.byte + 2, i);
		confirm_unknown(&node[0].confirm, &mac, &at, now);
	}
	ck_assert_uint_le(node[0].sent, CONFIRM_BURST);
	tail = head;
	announce(0, 1);
	pass(50);
	ck_assert(peer_is_proven(peer_of(0, 1)));
}
END_TEST

START_TEST(test_strangers_get_a_quarter_of_the_rate)
{
	const struct tunnel_target at = place(9, 1);

	for (uint32_t i = 0; i < 10 * 2 * CONFIRM_RATE; i++) { /* of the whole rate twice */
		struct mac mac = { { 0xb2, 7 } };

		put_be32(mac.byte + 2, i);
		confirm_unknown(&node[0].confirm, &mac, &at, now);
		now += i % 2 ? 1000 / CONFIRM_RATE : 0;
		tail = head;
	}
	ck_assert_uint_le(node[0].sent, CONFIRM_BURST + 10 * CONFIRM_RATE / 4);
	ck_assert_uint_ge(node[0].sent, CONFIRM_BURST + 10 * CONFIRM_RATE / 4 - 1);
}
END_TEST

START_TEST(test_announced_loopback_is_believed_of_our_own_host_alone)
{
	struct tunnel_target loopback = place(0, 1);
	struct txt txt = { .mac = mac_of(1) };

	loopback.address.byte[12] = 127;
	confirm_found(&node[0].confirm, &txt, &loopback, now);
	ck_assert_uint_eq(node[0].peers.count, 0);
	txt.mac = node[0].confirm.mac;
	txt.mac.byte[5] = 1;
	confirm_found(&node[0].confirm, &txt, &loopback, now);
	ck_assert_uint_eq(node[0].peers.count, 1);
}
END_TEST

/* ---- going and staying ---- */

START_TEST(test_silent_peer_is_asked_and_gone_after_a_minute)
{
	announce(0, 1);
	pass(100);
	confirm_lost(&node[0].confirm, &node[1].confirm.mac, now); /* asked: it is there */
	pass(10000);
	ck_assert_ptr_nonnull(peer_of(0, 1));
	node[1].cut[0] = true;
	pass(CONFIRM_GONE_MS - 15000);
	ck_assert_ptr_nonnull(peer_of(0, 1));
	pass(16000);
	ck_assert_ptr_null(peer_of(0, 1));
}
END_TEST

START_TEST(test_suspended_machine_finds_its_peers_as_it_left_them)
{
	announce(0, 1);
	announce(0, 2);
	pass(100);
	now += 600000;
	node[2].cut[0] = true;
	pass(2000);
	ck_assert(peer_is_proven(peer_of(0, 1)));
	ck_assert(peer_is_proven(peer_of(1, 0)));
	ck_assert_uint_eq(node[0].news[CONFIRM_GONE], 1);
}
END_TEST

START_TEST(test_living_peers_keep_each_other_for_an_hour)
{
	announce(0, 1);
	pass(3600 * 1000);
	ck_assert(peer_is_proven(peer_of(0, 1)));
	ck_assert(peer_is_proven(peer_of(1, 0)));
	ck_assert_uint_eq(node[0].news[CONFIRM_GONE] + node[1].news[CONFIRM_GONE], 0);
	/* and rarely wake for it */
	ck_assert_uint_le(node[0].sent + node[1].sent, 3 * 3600 * 1000 / CONFIRM_IDLE_MS + 3);
}
END_TEST

START_TEST(test_goodbye_of_the_discovery_means_ask)
{
	announce(0, 1);
	announce(0, 2);
	pass(100);
	node[2].cut[0] = true;
	confirm_lost(&node[0].confirm, &node[1].confirm.mac, now);
	confirm_lost(&node[0].confirm, &node[2].confirm.mac, now);
	pass(CONFIRM_LEAVING_MS + 100);
	ck_assert_ptr_nonnull(peer_of(0, 1));
	ck_assert_ptr_null(peer_of(0, 2));
}
END_TEST

START_TEST(test_network_that_is_gone_for_minutes_brings_the_peer_back)
{
	announce(0, 1);
	announce(1, 0);
	pass(100);
	node[1].cut[0] = true;
	pass(180000);
	ck_assert(!peer_is_proven(peer_of(0, 1)));
	ck_assert_uint_eq(peer_of(0, 1)->sending, PEER_ADDRESSES);
	node[1].cut[0] = false;
	pass(21000);
	ck_assert(peer_is_proven(peer_of(0, 1)));
	ck_assert_uint_lt(peer_of(0, 1)->sending, PEER_ADDRESSES);
}
END_TEST

START_TEST(test_those_who_fall_silent_are_bounded_as_strangers_are)
{
	struct peers *peers = &node[0].peers;
	uint32_t kept = 0;

	for (unsigned int i = 0; i < PEERS_UNPROVEN + 100; i++) {
		struct mac mac = { { 0xb2, 9, 9, 9, (uint8_t)(i >> 8), (uint8_t)i } };
		struct tunnel_target at = place(100 + i / 250, 1 + i % 250);
		struct peer *peer = peers_add(peers, &mac, now);

		peer->port = at.port;
		peer->announced = 1;
		peer_confirm(peers, peer, peer_address_add(peer, &at.address));
		peer->heard = now + (i < 100 ? 0 : 10); /* a little later than the first hundred */
	}
	pass(180000);
	ck_assert_uint_eq(peers->unproven, PEERS_UNPROVEN);
	ck_assert_uint_eq(peers->count, PEERS_UNPROVEN);
	for (const struct peer *p = NULL; (p = peers_next(peers, p));)
		kept += get_be16(p->mac.byte + 4) >= 100;
	ck_assert_uint_eq(kept, PEERS_UNPROVEN);
}
END_TEST

START_TEST(test_bye_with_a_valid_cookie_means_gone_at_once)
{
	announce(0, 1);
	pass(100);
	confirm_farewell(&node[1].confirm, now);
	ck_assert_uint_eq(node[1].confirm.farewells, 1);
	run_network();
	ck_assert_uint_eq(node[1].confirm.farewells, 0);
	ck_assert_ptr_null(peer_of(0, 1));
	ck_assert_int_eq(confirm_tick(&node[1].confirm, now), -1);
}
END_TEST

/* Who never answered would not now, and is not waited for. */
START_TEST(test_goodbye_is_said_to_those_who_answered)
{
	unsigned int sent;

	node[2].deaf = true;
	announce(0, 1);
	announce(0, 2);
	pass(100);
	ck_assert_uint_eq(peer_of(0, 2)->sending, 0); /* it gets frames, being near */
	sent = node[0].sent;
	confirm_farewell(&node[0].confirm, now);
	ck_assert_uint_eq(node[0].confirm.farewells, 1);
	ck_assert_uint_eq(node[0].sent, sent + 1);
}
END_TEST

START_TEST(test_peer_moves_to_another_address_when_one_fails)
{
	node[0].at[1] = place(2, 1);
	node[1].at[1] = place(2, 2);
	announce(0, 1);
	announce_at(0, 1, &node[1].at[1]);
	pass(200);
	ck_assert_uint_eq(peer_of(0, 1)->sending, 0);
	node[1].cut[0] = true;
	confirm_doubt(&node[0].confirm, peer_of(0, 1), now); /* a frame could not be sent */
	pass(2000);
	ck_assert_uint_eq(peer_of(0, 1)->sending, 1);
	ck_assert_uint_eq(node[0].news[CONFIRM_MOVED], 1);
}
END_TEST

/* Two hosts on two networks, with what the data path notes, and the watch that follows. */
static void talk(uint32_t ms, bool answers)
{
	for (uint32_t i = 0; i < ms; i += 100) {
		peer_of(0, 1)->sent = 1;
		if (answers)
			peer_heard(peer_of(0, 1), now);
		if (i % CONFIRM_WATCH_MS == 0)
			confirm_watch(&node[0].confirm, now);
		pass(100);
	}
}

START_TEST(test_peer_that_frames_go_to_in_vain_moves_soon)
{
	node[0].at[1] = place(2, 1);
	node[1].at[1] = place(2, 2);
	announce(0, 1);
	announce_at(0, 1, &node[1].at[1]);
	pass(200);
	node[1].cut[0] = true;
	talk(3 * CONFIRM_WATCH_MS, false);
	ck_assert_uint_eq(peer_of(0, 1)->sending, 1);
	ck_assert_uint_eq(node[0].news[CONFIRM_MOVED], 1);
	/* and silence is as long as it was */
	node[1].cut[1] = true;
	talk(CONFIRM_GONE_MS - 5000, false);
	ck_assert_ptr_nonnull(peer_of(0, 1));
}
END_TEST

START_TEST(test_peer_that_answers_frames_is_not_asked)
{
	unsigned int sent;

	announce(0, 1);
	pass(200);
	sent = node[0].sent;
	talk(20000, true);
	ck_assert_uint_eq(node[0].sent, sent);
	/* nor often, if what it gets needs no answer */
	talk(20000, false);
	ck_assert_uint_gt(node[0].sent, sent);
	ck_assert_uint_le(node[0].sent, sent + 2 * 20000 / (2 * CONFIRM_WATCH_MS));
	/* nor later on */
	peer_heard(peer_of(0, 1), now);
	ck_assert(!confirm_watch(&node[0].confirm, now));
}
END_TEST

START_TEST(test_changed_addresses_of_ours_are_told_at_once)
{
	announce(0, 1);
	pass(100);
	node[0].at[0] = place(1, 50);
	confirm_doubt(&node[0].confirm, NULL, now);
	pass(50);
	ck_assert_int_eq(peer_address(peer_of(1, 0), &node[0].at[0].address, 6066), 1);
	/* and the other one notices that the old one does not answer any more */
	pass(2000);
	ck_assert_uint_eq(peer_of(1, 0)->sending, 1);
}
END_TEST

/* Its answers from its other addresses must not hide that this one is dead. */
START_TEST(test_peer_that_has_lost_an_address_is_sent_to_at_another)
{
	node[0].at[1] = place(2, 1);
	node[1].at[1] = place(2, 2);
	node[1].at[2] = place(3, 2);
	node[0].at[2] = place(3, 1);
	announce(0, 1);
	pass(100);
	announce_at(0, 1, &node[1].at[1]);
	announce_at(0, 1, &node[1].at[2]);
	pass(30000);
	ck_assert_uint_eq(peer_of(1, 0)->sending, 0);
	node[0].cut[0] = true;
	confirm_doubt(&node[0].confirm, NULL, now);
	pass(1500);
	ck_assert_uint_ne(peer_of(1, 0)->sending, 0);
	ck_assert_uint_ne(peer_of(0, 1)->sending, 0);
}
END_TEST

/* A lease, or the address that IPv6 makes anew each day: the old ones have gone. */
START_TEST(test_peer_whose_address_changes_often_is_followed_each_time)
{
	announce(0, 1);
	pass(100);
	for (unsigned int host = 50; host < 50 + 3 * PEER_ADDRESSES; host++) {
		node[1].at[0] = place(1, host);
		confirm_doubt(&node[1].confirm, NULL, now);
		pass(3000);
		ck_assert_int_eq(peer_address(peer_of(0, 1), &node[1].at[0].address, 6066),
				 (int)peer_of(0, 1)->sending);
		ck_assert(peer_is_proven(peer_of(0, 1)));
	}
}
END_TEST

START_TEST(test_doubts_alone_keep_nobody_alive)
{
	announce(0, 1);
	pass(100);
	confirm_lost(&node[0].confirm, &node[1].confirm.mac, now);
	pass(100);
	node[1].cut[0] = true;
	for (int i = 0; i < 70; i++) {
		if (peer_of(0, 1))
			confirm_doubt(&node[0].confirm, NULL, now);
		pass(1000);
	}
	ck_assert_ptr_null(peer_of(0, 1));
}
END_TEST

/* ---- the TAP ---- */

static void give_tap(int i, enum attach attach, int lan)
{
	node[i].lan = lan;
	confirm_attach(&node[i].confirm, attach, now);
}

START_TEST(test_tap_that_reaches_is_measured_as_such)
{
	give_tap(0, ATTACH_PATCH, 1);
	give_tap(1, ATTACH_PATCH, 1);
	announce(0, 1);
	pass(100);
	ck_assert_uint_eq(peer_of(0, 1)->reach, PEER_REACH_TAP);
	ck_assert_uint_eq(peer_of(1, 0)->reach, PEER_REACH_TAP);
}
END_TEST

START_TEST(test_wrong_guess_is_corrected_within_a_second)
{
	give_tap(0, ATTACH_PATCH, 1);
	give_tap(1, ATTACH_PATCH, 2);
	announce(0, 1);
	pass(1200);
	ck_assert_uint_eq(peer_of(0, 1)->reach, PEER_REACH_TUNNEL);
	ck_assert_uint_eq(peer_of(1, 0)->reach, PEER_REACH_TUNNEL);
	/* tried again from time to time */
	node[1].lan = 1;
	pass(70000);
	ck_assert_uint_eq(peer_of(0, 1)->reach, PEER_REACH_TAP);
}
END_TEST

/* Its process had other things to do for a second: no reason to leave the LAN for a minute. */
START_TEST(test_tap_that_was_busy_is_tried_again_soon)
{
	unsigned int sent;

	for (int i = 0; i < 2; i++) {
		node[i].confirm.attach = ATTACH_PATCH;
		node[i].lan = i + 1;
	}
	announce(0, 1);
	pass(2000);
	ck_assert_uint_eq(peer_of(0, 1)->reach, PEER_REACH_TUNNEL);
	node[1].lan = node[0].lan;
	pass(3000);
	ck_assert_uint_eq(peer_of(0, 1)->reach, PEER_REACH_TAP);
	/* but one that never answers is tried ever more seldom */
	node[1].lan = 0;
	confirm_attach(&node[0].confirm, ATTACH_PATCH, now);
	pass(300000);
	ck_assert_uint_eq(peer_of(0, 1)->reach, PEER_REACH_TUNNEL);
	sent = node[0].sent;
	pass(120000);
	ck_assert_uint_le(node[0].sent, sent + 60);
}
END_TEST

START_TEST(test_tap_way_that_breaks_is_noticed_by_silence)
{
	give_tap(0, ATTACH_PATCH, 1);
	give_tap(1, ATTACH_PATCH, 1);
	announce(0, 1);
	pass(100);
	node[1].lan = 2;
	pass(CONFIRM_IDLE_MS + 2000);
	ck_assert_uint_eq(peer_of(0, 1)->reach, PEER_REACH_TUNNEL);
}
END_TEST

START_TEST(test_without_an_answer_by_tunnel_the_guess_stays)
{
	give_tap(0, ATTACH_PATCH, 1);
	give_tap(1, ATTACH_PATCH, 1);
	node[1].deaf = true;
	announce(0, 1);
	pass(10000);
	ck_assert_uint_eq(peer_of(0, 1)->reach, PEER_REACH_GUESS);
}
END_TEST

START_TEST(test_change_of_attachment_is_told_to_all_at_once)
{
	give_tap(0, ATTACH_PATCH, 1);
	give_tap(1, ATTACH_PATCH, 1);
	announce(0, 1);
	pass(100);
	peer_of(1, 0)->on_tap = 1;
	give_tap(0, ATTACH_NO, 0);
	pass(50);
	ck_assert_uint_eq(peer_of(1, 0)->attach, ATTACH_NO);
	ck_assert_uint_eq(peer_of(1, 0)->on_tap, 0);
	ck_assert_uint_eq(peer_of(0, 1)->on_tap, 0);
	give_tap(0, ATTACH_PATCH, 1);
	pass(400);
	ck_assert_uint_eq(peer_of(1, 0)->attach, ATTACH_PATCH);
	ck_assert_uint_eq(peer_of(1, 0)->reach, PEER_REACH_TAP);
}
END_TEST

/* Says that it has no TAP: believed from a known address; that it has one: only with a cookie. */
START_TEST(test_forged_hello_cannot_claim_a_tap)
{
	struct control c = { .source = mac_of(1), .type = CONTROL_HELLO };

	announce(0, 1);
	pass(100);
	c.bridged = true;
	c.attach = ATTACH_PATCH;
	forge(&c, 0, &node[1].at[0], 0);
	ck_assert_uint_eq(peer_of(0, 1)->attach, ATTACH_NO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("confirm");
	TCase *cases = tcase_create("confirm");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_one_announcement_makes_both_sides_proven);
	tcase_add_test(cases, test_datagram_of_a_stranger_is_answered_by_hello_not_by_an_entry);
	tcase_add_test(cases, test_unproven_peer_gets_frames_only_on_link);
	tcase_add_test(cases, test_unproven_peer_gets_frames_by_ipv4_if_it_has_that);
	tcase_add_test(cases, test_peer_that_knows_no_confirmation_stays_while_announced);
	tcase_add_test(cases, test_all_confirmed_addresses_are_the_peers);
	tcase_add_test(cases, test_forged_announcement_does_not_move_a_proven_peer);
	tcase_add_test(cases, test_another_port_takes_over_only_by_answering);
	tcase_add_test(cases, test_answers_without_our_cookie_count_for_nothing);
	tcase_add_test(cases, test_a_cookie_does_not_travel);
	tcase_add_test(cases, test_a_cookie_is_good_for_two_slots);
	tcase_add_test(cases, test_goodbye_from_elsewhere_ends_nobody);
	tcase_add_test(cases, test_hello_from_elsewhere_says_nothing_of_a_peer);
	tcase_add_test(cases, test_one_address_answers_for_so_many_and_no_more);
	tcase_add_test(cases, test_frames_for_others_from_us_or_broken_are_refused);
	tcase_add_test(cases, test_flood_of_announcements_sends_no_more_than_the_rate);
	tcase_add_test(cases, test_flood_of_addresses_is_bounded_in_memory_and_rate);
	tcase_add_test(cases, test_frame_of_our_own_address_is_not_asked_who_it_is);
	tcase_add_test(cases, test_flood_of_strangers_leaves_hellos_for_the_announced);
	tcase_add_test(cases, test_strangers_get_a_quarter_of_the_rate);
	tcase_add_test(cases, test_announced_loopback_is_believed_of_our_own_host_alone);
	tcase_add_test(cases, test_silent_peer_is_asked_and_gone_after_a_minute);
	tcase_add_test(cases, test_suspended_machine_finds_its_peers_as_it_left_them);
	tcase_add_test(cases, test_living_peers_keep_each_other_for_an_hour);
	tcase_add_test(cases, test_goodbye_of_the_discovery_means_ask);
	tcase_add_test(cases, test_network_that_is_gone_for_minutes_brings_the_peer_back);
	tcase_add_test(cases, test_those_who_fall_silent_are_bounded_as_strangers_are);
	tcase_add_test(cases, test_bye_with_a_valid_cookie_means_gone_at_once);
	tcase_add_test(cases, test_goodbye_is_said_to_those_who_answered);
	tcase_add_test(cases, test_peer_moves_to_another_address_when_one_fails);
	tcase_add_test(cases, test_peer_that_frames_go_to_in_vain_moves_soon);
	tcase_add_test(cases, test_peer_that_answers_frames_is_not_asked);
	tcase_add_test(cases, test_changed_addresses_of_ours_are_told_at_once);
	tcase_add_test(cases, test_peer_that_has_lost_an_address_is_sent_to_at_another);
	tcase_add_test(cases, test_peer_whose_address_changes_often_is_followed_each_time);
	tcase_add_test(cases, test_doubts_alone_keep_nobody_alive);
	tcase_add_test(cases, test_tap_that_reaches_is_measured_as_such);
	tcase_add_test(cases, test_wrong_guess_is_corrected_within_a_second);
	tcase_add_test(cases, test_tap_that_was_busy_is_tried_again_soon);
	tcase_add_test(cases, test_tap_way_that_breaks_is_noticed_by_silence);
	tcase_add_test(cases, test_without_an_answer_by_tunnel_the_guess_stays);
	tcase_add_test(cases, test_change_of_attachment_is_told_to_all_at_once);
	tcase_add_test(cases, test_forged_hello_cannot_claim_a_tap);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
