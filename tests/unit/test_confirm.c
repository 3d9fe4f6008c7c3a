/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_confirm.c: how instances find each other, and know what a TAP of theirs reaches.
 */
#include "confirm_network.h"

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
	const TTest *const tests[] = {
		test_one_announcement_makes_both_sides_proven,
		test_datagram_of_a_stranger_is_answered_by_hello_not_by_an_entry,
		test_unproven_peer_gets_frames_only_on_link,
		test_unproven_peer_gets_frames_by_ipv4_if_it_has_that,
		test_peer_that_knows_no_confirmation_stays_while_announced,
		test_all_confirmed_addresses_are_the_peers,
		test_tap_that_reaches_is_measured_as_such,
		test_wrong_guess_is_corrected_within_a_second,
		test_tap_that_was_busy_is_tried_again_soon,
		test_tap_way_that_breaks_is_noticed_by_silence,
		test_without_an_answer_by_tunnel_the_guess_stays,
		test_change_of_attachment_is_told_to_all_at_once,
		test_forged_hello_cannot_claim_a_tap,
	};

	return run_on_network("confirm", tests, COUNT(tests));
}
