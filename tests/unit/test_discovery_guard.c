/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_discovery_guard.c: how much of what comes by the network Avahi is shown, and that what it
 * has missed of the cards is told. The loop, the clocks, the sockets' queues and Avahi, which takes
 * its time, are stand-ins: a machine that is busy cannot be told how long something takes.
 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "socket_drops.h"
#include "suite.h"

static int clock_of_test(clockid_t clock, struct timespec *ts);
static ssize_t queue_of_test(int fd, void *buffer, size_t size, int flags);
static uint32_t drops_of_test(int fd);

#define clock_gettime clock_of_test
#define recv	      queue_of_test
#define socket_drops  drops_of_test
#include "discovery_guard.c" /* NOLINT(bugprone-suspicious-include): with these three */
#undef clock_gettime
#undef recv
#undef socket_drops

enum { HEAD = 12 }; /* bytes of a message without a question or record */

static struct {
	struct guard *guard;
	struct discovery_counts counts;
	int fd;
	double wall, cpu; /* seconds */
	double cost;	  /* of what Avahi does when it is called */
	unsigned int queued, seen;
	uint8_t questions; /* announced in each byte of a message that has none */
	uint32_t drops;
	unsigned int misled, told; /* how often; messages of rtnetlink's */
	AvahiWatchCallback on_watch;
	AvahiTimeoutCallback on_timeout;
	void *watch, *timeout; /* what they are called with */
} t;

static int clock_of_test(clockid_t clock, struct timespec *ts)
{
	double time = clock == CLOCK_MONOTONIC ? t.wall : t.cpu;

	*ts = (struct timespec){ .tv_sec = (time_t)time,
				 .tv_nsec = (long)((time - (double)(time_t)time) * 1e9) };
	return 0;
}

static ssize_t queue_of_test(int fd, void *buffer, size_t size, int flags)
{
	ck_assert_int_eq(fd, t.fd);
	if (!t.queued) {
		errno = EAGAIN;
		return -1;
	}
	if (flags & MSG_PEEK)
		memset(buffer, t.questions, size < HEAD ? size : HEAD);
	else
		t.queued--;
	return HEAD;
}

static uint32_t drops_of_test(int fd)
{
	ck_assert_int_eq(fd, t.fd);
	return t.drops;
}

static void work(void)
{
	t.cpu += t.cost;
	t.wall += t.cost;
}

static void avahi_reads(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	(void)watch;
	(void)event;
	ck_assert_ptr_eq(user, &t);
	ck_assert_int_eq(queue_of_test(fd, NULL, 0, 0), HEAD);
	t.seen++;
	work();
}

static void avahi_hears_of_cards(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	(void)watch;
	(void)event;
	ck_assert_int_eq(fd, t.fd);
	ck_assert_ptr_eq(user, &t);
	t.told++;
}

/* As the stack's owner does, who makes a new one later. */
static void be_misled(void *user)
{
	ck_assert_ptr_eq(user, &t);
	t.misled++;
	guard_free(t.guard);
	t.guard = NULL;
}

static void avahi_is_called(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	ck_assert_ptr_eq(user, &t);
	work();
}

static AvahiWatch *loop_watch(const AvahiPoll *api, int fd, AvahiWatchEvent event,
			      AvahiWatchCallback callback, void *user)
{
	(void)api;
	(void)fd;
	(void)event;
	t.on_watch = callback;
	t.watch = user;
	return (AvahiWatch *)&t;
}

static AvahiTimeout *loop_timeout(const AvahiPoll *api, const struct timeval *at,
				  AvahiTimeoutCallback callback, void *user)
{
	(void)api;
	(void)at;
	t.on_timeout = callback;
	t.timeout = user;
	return (AvahiTimeout *)&t;
}

static void setup(void)
{
	static const AvahiPoll loop = { .watch_new = loop_watch, .timeout_new = loop_timeout };
	const AvahiPoll *poll;

	memset(&t, 0, sizeof(t));
	t.wall = 1000;
	t.fd = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_ge(t.fd, 0);
	ck_assert_int_eq(guard_new(&loop, &t.counts, be_misled, &t, &t.guard), 0);
	poll = guard_poll(t.guard);
	poll->watch_new(poll, t.fd, AVAHI_WATCH_IN, avahi_reads, &t);
	poll->timeout_new(poll, NULL, avahi_is_called, &t);
}

static void teardown(void)
{
	guard_free(t.guard);
	close(t.fd);
}

