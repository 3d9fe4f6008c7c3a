/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_host_wiring.c: the filters of each device, in every attachment. That the kernel does with
 * them what is meant is for tests/net; here nothing may double, lack, or lead to a wrong place.
 */
#include <linux/filter.h>

#include "proto_test.h"
#include "wiring.h"

enum { HUB = 3, LAN = 4, CARD = 5, TAP = 6, HOST = 0x123456 };

static const struct mac card = { { 2, 0, 0, 0, 0, 5 } };
static struct tc_filters filters;

static struct hub hub_by(enum attach attach)
{
	return (struct hub){ .index = HUB,
			     .lan = LAN,
			     .host = HOST,
			     .attach = attach,
			     .uplink = CARD };
}

/* The filter at a place of btlan's or the card's, NULL where there is to be none. */
static const struct tc_filter *at(int index, enum tc_direction direction, uint16_t preference)
{
	const struct tc_filter *found = NULL;

	for (size_t i = 0; i < filters.count; i++) {
		const struct tc_filter *f = &filters.filter[i];

		if (f->place.index != index || f->place.direction != direction ||
		    f->place.preference != preference)
			continue;
		ck_assert_ptr_null(found); /* one place, one filter */
		found = f;
	}
	return found && !found->absent ? found : NULL;
}

static const struct tc_filter *there(int index, enum tc_direction direction, uint16_t preference)
{
	const struct tc_filter *filter = at(index, direction, preference);

	ck_assert_ptr_nonnull(filter);
	return filter;
}

static void check_action(const struct tc_filter *filter, size_t n, enum tc_kind kind, int index,
			 enum tc_direction direction)
{
	ck_assert_ptr_nonnull(filter);
	ck_assert_int_eq(filter->actions[n].kind, kind);
	if (kind == TC_END)
		return;
	ck_assert_int_eq(filter->actions[n].index, index);
	ck_assert_int_eq(filter->actions[n].direction, direction);
}

static void make_switch(enum attach attach)
{
	const struct mac guests = mac_make(HOST, 0, 0);
	const struct hub hub = hub_by(attach);

	wiring_switch(&filters, &hub, &card, false);
	/* whatever an earlier attachment had is named, so that it goes */
	ck_assert_uint_eq(filters.count, 6);
	ck_assert_int_eq(there(LAN, TC_INGRESS, 10)->program, PROGRAM_GUARD);
	check_action(at(LAN, TC_INGRESS, 11), 0, TC_REDIRECT, LAN, TC_EGRESS);
	ck_assert(mac_equal(&at(LAN, TC_INGRESS, 10)->mac, &guests));
	ck_assert(mac_equal(&at(LAN, TC_INGRESS, 11)->mac, &guests));
}

START_TEST(test_switch_of_the_patch_port_leads_to_guests_host_and_lan)
{
	const struct tc_filter *group;

	make_switch(ATTACH_PATCH);
	check_action(at(LAN, TC_INGRESS, 12), 0, TC_REDIRECT, CARD, TC_INGRESS);
	ck_assert(mac_equal(&there(LAN, TC_INGRESS, 12)->mac, &card));
	group = at(LAN, TC_INGRESS, 13);
	check_action(group, 0, TC_MIRROR, LAN, TC_EGRESS);
	check_action(group, 1, TC_MIRROR, CARD, TC_INGRESS);
	check_action(group, 2, TC_REDIRECT, CARD, TC_EGRESS);
	check_action(group, 3, TC_END, 0, 0);
	check_action(at(LAN, TC_INGRESS, 14), 0, TC_REDIRECT, CARD, TC_EGRESS);
	ck_assert_int_eq(there(LAN, TC_INGRESS, 14)->program, PROGRAM_ANY);
	ck_assert_ptr_null(at(LAN, TC_EGRESS, 10));
}
END_TEST

START_TEST(test_switch_beside_a_wireless_card_leads_nowhere_on_the_lan)
{
	make_switch(ATTACH_HOST);
	check_action(at(LAN, TC_INGRESS, 12), 0, TC_REDIRECT, CARD, TC_INGRESS);
	check_action(at(LAN, TC_INGRESS, 13), 0, TC_MIRROR, LAN, TC_EGRESS);
	check_action(at(LAN, TC_INGRESS, 13), 1, TC_REDIRECT, CARD, TC_INGRESS);
	check_action(at(LAN, TC_INGRESS, 13), 2, TC_END, 0, 0);
	ck_assert_ptr_null(at(LAN, TC_INGRESS, 14));
	ck_assert_ptr_null(at(LAN, TC_EGRESS, 10));
}
END_TEST

START_TEST(test_switch_without_an_uplink_serves_guests_alone)
{
	make_switch(ATTACH_NONE);
	ck_assert_ptr_null(at(LAN, TC_INGRESS, 12));
	check_action(at(LAN, TC_INGRESS, 13), 0, TC_REDIRECT, LAN, TC_EGRESS);
	check_action(at(LAN, TC_INGRESS, 13), 1, TC_END, 0, 0);
	ck_assert_ptr_null(at(LAN, TC_INGRESS, 14));
	ck_assert_ptr_null(at(LAN, TC_EGRESS, 10));
}
END_TEST

