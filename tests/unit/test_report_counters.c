/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_report_counters.c: what --status makes of the kernel's counters.
 */
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>

#include "counters.h"
#include "kernel.h"

enum { CARD = 7, LAN = 9 };

/* The drops of a queue as the kernel tells them, among other numbers and one cut short. */
static void put_stats(struct nlmsghdr *qdisc, uint32_t drops)
{
	const struct gnet_stats_queue of_queue = { .drops = drops }, other = { .drops = 99999 };
	struct nlattr *stats = mnl_attr_nest_start(qdisc, TCA_STATS2);

	mnl_attr_put(qdisc, TCA_STATS_BASIC, sizeof(other), &other);
	mnl_attr_put(qdisc, TCA_STATS_QUEUE, sizeof(of_queue), &of_queue);
	mnl_attr_put(qdisc, TCA_STATS_QUEUE, sizeof(other) - 1, &other);
	mnl_attr_put(qdisc, TCA_STATS_APP, sizeof(other), &other);
	mnl_attr_nest_end(qdisc, stats);
}

static struct counters counters;

static int read_of(int index)
{
	memset(&counters, 0x55, sizeof(counters));
	return counters_read(&kernel_nl, index, &counters);
}

START_TEST(test_frames_are_counted_as_the_kernel_tells)
{
	static const uint64_t packets[3] = { 11, 22, 33 };
	struct nlmsghdr *link;

	kernel_reset();
	link = kernel_link(CARD, "card", IFF_UP);
	mnl_attr_put_u32(link, IFLA_MTU, 1500);
	mnl_attr_put(link, IFLA_STATS64, sizeof(packets), packets);
	mnl_attr_put(link, IFLA_STATS64, 15, packets + 1); /* cut short */
	ck_assert_int_eq(read_of(CARD), 0);
	ck_assert(counters.received == 11 && counters.sent == 22 && !counters.dropped);
	kernel_link(LAN, "lan", IFF_UP);
	ck_assert_int_eq(read_of(LAN), 0);
	ck_assert(!counters.received && !counters.sent && !counters.dropped);
	ck_assert_int_eq(read_of(8), -ENODEV);
	ck_assert(!counters.received && !counters.sent && !counters.dropped);
	link->nlmsg_type = RTM_DELLINK;
	ck_assert_int_eq(read_of(CARD), 0);
	ck_assert(!counters.received);
	kernel_refuse(RTM_GETLINK, -EPERM);
	ck_assert_int_eq(read_of(CARD), -EPERM);
}
END_TEST

START_TEST(test_answer_about_a_link_that_is_cut_short_counts_nothing)
{
	kernel_reset();
	kernel_tell(RTM_GETLINK, RTM_NEWLINK, "cut", 4);
	read_of(CARD);
	ck_assert(!counters.received && !counters.sent && !counters.dropped);
}
END_TEST

START_TEST(test_drops_are_counted_by_clsact_alone)
{
	kernel_reset();
	kernel_link(CARD, "card", IFF_UP);
	kernel_link(LAN, "lan", IFF_UP);
	kernel_tell(RTM_GETQDISC, RTM_NEWQDISC, "cut", 4);
	put_stats(kernel_qdisc(CARD, TC_H_ROOT, "clsact"), 3);
	put_stats(kernel_qdisc(CARD, TC_H_CLSACT, NULL), 4);
	put_stats(kernel_qdisc(CARD, TC_H_CLSACT, "clsact"), 6);
	kernel.told[kernel.count - 1].message->nlmsg_type = RTM_DELQDISC;
	put_stats(kernel_qdisc(LAN, TC_H_CLSACT, "ingress"), 5);
	kernel_qdisc(CARD, TC_H_CLSACT, "clsact");
	ck_assert_int_eq(read_of(LAN), 0);
	ck_assert_uint_eq(counters.dropped, 0);
	ck_assert_int_eq(read_of(CARD), 0);
	ck_assert_uint_eq(counters.dropped, 0);
	put_stats(kernel_qdisc(CARD, TC_H_CLSACT, "clsact"), 5);
	ck_assert_int_eq(read_of(CARD), 0);
	ck_assert_uint_eq(counters.dropped, 5);
	/* of another card, if the kernel tells of all */
	put_stats(kernel_qdisc(LAN, TC_H_CLSACT, "clsact"), 7);
	ck_assert_int_eq(read_of(CARD), 0);
	ck_assert_uint_eq(counters.dropped, 5);
	kernel_refuse(RTM_GETQDISC, -EPERM);
	ck_assert_int_eq(read_of(CARD), -EPERM);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_frames_are_counted_as_the_kernel_tells,
		test_answer_about_a_link_that_is_cut_short_counts_nothing,
		test_drops_are_counted_by_clsact_alone,
	};

	return run_tests("report/counters", tests, COUNT(tests));
}
