/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_host_hub.c: what bthub remembers of what was done to a card: filters that do nothing, with
 * the card's index as handle, and what was done as preference.
 */
#include "hub.h"
#include "kernel.h"

enum { HUB = 10, CARD = 2, OTHER_CARD = 3 };

static struct hub read_memory(void)
{
	struct hub hub = { .index = HUB, .uplink = CARD, .done = HUB_DID_ALL, .stray = 77 };

	ck_assert_int_eq(hub_read_memory(&kernel_nl, &hub), 0);
	return hub;
}

START_TEST(test_memory_is_of_its_card_alone)
{
	struct hub hub;

	kernel_reset();
	hub = read_memory();
	ck_assert(hub.done == 0 && hub.stray == 0);
	kernel_filter(HUB, HUB_DID_CLSACT, CARD);
	kernel_filter(HUB, HUB_DID_FINISH, CARD);
	kernel_filter(HUB, HUB_DID_PROMISC, OTHER_CARD);
	hub = read_memory();
	ck_assert_uint_eq(hub.done, HUB_DID_CLSACT | HUB_DID_FINISH);
	ck_assert_int_eq(hub.stray, OTHER_CARD);
}
END_TEST

START_TEST(test_filters_that_are_no_memory_are_none)
{
	struct hub hub;

	kernel_reset();
	kernel_filter(HUB, HUB_DID_CLSACT, 1);	   /* of a card that there never was */
	kernel_filter(HUB, HUB_DID_ALL + 1, CARD); /* somebody's own */
	kernel_filter(HUB, 24700, OTHER_CARD);
	hub = read_memory();
	ck_assert(hub.done == 0 && hub.stray == 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_memory_is_of_its_card_alone,
		test_filters_that_are_no_memory_are_none,
	};

	return run_tests("host/hub", tests, COUNT(tests));
}
