/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_wait.c: waiting for several descriptors, of which some come later. Pipes stand in for them.
 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"
#include "wait.h"

static struct wait w;
static int tunnel[2], later[2];

static void start(void)
{
	w = (struct wait){ .set = -1 };
	ck_assert_int_eq(pipe(tunnel), 0);
	ck_assert_int_eq(pipe(later), 0);
	ck_assert_int_eq(wait_open(&w), 0);
	ck_assert_int_eq(wait_add(&w, SOURCE_TUNNEL, tunnel[0]), 0);
}

static void end(void)
{
	wait_close(&w);
	for (int i = 0; i < 2; i++) {
		close(tunnel[i]);
		close(later[i]);
	}
}

static void put(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

static void take(int fd)
{
	char byte;

	ck_assert_int_eq(read(fd, &byte, 1), 1);
}

static bool set_is_readable(void)
{
	struct pollfd p = { .fd = w.set, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static void *wait_long(void *result)
{
	*(int *)result = wait_for(&w, 20000);
	return NULL;
}

/* Returns once the thread waits for what there is now, or is about to. */
static pthread_t waiter(int *result)
{
	int before = w.waiting[0] + w.waiting[1];
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, wait_long, result), 0);
	while (w.waiting[0] + w.waiting[1] == before)
		usleep(1000);
	return thread;
}

START_TEST(test_wait_sees_each_source_and_the_time)
{
	ck_assert_int_eq(wait_for(&w, 0), 0);
	ck_assert_int_eq(wait_for(&w, 20), 0);
	ck_assert_int_eq(wait_add(&w, SOURCE_TAP, later[0]), 0);
	put(later[1]);
	ck_assert_int_eq(wait_for(&w, -1), 1);
	wait_remove(&w, SOURCE_TAP);
	ck_assert_int_eq(wait_for(&w, 0), 0);
	put(tunnel[1]);
	ck_assert_int_eq(wait_for(&w, -1), 1);
}
END_TEST

START_TEST(test_wait_set_has_what_there_is_once_it_is_asked_for)
{
	put(tunnel[1]);
	ck_assert(!set_is_readable());
	ck_assert_int_eq(wait_use_set(&w), 0);
	ck_assert(set_is_readable());
	take(tunnel[0]);
	ck_assert(!set_is_readable());
	ck_assert_int_eq(wait_add(&w, SOURCE_FAST, later[0]), 0);
	put(later[1]);
	ck_assert(set_is_readable());
	wait_remove(&w, SOURCE_FAST);
	ck_assert(!set_is_readable());
	ck_assert_int_eq(wait_use_set(&w), 0);
	/* and for the sources it is waited as ever */
	put(tunnel[1]);
	ck_assert_int_eq(wait_for(&w, -1), 1);
}
END_TEST

START_TEST(test_wait_round_is_over_when_all_have_come_round)
{
	int first, second;
	pthread_t one = waiter(&first), two;

	ck_assert_int_eq(wait_add(&w, SOURCE_FAST, later[0]), 0);
	ck_assert(wait_begin_round(&w));
	ck_assert(!wait_all_see(&w));
	two = waiter(&second); /* it sees the new one */
	ck_assert(!wait_all_see(&w));
	ck_assert(!wait_begin_round(&w));
	put(later[1]);
	pthread_join(two, NULL);
	ck_assert_int_eq(second, 1);
	ck_assert(!wait_all_see(&w));
	put(tunnel[1]);
	pthread_join(one, NULL);
	ck_assert_int_eq(first, 1);
	ck_assert(wait_all_see(&w));
	ck_assert(wait_begin_round(&w));
}
END_TEST

START_TEST(test_wait_by_set_sees_what_comes_later)
{
	pthread_t thread;
	int result;

	wait_by_set(&w);
	thread = waiter(&result);
	ck_assert_int_eq(wait_add(&w, SOURCE_TAP, later[0]), 0);
	put(later[1]);
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, 1);
}
END_TEST

START_TEST(test_wait_counts_no_cancelled_thread)
{
	pthread_t thread;
	int result;

	for (int i = 0; i < 50; i++) {
		thread = waiter(&result);
		ck_assert_int_eq(pthread_cancel(thread), 0);
		pthread_join(thread, NULL);
		ck_assert_int_eq(w.waiting[0] + w.waiting[1], 0);
		ck_assert(wait_begin_round(&w));
	}
}
END_TEST

/* A real socket of the tunnel's kind: what wakes it is the kernel's. */
static void check_end(bool by_set)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	pthread_t thread;

	if (fd < 0) {
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		any.sin6_family = AF_INET;
	}
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	wait_remove(&w, SOURCE_TUNNEL);
	ck_assert_int_eq(wait_add(&w, SOURCE_TUNNEL, fd), 0);
	if (by_set)
		wait_by_set(&w);
	thread = waiter(&result);
	usleep(5000); /* either way it is to end */
	ck_assert(wait_end(&w, fd));
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, 1);
	close(fd);
}

START_TEST(test_wait_ends_for_all)
{
	ck_assert(wait_end(&w, tunnel[0]));
	check_end(false);
	check_end(true);
}
END_TEST

START_TEST(test_wait_end_says_who_stays)
{
	int result;
	pthread_t thread = waiter(&result);

	ck_assert(!wait_end(&w, tunnel[0])); /* no socket, and so it does not wake anybody */
	put(tunnel[1]);
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wait");
	TCase *t = tcase_create("wait");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, start, end);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, test_wait_sees_each_source_and_the_time);
	tcase_add_test(t, test_wait_set_has_what_there_is_once_it_is_asked_for);
	tcase_add_test(t, test_wait_round_is_over_when_all_have_come_round);
	tcase_add_test(t, test_wait_by_set_sees_what_comes_later);
	tcase_add_test(t, test_wait_counts_no_cancelled_thread);
	tcase_add_test(t, test_wait_ends_for_all);
	tcase_add_test(t, test_wait_end_says_who_stays);
	return run_suite(s);
}
