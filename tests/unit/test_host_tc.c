/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_host_tc.c: qdiscs and filters as the kernel tells of them: what stands where ours is to
 * stand must be ours in each particular, or it is written anew.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>

#include "kernel.h"
#include "tc.h"

enum { CARD = 7, LAN = 9 };

START_TEST(test_clsact_is_there_or_something_is_in_its_way)
{
	kernel_reset();
	ck_assert_int_eq(tc_has_clsact(&kernel_nl, CARD), 0);
	kernel_tell(RTM_GETQDISC, RTM_NEWQDISC, "cut", 4);
	kernel_qdisc(CARD, TC_H_CLSACT, "clsact")->nlmsg_type = RTM_DELQDISC;
	kernel_qdisc(LAN, TC_H_CLSACT, "ingress");
	kernel_qdisc(CARD, TC_H_ROOT, "fq_codel");
	ck_assert_int_eq(tc_has_clsact(&kernel_nl, CARD), 0);
	kernel_qdisc(CARD, TC_H_CLSACT, "clsact");
	ck_assert_int_eq(tc_has_clsact(&kernel_nl, CARD), 1);
	ck_assert_int_eq(tc_has_clsact(&kernel_nl, LAN), -EEXIST);
	kernel_qdisc(CARD, TC_H_CLSACT, NULL); /* none that we know */
	ck_assert_int_eq(tc_has_clsact(&kernel_nl, CARD), -EEXIST);
	kernel_refuse(RTM_GETQDISC, -EPERM);
	ck_assert_int_eq(tc_has_clsact(&kernel_nl, CARD), -EPERM);
}
END_TEST

START_TEST(test_clsact_with_a_block_of_several_cards_is_not_ours_to_use)
{
	static const uint16_t blocks[] = { TCA_INGRESS_BLOCK, TCA_EGRESS_BLOCK };

	for (size_t i = 0; i < COUNT(blocks); i++) {
		kernel_reset();
		mnl_attr_put_u32(kernel_qdisc(CARD, TC_H_CLSACT, "clsact"), blocks[i], 0);
		ck_assert_int_eq(tc_has_clsact(&kernel_nl, CARD), 1);
		kernel_reset();
		mnl_attr_put_u32(kernel_qdisc(CARD, TC_H_CLSACT, "clsact"), blocks[i], 3);
		ck_assert_int_eq(tc_has_clsact(&kernel_nl, CARD), -EOPNOTSUPP);
	}
}
END_TEST

/* ---- a filter as the kernel tells it, with one thing in it that is not as it is to be */
enum oddity {
	NOTHING_ODD,
	NO_KIND,
	OTHER_KIND,
	NO_OPTIONS,
	NO_CODE,
	SHORT_CODE,
	OTHER_CODE,
	OTHER_FLAGS,
	NO_ACTIONS,
	ONE_ACTION_MORE,
	ONE_ACTION_LESS,
	NO_ACTION_KIND,
	OTHER_ACTION_KIND,
	NO_ACTION_OPTIONS,
	NO_PARMS,
	SHORT_PARMS,
	OTHER_TARGET,
	OTHER_WAY,
	OTHER_ENDING,
	OTHER_ANSWER,
	CUT_ANSWER,
	ODDITIES
};

static const struct tc_filter copy_and_take = { { CARD, TC_INGRESS, 10, 1 },
						PROGRAM_SOURCE,
						{ { 0xb2, 1, 2, 3, 4, 5 } },
						{ { TC_MIRROR, LAN, TC_EGRESS },
						  { TC_REDIRECT, CARD, TC_INGRESS } },
						false };
static const struct tc_filter drop = { .place = { CARD, TC_INGRESS, 10, 1 },
				       .program = PROGRAM_DROP };
static const struct tc_mirred mirreds[] = {
	{ .ifindex = LAN, .eaction = TCA_EGRESS_MIRROR, .action = TC_ACT_PIPE },
	{ .ifindex = CARD, .eaction = TCA_INGRESS_REDIR, .action = TC_ACT_STOLEN },
};

