/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_host_taps.c: which of all interfaces are our TAPs.
 */
#include "kernel.h"
#include "taps.h"

enum { HOST = 0x123456 };

static struct taps taps;

static void tell_tap(int index, const char *name, const char *kind)
{
	kernel_kind(kernel_link(index, name, 0), kind, NULL);
}

START_TEST(test_taps_are_found_by_their_one_name)
{
	kernel_reset();
	tell_tap(2, "btap3e8-0", "tun");
	tell_tap(3, "btap0003e8-0", "tun");
	tell_tap(4, "btap3e8-0x", "tun");
	tell_tap(5, "btap3e8-10", "tun"); /* slot 16 */
	tell_tap(6, "btap3e8", "tun");
	tell_tap(7, "tap0", "tun");
	tell_tap(8, "btap3e8-1", "dummy");
	tell_tap(9, "btap3e9-f", "tun");
	tell_tap(10, "btap1000003e8-0", "tun"); /* of no user: 33 bits */
	ck_assert_int_eq(taps_list(&kernel_nl, HOST, &taps), 0);
	ck_assert_uint_eq(taps.count, 2);
	ck_assert(taps.tap[0].index == 2 && taps.tap[0].uid == 1000 && taps.tap[0].slot == 0);
	ck_assert(taps.tap[1].index == 9 && taps.tap[1].uid == 1001 && taps.tap[1].slot == 15);
	ck_assert_int_eq(taps.link[1].index, 9);
	ck_assert(!taps.releasing && taps.repair_count == 0);
	kernel_refuse(RTM_GETLINK, -EPERM);
	ck_assert_int_eq(taps_list(&kernel_nl, HOST, &taps), -EPERM);
}
END_TEST

START_TEST(test_interfaces_that_show_another_run_are_no_taps)
{
	kernel_reset();
	tell_tap(2, "btap3e8-0r", "tun");
	tell_tap(3, "btap-release", "dummy");
	tell_tap(4, "btap3e8-0", "tun");
	tell_tap(5, "btap03e8-0r", "tun");
	tell_tap(6, "btap3e8-0rr", "tun");
	ck_assert_int_eq(taps_list(&kernel_nl, HOST, &taps), 0);
	ck_assert(taps.count == 1 && taps.repair_count == 1 && !taps.releasing);
	ck_assert_int_eq(taps_each(&taps, 0)->index, 4);
	ck_assert_int_eq(taps_each(&taps, 1)->index, 2);
	ck_assert_ptr_null(taps_each(&taps, 2));
	tell_tap(7, "btap-release", "tun");
	ck_assert_int_eq(taps_list(&kernel_nl, HOST, &taps), 0);
	ck_assert(taps.count == 1 && taps.repair_count == 1 && taps.releasing);
}
END_TEST

START_TEST(test_more_than_there_is_room_for_are_refused)
{
	char name[IFNAMSIZ];

	for (int repairs = 0; repairs < 2; repairs++) {
		kernel_reset();
		for (unsigned int i = 0; i <= TAPS_MAX; i++) {
			ck_assert_int_eq(taps_list(&kernel_nl, HOST, &taps), 0);
			snprintf(name, sizeof(name), "btap%x-0%s", 1000 + i, repairs ? "r" : "");
			tell_tap(2 + (int)i, name, "tun");
		}
		ck_assert_int_eq(taps_list(&kernel_nl, HOST, &taps), -ENOSPC);
	}
}
END_TEST

START_TEST(test_list_that_changes_all_the_time_is_given_up)
{
	kernel_reset();
	tell_tap(2, "btap3e8-0", "tun");
	kernel.interrupted = true;
	ck_assert_int_eq(taps_list(&kernel_nl, HOST, &taps), -EAGAIN);
	ck_assert_uint_eq(kernel.asked[RTM_GETLINK], 20);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_taps_are_found_by_their_one_name,
		test_interfaces_that_show_another_run_are_no_taps,
		test_more_than_there_is_room_for_are_refused,
		test_list_that_changes_all_the_time_is_given_up,
	};

	return run_tests("host/taps", tests, COUNT(tests));
}
