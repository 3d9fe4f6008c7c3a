/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_helper_tap.c: claiming and counting TAPs where the kernel refuses, or where others
 * come and go in between. /dev/net/tun is a stand-in, too: it gives what it is told to.
 */
#include <linux/if_tun.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "kernel.h"
#include "tap.h"

enum { TUN = 6, UID = 1000, HOST = 0x123456, INDEX = 7 };

static struct {
	int excl, plain, owner; /* what TUNSETIFF with and without IFF_TUN_EXCL, TUNSETOWNER say */
	int second_excl;	/* … from the second time on */
	const char *busy;	/* the name of one that somebody holds, whatever else is told */
	bool vanishes;		/* who attaches to it finds its interface gone */
	unsigned int claims;
	unsigned long owned_by;
} tun;

static struct taps taps;
static struct tap tap;
static struct outcome outcome;
static struct policy policy;
static struct caller caller;

int ioctl(int fd, unsigned long request, ...)
{
	const struct ifreq *ifr;
	va_list args;
	int err;

	ck_assert_int_eq(fd, TUN);
	va_start(args, request);
	if (request == TUNSETOWNER) {
		tun.owned_by = va_arg(args, unsigned long);
		err = tun.owner;
	} else {
		ck_assert_uint_eq(request, TUNSETIFF);
		ifr = va_arg(args, const struct ifreq *);
		ck_assert_int_eq(ifr->ifr_flags & IFF_TAP, IFF_TAP);
		err = !(ifr->ifr_flags & IFF_TUN_EXCL) ? tun.plain :
		      tun.claims++		       ? tun.second_excl :
							 tun.excl;
		if (tun.vanishes && !err)
			kernel.count = 0;
		if (tun.busy && strcmp(ifr->ifr_name, tun.busy) == 0)
			err = -EBUSY;
	}
	va_end(args);
	errno = -err;
	return err ? -1 : 0;
}

static void have(void)
{
	kernel_reset();
	memset(&tun, 0, sizeof(tun));
	outcome = (struct outcome){ .code = OUTCOME_OK };
	policy = (struct policy){ .max_taps = 2, .max_total = 4 };
	caller.uid = UID;
}

static struct nlmsghdr *tell_tap(int index, const char *name, const char *kind)
{
	struct nlmsghdr *link = kernel_link(index, name, 0);

	kernel_kind(link, kind, NULL);
	return link;
}