static void put_action(struct nlmsghdr *filter, uint16_t n, enum oddity odd)
{
	struct nlattr *action = mnl_attr_nest_start(filter, n + 1), *options;
	struct tc_mirred m = mirreds[n % 2];

	if (odd == OTHER_TARGET)
		m.ifindex = 0; /* it has gone, or is elsewhere now */
	if (odd == OTHER_WAY)
		m.eaction = TCA_INGRESS_MIRROR;
	if (odd == OTHER_ENDING)
		m.action = TC_ACT_SHOT;
	if (odd != NO_ACTION_KIND)
		mnl_attr_put_strz(filter, TCA_ACT_KIND,
				  odd == OTHER_ACTION_KIND ? "gact" : "mirred");
	if (odd != NO_ACTION_OPTIONS) {
		options = mnl_attr_nest_start(filter, TCA_ACT_OPTIONS);
		mnl_attr_put_u32(filter, TCA_MIRRED_PAD, 0);
		if (odd != NO_PARMS)
			mnl_attr_put(filter, TCA_MIRRED_PARMS,
				     odd == SHORT_PARMS ? sizeof(m) - 4 : sizeof(m), &m);
		mnl_attr_nest_end(filter, options);
	}
	mnl_attr_nest_end(filter, action);
}

static void put_options(struct nlmsghdr *filter, const struct program *program, bool acts,
			enum oddity odd)
{
	const size_t len = program->len * sizeof(program->code[0]);
	struct nlattr *options = mnl_attr_nest_start(filter, TCA_OPTIONS), *list;
	struct program p = *program;