/* So many come, each @apart seconds after the one before; all are read, or taken out. */
static void offer(unsigned int count, double apart)
{
	for (unsigned int i = 0; i < count; i++) {
		t.wall += apart;
		t.queued++;
		t.on_watch((AvahiWatch *)&t, t.fd, AVAHI_WATCH_IN, t.watch);
		ck_assert_uint_eq(t.queued, 0);
	}
}

START_TEST(test_what_costs_little_is_shown_whole)
{
	t.cost = 0.0005;
	offer(100000, 0.002);
	ck_assert_uint_eq(t.seen, 100000);
}
END_TEST

START_TEST(test_what_costs_more_than_its_share_is_not_shown)
{
	double begin = t.wall, share;

	t.cost = 0.002;
	offer(100000, 0.001);
	share = GUARD_BURST_MS / 1000.0 + (t.wall - begin) / GUARD_SHARE;
	ck_assert_double_le(t.cpu, share + t.cost);
	ck_assert_double_ge(t.cpu, share - t.cost);
	ck_assert_uint_eq(t.counts.no_time, 100000 - t.seen);
}
END_TEST

START_TEST(test_burst_after_quiet_is_no_longer_than_the_first)
{
	double begin;

	t.cost = 0.01;
	t.wall += 3600;
	begin = t.wall;
	offer(1000, 0);
	ck_assert_double_le(t.cpu,
			    GUARD_BURST_MS / 1000.0 + (t.wall - begin) / GUARD_SHARE + t.cost);
}
END_TEST

START_TEST(test_share_that_is_used_up_comes_back)
{
	t.cost = 2 * GUARD_BURST_MS / 1000.0;
	offer(2, 0);
	ck_assert_uint_eq(t.seen, 1);
	t.wall += GUARD_SHARE * t.cost;
	offer(1, 0);
	ck_assert_uint_eq(t.seen, 2);
}
END_TEST

START_TEST(test_time_that_timeouts_take_counts)
{
	t.cost = 2 * GUARD_BURST_MS / 1000.0;
	t.on_timeout((AvahiTimeout *)&t, t.timeout);
	offer(1, 0);
	ck_assert_uint_eq(t.seen, 0);
}
END_TEST

START_TEST(test_many_are_taken_out_at_once_but_not_for_ever)
{
	t.cost = 2 * GUARD_BURST_MS / 1000.0;
	offer(1, 0);
	t.queued = 1000;
	t.on_watch((AvahiWatch *)&t, t.fd, AVAHI_WATCH_IN, t.watch);
	ck_assert_uint_eq(t.queued, 1000 - BATCH);
}
END_TEST

START_TEST(test_what_makes_no_sense_is_counted)
{
	offer(1, 1);
	t.questions = 0xff;
	offer(10, 1);
	ck_assert_uint_eq(t.seen, 1);
	ck_assert_uint_eq(t.counts.malformed, 10);
	ck_assert_uint_eq(t.counts.no_time, 0);
}
END_TEST

START_TEST(test_what_is_missed_of_the_cards_is_told)
{
	const AvahiPoll *poll = guard_poll(t.guard);

	close(t.fd);
	t.fd = socket(AF_NETLINK, SOCK_RAW, 0);
	ck_assert_int_ge(t.fd, 0);
	poll->watch_new(poll, t.fd, AVAHI_WATCH_IN, avahi_hears_of_cards, &t);
	for (unsigned int i = 1; i < 100; i++) {
		t.on_watch((AvahiWatch *)&t, t.fd, AVAHI_WATCH_IN, t.watch);
		ck_assert_uint_eq(t.told, i);
	}
	ck_assert_uint_eq(t.misled, 0);
	t.drops = 1;
	t.on_watch((AvahiWatch *)&t, t.fd, AVAHI_WATCH_IN, t.watch);
	ck_assert_uint_eq(t.told, 100);
	ck_assert_uint_eq(t.misled, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("discovery_guard");
	TCase *cases = tcase_create("time");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_what_costs_little_is_shown_whole);
	tcase_add_test(cases, test_what_costs_more_than_its_share_is_not_shown);
	tcase_add_test(cases, test_burst_after_quiet_is_no_longer_than_the_first);
	tcase_add_test(cases, test_share_that_is_used_up_comes_back);
	tcase_add_test(cases, test_time_that_timeouts_take_counts);
	tcase_add_test(cases, test_many_are_taken_out_at_once_but_not_for_ever);
	tcase_add_test(cases, test_what_makes_no_sense_is_counted);
	tcase_add_test(cases, test_what_is_missed_of_the_cards_is_told);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