static void tell_leftover(const char *name, const char *alias)
{
	struct nlmsghdr *link = kernel_link(INDEX, name, 0);
	struct nlattr *info = mnl_attr_nest_start(link, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(link, IFLA_INFO_KIND, "tun");
	data = mnl_attr_nest_start(link, IFLA_INFO_DATA);
	mnl_attr_put_u8(link, IFLA_TUN_PERSIST, 1);
	mnl_attr_nest_end(link, data);
	mnl_attr_nest_end(link, info);
	mnl_attr_put_strz(link, IFLA_IFALIAS, alias);
}

START_TEST(test_more_taps_than_there_can_be_are_an_error)
{
	char name[IFNAME_SIZE];

	have();
	for (int i = 0; i < TAPS_MAX; i++) {
		snprintf(name, sizeof(name), "btap%x-%x", i / 16, i % 16);
		tell_tap(i + 2, name, "tun");
	}
	ck_assert_int_eq(taps_list(&kernel_nl, HOST, &taps), 0);
	ck_assert_uint_eq(taps.count, TAPS_MAX);
	tell_tap(1000, "btapffff-0", "tun");
	ck_assert_int_eq(taps_list(&kernel_nl, HOST, &taps), -ENOSPC);
	/* who comes now is over the quota of all */
	tell_tap(INDEX, "btap3e8-0", "tun");
	ck_assert_int_eq(
		tap_create(&kernel_nl, TUN, HOST, &caller, 0, &policy, &tap, &taps, &outcome), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_QUOTA);
	ck_assert_ptr_nonnull(strstr(outcome.what, "'max-total'"));
}
END_TEST

static int is_alive(int plain)
{
	tap = (struct tap){ .name = "btap3e8-0", .uid = UID };
	tun.plain = plain;
	return tap_is_alive(&kernel_nl, TUN, &tap);
}

START_TEST(test_alive_is_what_the_kernel_lets_nobody_else_attach_to)
{
	have();
	ck_assert_int_eq(is_alive(0), 0); /* there is none */
	kernel_refuse(RTM_GETLINK, -EPERM);
	ck_assert_int_eq(is_alive(0), -EPERM);
	have();
	tell_tap(INDEX, "btap3e8-0", "tun");
	ck_assert_int_eq(is_alive(-EBUSY), 1);
	ck_assert_int_eq(is_alive(-EPERM), -EPERM);
	ck_assert_uint_eq(kernel.asked[RTM_DELLINK], 0);
	ck_assert_int_eq(is_alive(0), 0);
	ck_assert_uint_eq(kernel.asked[RTM_DELLINK], 1);
	kernel_refuse(RTM_DELLINK, -EPERM);
	ck_assert_int_eq(is_alive(0), -EPERM);
	have();
	tell_tap(INDEX, "btap3e8-0", "dummy");
	ck_assert_int_eq(is_alive(0), -EEXIST);
	have();
	tell_leftover("btap3e8-0", "somebody's");
	ck_assert_int_eq(is_alive(0), -EEXIST);
	have();
	tell_leftover("btap3e8-0", "basilisk-tap uid=1000 slot=0 pid=5");
	ck_assert_int_eq(is_alive(0), 0);
	tun.vanishes = true;
	ck_assert_int_eq(is_alive(0), -ENODEV);
}
END_TEST

static void check_created(int slot, const char *name)
{
	outcome = (struct outcome){ .code = OUTCOME_OK };
	tun.claims = 0;
	ck_assert_msg(tap_create(&kernel_nl, TUN, HOST, &caller, slot, &policy, &tap, &taps,
				 &outcome) == 0,
		      "%s", outcome.what);
	ck_assert_str_eq(tap.name, name);
	ck_assert_int_eq(tap.index, INDEX);
	ck_assert_uint_eq(tun.owned_by, UID);
}

static void check_not_created(int slot, enum outcome_code code, const char *what)
{
	outcome = (struct outcome){ .code = OUTCOME_OK };
	tun.claims = 0;
	ck_assert_int_eq(
		tap_create(&kernel_nl, TUN, HOST, &caller, slot, &policy, &tap, &taps, &outcome),
		-1);
	ck_assert_str_eq(outcome.what, what);
	ck_assert_int_eq(outcome.code, code);
}

START_TEST(test_slot_is_claimed_or_told_to_be_busy)
{
	have();
	tell_tap(INDEX, "btap3e8-1", "tun");
	check_created(1, "btap3e8-1");
	check_not_created(2, OUTCOME_QUOTA, "slot 2: 'max-taps' allows 0 to 1");
	tun.excl = tun.plain = -EBUSY;
	check_not_created(1, OUTCOME_SLOT_BUSY, "btap3e8-1 is in use");
	tun.plain = 0; /* a leftover, which then goes */
	check_created(1, "btap3e8-1");
	tun.second_excl = -EBUSY; /* and another is faster */
	check_not_created(1, OUTCOME_SLOT_BUSY, "btap3e8-1 is in use");
	tun.excl = -EINVAL; /* an interface of another kind */
	check_not_created(1, OUTCOME_FOREIGN_DEVICE, "btap3e8-1 is no TAP of ours");
	tun.excl = -EPERM;
	check_not_created(1, OUTCOME_SYSTEM, "making btap3e8-1: Operation not permitted");
	tun.excl = 0;
	tun.owner = -EPERM;
	check_not_created(1, OUTCOME_SYSTEM, "making btap3e8-1: Operation not permitted");
	tun.owner = 0; /* it is deleted by hand at once */
	check_not_created(0, OUTCOME_SYSTEM, "making btap3e8-0: No such device");
	have();
	tell_tap(INDEX, "btap3e8-1", "dummy");
	tun.excl = -EBUSY;
	check_not_created(1, OUTCOME_FOREIGN_DEVICE, "btap3e8-1 is no TAP of ours");
}
END_TEST

START_TEST(test_qemu_gets_the_highest_slot_that_is_free)
{
	have();
	tell_tap(INDEX, "btap3e8-f", "tun");
	check_created(-1, "btap3e8-f");
	tun.busy = "btap3e8-f";
	check_not_created(-1, OUTCOME_SYSTEM, "making btap3e8-e: No such device");
	tell_tap(INDEX, "btap3e8-e", "tun");
	check_created(-1, "btap3e8-e");
	tun.excl = tun.second_excl = tun.plain = -EBUSY;
	check_not_created(-1, OUTCOME_QUOTA, "all 2 TAPs of 'max-taps' are in use");
	ck_assert_uint_eq(tun.claims, 2);
	/* what others have is not known: it is tried, and the count then refuses */
	tun.excl = tun.second_excl = 0;
	kernel.interrupted = true;
	check_not_created(-1, OUTCOME_SYSTEM, "counting TAPs: Resource temporarily unavailable");
}
END_TEST

START_TEST(test_quota_counts_the_users_and_all)
{
	have();
	tell_tap(INDEX, "btap3e8-0", "tun");
	tell_tap(8, "btap3e8-1", "tun");
	check_created(0, "btap3e8-0");
	tell_tap(9, "btap3e8-2", "tun");
	check_not_created(0, OUTCOME_QUOTA, "all 2 TAPs of 'max-taps' are in use");
	policy.max_taps = 3;
	tell_tap(10, "btap1-0", "tun");
	check_created(0, "btap3e8-0");
	tell_tap(11, "btap1-1", "tun");
	check_not_created(0, OUTCOME_QUOTA, "all 4 TAPs of 'max-total' are in use");
}
END_TEST

START_TEST(test_user_with_the_same_address_is_not_given_anothers_frames)
{
	have();
	tell_tap(INDEX, "btap3e8-0", "tun");
	tell_tap(8, "btap13e8-0", "tun"); /* 5096, whose low 12 bits are 1000's */
	check_not_created(0, OUTCOME_SLOT_BUSY, "slot 0 has the MAC of user 5096's slot 0");
	have();
	tell_tap(8, "btap13e8-f", "tun");
	tell_tap(INDEX, "btap3e8-e", "tun");
	check_created(-1, "btap3e8-e"); /* the next is as good, without a slot of his own */
}
END_TEST

static int find(int plain)
{
	outcome = (struct outcome){ .code = OUTCOME_OK };
	tun.plain = plain;
	return tap_find(&kernel_nl, TUN, HOST, &caller, 1, &tap, &outcome);
}

START_TEST(test_tap_to_repair_is_alive_or_is_told_not_to_be)
{
	have();
	ck_assert_int_eq(find(-EBUSY), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_NOT_ALIVE);
	tell_tap(INDEX, "btap3e8-1", "tun");
	ck_assert_int_eq(find(-EBUSY), 0);
	ck_assert(tap.index == INDEX && tap.slot == 1 && tap.uid == UID);
	ck_assert_int_eq(find(0), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_NOT_ALIVE);
	have();
	tell_tap(INDEX, "btap3e8-1", "dummy");
	ck_assert_int_eq(find(-EBUSY), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_FOREIGN_DEVICE);
	ck_assert_str_eq(outcome.what, "btap3e8-1 is no TAP");
}
END_TEST

START_TEST(test_sweep_removes_leftovers_alone)
{
	have();
	tell_tap(8, "btap3e8-1", "tun");
	tap_sweep(&kernel_nl, TUN, HOST);
	ck_assert_uint_eq(kernel.asked[RTM_DELLINK], 0);
	tell_leftover("btap3e8-0", "basilisk-tap uid=1000 slot=0 pid=5");
	tap_sweep(&kernel_nl, TUN, HOST);
	ck_assert_uint_eq(kernel.asked[RTM_DELLINK], 1);
	kernel.interrupted = true;
	tap_sweep(&kernel_nl, TUN, HOST);
	ck_assert_uint_eq(kernel.asked[RTM_DELLINK], 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_more_taps_than_there_can_be_are_an_error,
		test_alive_is_what_the_kernel_lets_nobody_else_attach_to,
		test_slot_is_claimed_or_told_to_be_busy,
		test_qemu_gets_the_highest_slot_that_is_free,
		test_quota_counts_the_users_and_all,
		test_user_with_the_same_address_is_not_given_anothers_frames,
		test_tap_to_repair_is_alive_or_is_told_not_to_be,
		test_sweep_removes_leftovers_alone,
	};

	return run_tests("helper/tap", tests, COUNT(tests));
}