	if (odd == OTHER_CODE)
		p.code[p.len - 1].k ^= 1;
	if (odd != NO_CODE)
		mnl_attr_put(filter, TCA_BPF_OPS, odd == SHORT_CODE ? len - 8 : len, p.code);
	if (p.direct != (odd == OTHER_FLAGS))
		mnl_attr_put_u32(filter, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	if (acts && odd != NO_ACTIONS) {
		list = mnl_attr_nest_start(filter, TCA_BPF_ACT);
		put_action(filter, 0, odd);
		if (odd != ONE_ACTION_LESS)
			put_action(filter, 1, NOTHING_ODD);
		if (odd == ONE_ACTION_MORE)
			put_action(filter, 2, NOTHING_ODD);
		mnl_attr_nest_end(filter, list);
	}
	mnl_attr_nest_end(filter, options);
}

static void tell_filter(const struct program *program, bool acts, enum oddity odd)
{
	const struct tcmsg header = { .tcm_ifindex = CARD };
	struct nlmsghdr *filter;

	kernel_reset();
	filter = kernel_tell(RTM_GETTFILTER, RTM_NEWTFILTER, &header,
			     odd == CUT_ANSWER ? 4 : sizeof(header));
	if (odd == CUT_ANSWER)
		return;
	if (odd == OTHER_ANSWER)
		filter->nlmsg_type = RTM_DELTFILTER;
	if (odd != NO_KIND)
		mnl_attr_put_strz(filter, TCA_KIND, odd == OTHER_KIND ? "flower" : "bpf");
	mnl_attr_put_u32(filter, TCA_CHAIN, 0);
	if (odd != NO_OPTIONS)
		put_options(filter, program, acts, odd);
}

START_TEST(test_filter_with_actions_stands_only_if_nothing_is_odd)
{
	const struct program program = program_make(PROGRAM_SOURCE, &copy_and_take.mac);

	for (enum oddity odd = NOTHING_ODD; odd < ODDITIES; odd++) {
		tell_filter(&program, true, odd);
		ck_assert_msg(tc_stands(&kernel_nl, &copy_and_take) == (odd == NOTHING_ODD),
			      "oddity %d", odd);
		ck_assert_int_eq(tc_ensure(&kernel_nl, &copy_and_take), 0);
		ck_assert_uint_eq(kernel.asked[RTM_NEWTFILTER], odd != NOTHING_ODD);
	}
}
END_TEST

START_TEST(test_verdict_stands_only_without_actions)
{
	const struct program program = program_make(PROGRAM_DROP, NULL);

	tell_filter(&program, false, NOTHING_ODD);
	ck_assert_int_eq(tc_stands(&kernel_nl, &drop), 1);
	tell_filter(&program, false, OTHER_FLAGS);
	ck_assert_int_eq(tc_stands(&kernel_nl, &drop), 0);
	tell_filter(&program, true, NOTHING_ODD);
	ck_assert_int_eq(tc_stands(&kernel_nl, &drop), 0);
}
END_TEST

START_TEST(test_where_no_filter_can_be_none_stands)
{
	static const int none[] = { -ENOENT, -EINVAL, -ENODEV, -EOPNOTSUPP };

	for (size_t i = 0; i < COUNT(none); i++) {
		kernel_reset();
		kernel_refuse(RTM_GETTFILTER, none[i]);
		kernel_refuse(RTM_DELTFILTER, none[i]);
		ck_assert_int_eq(tc_stands(&kernel_nl, &drop), 0);
		ck_assert_int_eq(tc_remove(&kernel_nl, drop.place), 0);
	}
	kernel_reset();
	kernel_refuse(RTM_GETTFILTER, -EPERM);
	kernel_refuse(RTM_DELTFILTER, -EPERM);
	kernel_refuse(RTM_NEWTFILTER, -ENOMEM);
	ck_assert_int_eq(tc_stands(&kernel_nl, &drop), -EPERM);
	ck_assert_int_eq(tc_remove(&kernel_nl, drop.place), -EPERM);
	ck_assert_int_eq(tc_ensure(&kernel_nl, &drop), -ENOMEM);
}
END_TEST

START_TEST(test_list_is_brought_about_up_to_what_is_refused_and_undone_from_its_end)
{
	struct tc_filters all = { 3, { drop, copy_and_take, drop } };

	kernel_reset();
	ck_assert_int_eq(tc_each_of(&kernel_nl, &all, tc_put), 0);
	ck_assert_uint_eq(kernel.asked[RTM_NEWTFILTER], 3);
	ck_assert_uint_eq(kernel.asked[RTM_GETTFILTER], 0);
	all.filter[1].absent = true;
	ck_assert_int_eq(tc_each_of(&kernel_nl, &all, tc_ensure), 0);
	ck_assert_uint_eq(kernel.asked[RTM_NEWTFILTER], 5);
	ck_assert_uint_eq(kernel.asked[RTM_DELTFILTER], 1);
	ck_assert_int_eq(tc_remove_all(&kernel_nl, &all), 0);
	ck_assert_uint_eq(kernel.asked[RTM_DELTFILTER], 4);
	kernel_refuse(RTM_NEWTFILTER, -ENOMEM);
	kernel_refuse(RTM_DELTFILTER, -EPERM);
	ck_assert_int_eq(tc_each_of(&kernel_nl, &all, tc_ensure), -ENOMEM);
	ck_assert_uint_eq(kernel.asked[RTM_NEWTFILTER], 6);
	ck_assert_int_eq(tc_remove_all(&kernel_nl, &all), -EPERM);
	ck_assert_uint_eq(kernel.asked[RTM_DELTFILTER], 5);
}
END_TEST

static struct tc_place found[4];
static size_t count;

static int collect(const struct tc_place *one, void *user)
{
	ck_assert_uint_lt(count, COUNT(found));
	found[count++] = *one;
	return *(int *)user;
}

START_TEST(test_walk_over_filters_names_their_places_and_ends_when_told)
{
	int go_on = 0, stop = 5;

	kernel_reset();
	kernel_tell(RTM_GETTFILTER, RTM_NEWTFILTER, "cut", 4);
	kernel_tell(RTM_GETTFILTER, RTM_DELTFILTER, &(struct tcmsg){ .tcm_handle = 3 },
		    sizeof(struct tcmsg));
	kernel_filter(CARD, 24700, 1);
	kernel_filter(CARD, 65535, 0x80000000);
	count = 0;
	ck_assert_int_eq(tc_each(&kernel_nl, CARD, TC_EGRESS, collect, &go_on), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert(found[0].index == CARD && found[0].direction == TC_EGRESS &&
		  found[0].preference == 24700 && found[0].handle == 1);
	ck_assert(found[1].preference == 65535 && found[1].handle == 0x80000000);
	count = 0;
	ck_assert_int_eq(tc_each(&kernel_nl, CARD, TC_EGRESS, collect, &stop), 5);
	ck_assert_uint_eq(count, 1);
	kernel_refuse(RTM_GETTFILTER, -EPERM);
	ck_assert_int_eq(tc_each(&kernel_nl, CARD, TC_EGRESS, collect, &go_on), -EPERM);
}
END_TEST

START_TEST(test_only_an_empty_clsact_is_removed)
{
	kernel_reset();
	ck_assert_int_eq(tc_remove_empty_clsact(&kernel_nl, CARD), 0);
	ck_assert_uint_eq(kernel.asked[RTM_DELQDISC], 0);
	kernel_qdisc(CARD, TC_H_CLSACT, "ingress");
	ck_assert_int_eq(tc_remove_empty_clsact(&kernel_nl, CARD), 0);
	ck_assert_uint_eq(kernel.asked[RTM_DELQDISC], 0);
	kernel_reset();
	kernel_qdisc(CARD, TC_H_CLSACT, "clsact");
	ck_assert_int_eq(tc_remove_empty_clsact(&kernel_nl, CARD), 0);
	ck_assert_uint_eq(kernel.asked[RTM_GETTFILTER], 2);
	ck_assert_uint_eq(kernel.asked[RTM_DELQDISC], 1);
	kernel_filter(CARD, 1, 1);
	ck_assert_int_eq(tc_remove_empty_clsact(&kernel_nl, CARD), 0);
	ck_assert_uint_eq(kernel.asked[RTM_GETTFILTER], 3);
	ck_assert_uint_eq(kernel.asked[RTM_DELQDISC], 1);
	kernel_refuse(RTM_GETTFILTER, -EPERM);
	ck_assert_int_eq(tc_remove_empty_clsact(&kernel_nl, CARD), -EPERM);
	ck_assert_uint_eq(kernel.asked[RTM_DELQDISC], 1);
	kernel_refuse(RTM_GETQDISC, -EIO);
	ck_assert_int_eq(tc_remove_empty_clsact(&kernel_nl, CARD), -EIO);
	kernel_reset(); /* somebody keeps asking for filters: not for ever, and not as -EBUSY */
	kernel_qdisc(CARD, TC_H_CLSACT, "clsact");
	kernel_refuse(RTM_DELQDISC, -EBUSY);
	ck_assert_int_eq(tc_remove_empty_clsact(&kernel_nl, CARD), -EAGAIN);
	ck_assert_uint_gt(kernel.asked[RTM_DELQDISC], 1);
}
END_TEST

START_TEST(test_clsact_that_another_was_faster_to_make_is_as_good)
{
	kernel_reset();
	ck_assert_int_eq(tc_ensure_clsact(&kernel_nl, CARD), 0);
	kernel_refuse(RTM_NEWQDISC, -EEXIST);
	kernel_qdisc(CARD, TC_H_CLSACT, "clsact");
	ck_assert_int_eq(tc_ensure_clsact(&kernel_nl, CARD), 0);
	kernel_qdisc(CARD, TC_H_CLSACT, "ingress");
	ck_assert_int_eq(tc_ensure_clsact(&kernel_nl, CARD), -EEXIST);
	kernel.refused[0].error = -ENODEV;
	ck_assert_int_eq(tc_ensure_clsact(&kernel_nl, CARD), -ENODEV);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_clsact_is_there_or_something_is_in_its_way,
		test_clsact_with_a_block_of_several_cards_is_not_ours_to_use,
		test_filter_with_actions_stands_only_if_nothing_is_odd,
		test_verdict_stands_only_without_actions,
		test_where_no_filter_can_be_none_stands,
		test_list_is_brought_about_up_to_what_is_refused_and_undone_from_its_end,
		test_walk_over_filters_names_their_places_and_ends_when_told,
		test_only_an_empty_clsact_is_removed,
		test_clsact_that_another_was_faster_to_make_is_as_good,
	};

	return run_tests("host/tc", tests, COUNT(tests));
}