START_TEST(test_switch_that_is_a_bridges_port_gives_it_what_it_may_have)
{
	static const enum attach bridges[] = { ATTACH_JOIN, ATTACH_BRIDGE };

	for (size_t i = 0; i < COUNT(bridges); i++) {
		make_switch(bridges[i]);
		ck_assert_ptr_null(at(LAN, TC_INGRESS, 12));
		check_action(at(LAN, TC_INGRESS, 13), 0, TC_MIRROR_IN, LAN, TC_EGRESS);
		check_action(at(LAN, TC_INGRESS, 13), 1, TC_END, 0, 0);
		ck_assert_int_eq(there(LAN, TC_INGRESS, 14)->program, PROGRAM_PASS);
		check_action(at(LAN, TC_INGRESS, 14), 0, TC_END, 0, 0);
		ck_assert_int_eq(there(LAN, TC_EGRESS, 10)->program, PROGRAM_BRIDGE_TO_GUESTS);
	}
}
END_TEST

START_TEST(test_guests_are_servers_only_where_the_policy_says_so)
{
	const struct hub hub = hub_by(ATTACH_PATCH);

	wiring_switch(&filters, &hub, &card, true);
	ck_assert_int_eq(there(LAN, TC_INGRESS, 10)->program, PROGRAM_GUARD_SERVING);
}
END_TEST

START_TEST(test_card_shares_its_frames_in_both_directions_or_its_own_alone)
{
	const struct mac guests = mac_make(HOST, 0, 0);
	struct hub hub = hub_by(ATTACH_PATCH);

	wiring_card(&filters, &hub);
	ck_assert_uint_eq(filters.count, 4);
	for (size_t i = 0; i < filters.count; i++)
		ck_assert(mac_equal(&filters.filter[i].mac, &guests));
	/* by which a card is known for ours, and clsact for there: first put, last removed */
	ck_assert(filters.filter[0].place.direction == TC_EGRESS);
	for (enum tc_direction d = TC_INGRESS; d <= TC_EGRESS; d++) {
		check_action(at(CARD, d, 24700), 0, TC_REDIRECT, LAN, TC_EGRESS);
		check_action(at(CARD, d, 24701), 0, TC_MIRROR_ON, LAN, TC_EGRESS);
	}
	hub.attach = ATTACH_HOST;
	wiring_card(&filters, &hub);
	ck_assert_uint_eq(filters.count, 4);
	ck_assert_ptr_nonnull(at(CARD, TC_EGRESS, 24700));
	ck_assert_ptr_null(at(CARD, TC_INGRESS, 24700));
	ck_assert_ptr_null(at(CARD, TC_INGRESS, 24701));
}
END_TEST

START_TEST(test_tap_and_its_place_know_its_guest_alone)
{
	struct tap tap = { .index = TAP, .guest = mac_make(HOST, 1000, 1) };

	wiring_tap(&filters, &tap, HUB);
	ck_assert_uint_eq(filters.count, 2);
	ck_assert(mac_equal(&filters.filter[0].mac, &tap.guest));
	check_action(&filters.filter[0], 0, TC_REDIRECT, HUB, TC_EGRESS);
	ck_assert_int_eq(filters.filter[1].program, PROGRAM_DROP);
	ck_assert_uint_gt(filters.filter[1].place.preference, filters.filter[0].place.preference);

	wiring_place(&filters, HUB, &tap);
	ck_assert_uint_eq(filters.count, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert(mac_equal(&filters.filter[i].mac, &tap.guest));
		ck_assert_uint_eq(filters.filter[i].place.handle, TAP);
		ck_assert(wiring_is_place(&filters.filter[i].place));
	}
	check_action(&filters.filter[0], 0, TC_REDIRECT, TAP, TC_EGRESS);
	check_action(&filters.filter[1], 0, TC_MIRROR_ON, TAP, TC_EGRESS);
	filters.filter[0].place.handle = 0; /* the head of a list */
	ck_assert(!wiring_is_place(&filters.filter[0].place));
	filters.filter[0] = wiring_dead_end(HUB);
	ck_assert(!wiring_is_place(&filters.filter[0].place));
}
END_TEST

START_TEST(test_memory_is_in_nobodys_way)
{
	for (unsigned int did = 1; did <= HUB_DID_ALL; did <<= 1) {
		const struct tc_filter memory = wiring_memory(HUB, CARD, did);

		ck_assert_int_eq(memory.program, PROGRAM_MARK);
		ck_assert_int_eq(memory.place.direction, TC_EGRESS);
		ck_assert_uint_eq(memory.place.preference, did);
		ck_assert_uint_eq(memory.place.handle, CARD);
		ck_assert_uint_eq(wiring_memory(HUB, 0, did).place.handle, 1);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_switch_of_the_patch_port_leads_to_guests_host_and_lan,
		test_switch_beside_a_wireless_card_leads_nowhere_on_the_lan,
		test_switch_without_an_uplink_serves_guests_alone,
		test_switch_that_is_a_bridges_port_gives_it_what_it_may_have,
		test_guests_are_servers_only_where_the_policy_says_so,
		test_card_shares_its_frames_in_both_directions_or_its_own_alone,
		test_tap_and_its_place_know_its_guest_alone,
		test_memory_is_in_nobodys_way,
	};

	return run_tests("host/wiring", tests, COUNT(tests));
}
