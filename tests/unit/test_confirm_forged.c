/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_confirm_forged.c: who is believed to be where, whatever somebody forges, and what floods
 * cost.
 */
#include "confirm_network.h"

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
			ck_assert_int_eq(confirm_found(&node[0].confirm, &txt, &victim, now),
					 s == 0 && i < PEERS_BY_ADDRESS);
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

int main(void)
{
	const TTest *const tests[] = {
		test_forged_announcement_does_not_move_a_proven_peer,
		test_another_port_takes_over_only_by_answering,
		test_answers_without_our_cookie_count_for_nothing,
		test_a_cookie_does_not_travel,
		test_a_cookie_is_good_for_two_slots,
		test_goodbye_from_elsewhere_ends_nobody,
		test_hello_from_elsewhere_says_nothing_of_a_peer,
		test_one_address_answers_for_so_many_and_no_more,
		test_frames_for_others_from_us_or_broken_are_refused,
		test_flood_of_announcements_sends_no_more_than_the_rate,
		test_flood_of_addresses_is_bounded_in_memory_and_rate,
		test_frame_of_our_own_address_is_not_asked_who_it_is,
		test_flood_of_strangers_leaves_hellos_for_the_announced,
		test_strangers_get_a_quarter_of_the_rate,
		test_announced_loopback_is_believed_of_our_own_host_alone,
	};

	return run_on_network("confirm_forged", tests, COUNT(tests));
}
