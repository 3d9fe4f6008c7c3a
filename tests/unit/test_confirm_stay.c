/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_confirm_stay.c: peers that fall silent, go, move to another address, or stay.
 */
#include "confirm_network.h"

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

/* So many peers of node 0 at six places each, who answered once and do not any more. */
static void add_gone(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct mac mac = { { 0xb2, 9, 9, 9, 0, (uint8_t)i } };
		struct peer *peer = peers_add(&node[0].peers, &mac, now);

		peer->port = place(0, 0).port;
		for (unsigned int k = 0; k < PEER_ADDRESSES; k++) {
			struct tunnel_target at = place(100 + k, 1 + i);

			peer_confirm(&node[0].peers, peer, peer_address_add(peer, &at.address));
		}
		peer->sending = 0;
	}
}

static void meet_on_two_networks(void)
{
	node[0].at[1] = place(2, 1);
	node[1].at[1] = place(2, 2);
	announce(0, 1);
	announce_at(0, 1, &node[1].at[1]);
	pass(200);
}

/* A network that flaps takes all tokens, and what comes of them in a tick is less than a round. */
START_TEST(test_rounds_go_on_where_there_are_few_tokens)
{
	add_gone(60);
	meet_on_two_networks();
	node[1].cut[0] = true;
	for (int i = 0; i < 10; i++) {
		confirm_doubt(&node[0].confirm, NULL, now);
		pass(100);
	}
	pass(10000);
	ck_assert_uint_eq(peer_of(0, 1)->sending, 1);
	pass(CONFIRM_GONE_MS);
	ck_assert_uint_eq(node[0].peers.count, 1);
	ck_assert_uint_le(node[0].sent, CONFIRM_BURST + CONFIRM_GONE_MS / 1000 * CONFIRM_RATE);
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
	meet_on_two_networks();
	ck_assert_uint_eq(peer_of(0, 1)->sending, 0);
	node[1].cut[0] = true;
	confirm_doubt(&node[0].confirm, peer_of(0, 1), now); /* a frame could not be sent */
	pass(2000);
	ck_assert_uint_eq(peer_of(0, 1)->sending, 1);
	ck_assert_uint_eq(node[0].news[CONFIRM_MOVED], 1);
}
END_TEST

enum answers { NOTHING, FROM_ELSEWHERE, FROM_THERE };

/* Two hosts on two networks, with what the data path notes, and the watch that follows. */
static void talk(uint32_t ms, enum answers answers)
{
	for (uint32_t i = 0; i < ms; i += 100) {
		if (answers)
			peer_heard(peer_of(0, 1), answers == FROM_THERE, now);
		peer_of(0, 1)->sent = 1;
		peer_heard(peer_of(1, 0), true, now); /* or it would ask after a while */
		if (i % CONFIRM_WATCH_MS == 0)
			confirm_watch(&node[0].confirm, now);
		pass(100);
	}
}

START_TEST(test_peer_that_frames_go_to_in_vain_moves_soon)
{
	meet_on_two_networks();
	node[1].cut[0] = true;
	talk(3 * CONFIRM_WATCH_MS, NOTHING);
	ck_assert_uint_eq(peer_of(0, 1)->sending, 1);
	ck_assert_uint_eq(node[0].news[CONFIRM_MOVED], 1);
	/* and silence is as long as it was */
	node[1].cut[1] = true;
	talk(CONFIRM_GONE_MS - 5000, NOTHING);
	ck_assert_ptr_nonnull(peer_of(0, 1));
}
END_TEST

static void check_moves(uint32_t ms, enum answers answers)
{
	meet_on_two_networks();
	node[1].cut[0] = true;
	talk(ms, answers);
	ck_assert_uint_eq(peer_of(0, 1)->sending, 1);
	ck_assert_uint_eq(node[0].news[CONFIRM_MOVED], 1);
}

/* It changed its address, and what would have told so was lost; its own frames come all the time.
 */
START_TEST(test_peer_that_talks_from_elsewhere_is_sent_to_there_soon)
{
	check_moves(4 * CONFIRM_WATCH_MS, FROM_ELSEWHERE);
}
END_TEST

/* Only one direction fails: a firewall, a switch. */
START_TEST(test_peer_that_talks_and_does_not_hear_moves)
{
	check_moves(CONFIRM_CHECK_MS + 4 * CONFIRM_WATCH_MS, FROM_THERE);
}
END_TEST

