/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_discovery_clock.c: jumps of the wall clock. The clock of the machine is not touched: this
 * program has clock functions of its own, which the library's object is linked with.
 */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "discovery_clock.h"
#include "loop.h"
#include "suite.h"

static struct {
	struct loop *loop;
	struct clock_watch *watch;
	int timer; /* an eventfd: readable when the timer is cancelled */
	int flags;
	time_t wall;
	unsigned int jumps;
} t;

int timerfd_create(int clock, int flags)
{
	ck_assert_int_eq(clock, CLOCK_REALTIME);
	ck_assert_int_eq(flags, TFD_CLOEXEC | TFD_NONBLOCK);
	return t.timer = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

int timerfd_settime(int timer, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	(void)new;
	(void)old;
	ck_assert_int_eq(timer, t.timer);
	t.flags = flags;
	return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	*now = (struct timespec){ clock == CLOCK_REALTIME ? t.wall : 1000, 0 };
	return 0;
}

static void on_jump(void *user)
{
	(void)user;
	t.jumps++;
}

/* The clock was set: the kernel cancels the timer. */
static void set_clock(time_t wall)
{
	const uint64_t one = 1;

	t.wall = wall;
	t.flags = 0;
	ck_assert_int_eq(write(t.timer, &one, sizeof(one)), sizeof(one));
}

static void quit(AvahiWatch *watch, int fd, AvahiWatchEvent events, void *user)
{
	(void)watch;
	(void)fd;
	(void)events;
	(void)user;
	loop_quit(t.loop);
}

/* Runs what is readable, once. */
static void turn(void)
{
	const uint64_t one = 1;
	int fd = eventfd(0, EFD_NONBLOCK);
	AvahiWatch *watch =
		loop_api(t.loop)->watch_new(loop_api(t.loop), fd, AVAHI_WATCH_IN, quit, NULL);

	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
	ck_assert_int_eq(loop_run(t.loop), 0);
	loop_api(t.loop)->watch_free(watch);
	close(fd);
}

static void setup(void)
{
	t.jumps = 0;
	t.wall = 5000;
	ck_assert_int_eq(loop_new(&t.loop), 0);
	ck_assert_int_eq(clock_watch_new(loop_api(t.loop), on_jump, NULL, &t.watch), 0);
	ck_assert_int_eq(t.flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
}

static void teardown(void)
{
	clock_watch_free(t.watch);
	loop_free(t.loop);
}

START_TEST(test_jumps_are_told_each_once)
{
	static const time_t walls[] = { 5003, 9000000, 4, 5000 };

	for (unsigned int i = 0; i < sizeof(walls) / sizeof(*walls); i++) {
		set_clock(walls[i]);
		turn();
		ck_assert_uint_eq(t.jumps, i + 1);
		ck_assert_int_eq(t.flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	}
}
END_TEST

START_TEST(test_corrections_are_not_told)
{
	set_clock(5001);
	turn();
	set_clock(5000);
	turn();
	ck_assert_uint_eq(t.jumps, 0);
	ck_assert_int_eq(t.flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("discovery_clock");
	TCase *cases = tcase_create("clock");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 0); /* check's own clock would be ours */
	tcase_add_test(cases, test_jumps_are_told_each_once);
	tcase_add_test(cases, test_corrections_are_not_told);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