START_TEST(test_peer_that_answers_frames_is_not_asked)
{
	unsigned int sent;

	announce(0, 1);
	pass(200);
	sent = node[0].sent;
	talk(20000, FROM_THERE);
	ck_assert_uint_eq(node[0].sent, sent);
	/* nor often, if what it gets needs no answer */
	talk(20000, NOTHING);
	ck_assert_uint_gt(node[0].sent, sent);
	ck_assert_uint_le(node[0].sent, sent + 2 * 20000 / (2 * CONFIRM_WATCH_MS));
	/* nor later on */
	peer_heard(peer_of(0, 1), true, now);
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

/* The router has a new subnet for all, and the first words in it are lost. */
START_TEST(test_peers_that_all_move_at_once_find_each_other)
{
	announce(0, 1);
	pass(60000);
	for (int i = 0; i < 2; i++) {
		node[i].at[0] = place(2, (unsigned int)i + 1);
		node[i].cut[0] = true;
		confirm_doubt(&node[i].confirm, NULL, now);
	}
	announce(0, 1);
	announce(1, 0);
	pass(1000);
	node[0].cut[0] = node[1].cut[0] = false;
	pass(10000);
	for (int i = 0; i < 2; i++) {
		struct peer *peer = peer_of(i, !i);

		ck_assert_int_eq(peer_address(peer, &node[!i].at[0].address, 6066),
				 (int)peer->sending);
		ck_assert(peer->confirmed & 1u << peer->sending);
	}
}
END_TEST

/* Who comes back after minutes may be elsewhere, and was announced there while nobody heard. */
START_TEST(test_silent_peer_is_asked_where_it_was_announced_last)
{
	announce(0, 1);
	pass(1000);
	node[1].at[0] = place(2, 2);
	node[0].at[0] = place(2, 1);
	node[1].cut[0] = true;
	announce(0, 1);
	pass(300000);
	ck_assert(!peer_is_proven(peer_of(0, 1)));
	node[1].cut[0] = false;
	pass(30000);
	ck_assert(peer_is_proven(peer_of(0, 1)));
}
END_TEST

START_TEST(test_places_that_were_announced_only_are_asked_seldom_and_forgotten)
{
	announce(0, 1);
	pass(1000);
	for (unsigned int host = 100; host < 200; host++) {
		struct tunnel_target nobodys = place(1, host);

		announce_at(0, 1, &nobodys);
	}
	pass(3000);
	ck_assert_uint_eq(stray, 100); /* one each: the peer answers where it is known to be */
	node[1].cut[0] = true;
	pass(300000);
	ck_assert_uint_le(stray, 100 + CONFIRM_CLAIMS * (8 + 300 / 5));
	ck_assert_uint_ge(stray, 100 + CONFIRM_CLAIMS);
	confirm_lost(&node[0].confirm, &node[1].confirm.mac, now);
	ck_assert_ptr_null(peer_of(0, 1));
	node[1].cut[0] = false;
	announce(0, 1);
	stray = 0;
	node[1].deaf = true;
	pass(60000);
	ck_assert_uint_eq(stray, 0);
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

int main(void)
{
	const TTest *const tests[] = {
		test_silent_peer_is_asked_and_gone_after_a_minute,
		test_suspended_machine_finds_its_peers_as_it_left_them,
		test_living_peers_keep_each_other_for_an_hour,
		test_goodbye_of_the_discovery_means_ask,
		test_network_that_is_gone_for_minutes_brings_the_peer_back,
		test_those_who_fall_silent_are_bounded_as_strangers_are,
		test_rounds_go_on_where_there_are_few_tokens,
		test_bye_with_a_valid_cookie_means_gone_at_once,
		test_goodbye_is_said_to_those_who_answered,
		test_peer_moves_to_another_address_when_one_fails,
		test_peer_that_frames_go_to_in_vain_moves_soon,
		test_peer_that_talks_from_elsewhere_is_sent_to_there_soon,
		test_peer_that_talks_and_does_not_hear_moves,
		test_peer_that_answers_frames_is_not_asked,
		test_changed_addresses_of_ours_are_told_at_once,
		test_peer_that_has_lost_an_address_is_sent_to_at_another,
		test_peer_whose_address_changes_often_is_followed_each_time,
		test_peers_that_all_move_at_once_find_each_other,
		test_silent_peer_is_asked_where_it_was_announced_last,
		test_places_that_were_announced_only_are_asked_seldom_and_forgotten,
		test_doubts_alone_keep_nobody_alive,
	};

	return run_on_network("confirm_stay", tests, COUNT(tests));
}
