/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_loop.c: the event loop that everything on the control thread waits in.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "suite.h"

struct run {
	struct loop *loop;
	const AvahiPoll *api;
	int fd[2];
	AvahiWatch *watch, *other;
	AvahiTimeout *timeout, *more;
	int calls;
	int events;
	char order[16];
};

static struct run run;

static void setup(void)
{
	run = (struct run){ 0 };
	ck_assert_int_eq(loop_new(&run.loop), 0);
	run.api = loop_api(run.loop);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, run.fd), 0);
}

static void teardown(void)
{
	loop_free(run.loop);
	close(run.fd[0]);
	close(run.fd[1]);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct timeval in_ms(unsigned int ms)
{
	struct timeval at;

	return *loop_after(&at, ms);
}

static void quit_later(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	(void)user;
	loop_quit(run.loop);
}

static void limit(unsigned int ms)
{
	struct timeval at = in_ms(ms);

	ck_assert_ptr_nonnull(run.api->timeout_new(run.api, &at, quit_later, NULL));
}

static void on_readable(AvahiWatch *watch, int fd, AvahiWatchEvent events, void *user)
{
	char byte;

	ck_assert_ptr_eq(watch, run.watch);
	ck_assert_int_eq(events, run.api->watch_get_events(watch));
	ck_assert_int_eq(read(fd, &byte, 1), 1);
	*(int *)user += 1;
	loop_quit(run.loop);
}

START_TEST(test_watch_is_called_when_readable)
{
	run.watch = run.api->watch_new(run.api, run.fd[0], AVAHI_WATCH_IN, on_readable, &run.calls);
	ck_assert_int_eq(write(run.fd[1], "x", 1), 1);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_int_eq(run.calls, 1);
}
END_TEST

START_TEST(test_watch_sets_close_on_exec)
{
	ck_assert_int_eq(fcntl(run.fd[0], F_GETFD), 0);
	run.api->watch_new(run.api, run.fd[0], AVAHI_WATCH_IN, on_readable, &run.calls);
	ck_assert_int_eq(fcntl(run.fd[0], F_GETFD), FD_CLOEXEC);
}
END_TEST

static void free_both(AvahiWatch *watch, int fd, AvahiWatchEvent events, void *user)
{
	(void)watch;
	(void)fd;
	(void)events;
	(void)user;
	run.calls++;
	run.api->watch_free(run.watch);
	run.api->watch_free(run.other);
}

START_TEST(test_freed_watch_is_never_called)
{
	run.watch = run.api->watch_new(run.api, run.fd[0], AVAHI_WATCH_IN, free_both, NULL);
	run.other = run.api->watch_new(run.api, run.fd[0], AVAHI_WATCH_IN, free_both, NULL);
	limit(50);
	ck_assert_int_eq(write(run.fd[1], "x", 1), 1);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_int_eq(run.calls, 1);
}
END_TEST

static void count(AvahiWatch *watch, int fd, AvahiWatchEvent events, void *user)
{
	(void)watch;
	(void)fd;
	(void)user;
	run.calls++;
	run.events = events;
}

START_TEST(test_closed_descriptor_is_reported_once)
{
	int fd = dup(run.fd[0]);

	run.watch = run.api->watch_new(run.api, fd, AVAHI_WATCH_IN, count, NULL);
	close(fd);
	limit(50);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_int_eq(run.calls, 1);
	ck_assert_int_eq(run.events, AVAHI_WATCH_ERR);
	run.api->watch_update(run.watch, AVAHI_WATCH_IN);
	limit(50);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_int_eq(run.calls, 2);
}
END_TEST

static void note(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	run.order[run.calls++] = *(const char *)user;
}

START_TEST(test_timeouts_fire_in_the_order_of_their_times)
{
	struct timeval late = in_ms(30), soon = in_ms(10), past = { 1, 0 };

	run.api->timeout_new(run.api, &late, note, "d");
	run.api->timeout_new(run.api, &soon, note, "c");
	run.api->timeout_new(run.api, &past, note, "a");
	run.api->timeout_new(run.api, &past, note, "b");
	run.api->timeout_new(run.api, NULL, note, "never");
	limit(60);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_str_eq(run.order, "abcd");
}
END_TEST

START_TEST(test_timeout_is_neither_early_nor_far_too_late)
{
	double start = seconds();

	limit(40);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_double_ge(seconds() - start, 0.0395);
	ck_assert_double_lt(seconds() - start, 10.0);
}
END_TEST

static void again(AvahiTimeout *timeout, void *user)
{
	struct timeval now = in_ms(0);

	(void)user;
	run.calls++;
	run.api->timeout_update(timeout, &now);
}

START_TEST(test_timeout_that_rearms_itself_starves_nobody)
{
	struct timeval now = in_ms(0);
	int read_calls = 0;

	run.api->timeout_new(run.api, &now, again, NULL);
	run.watch =
		run.api->watch_new(run.api, run.fd[0], AVAHI_WATCH_IN, on_readable, &read_calls);
	ck_assert_int_eq(write(run.fd[1], "x", 1), 1);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_int_eq(read_calls, 1);
}
END_TEST

static void free_more(AvahiTimeout *timeout, void *user)
{
	(void)user;
	run.calls++;
	run.api->timeout_free(timeout);
	run.api->timeout_free(run.more);
}

START_TEST(test_freed_timeout_is_never_called)
{
	struct timeval now = in_ms(0);

	run.timeout = run.api->timeout_new(run.api, &now, free_more, NULL);
	run.more = run.api->timeout_new(run.api, &now, free_more, NULL);
	limit(30);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_int_eq(run.calls, 1);
}
END_TEST

static void *quit_from_thread(void *user)
{
	const struct timespec a_moment = { 0, 20000000 };

	(void)user;
	nanosleep(&a_moment, NULL);
	loop_quit(run.loop);
	return NULL;
}

START_TEST(test_quit_from_another_thread_ends_the_waiting)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, quit_from_thread, NULL), 0);
	ck_assert_int_eq(loop_run(run.loop), 0);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(test_quit_before_run_counts_once)
{
	double start = seconds();

	loop_quit(run.loop);
	ck_assert_int_eq(loop_run(run.loop), 0);
	limit(30);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_double_ge(seconds() - start, 0.029);
}
END_TEST

static void nothing(int signal)
{
	(void)signal;
}

START_TEST(test_signals_do_not_end_the_waiting)
{
	const struct sigaction action = { .sa_handler = nothing };
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	const struct itimerspec often = { { 0, 5000000 }, { 0, 5000000 } };
	double start = seconds();

	sigaction(SIGUSR1, &action, NULL);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	ck_assert_int_eq(timer_settime(timer, 0, &often, NULL), 0);
	limit(50);
	ck_assert_int_eq(loop_run(run.loop), 0);
	ck_assert_double_ge(seconds() - start, 0.0495);
	timer_delete(timer);
}
END_TEST

START_TEST(test_child_is_freed_of_what_is_watched)
{
	int other = dup(run.fd[0]), status;
	pid_t pid;

	run.watch = run.api->watch_new(run.api, run.fd[0], AVAHI_WATCH_IN, count, NULL);
	run.api->watch_new(run.api, run.fd[0], AVAHI_WATCH_OUT, count, NULL);
	run.api->watch_new(run.api, run.fd[1], AVAHI_WATCH_IN, count, NULL);
	run.other = run.api->watch_new(run.api, other, AVAHI_WATCH_IN, count, NULL);
	run.api->watch_free(run.watch);
	run.api->watch_free(run.other);
	pid = fork();
	if (pid == 0) {
		loop_close_in_child(run.loop);
		_exit((fcntl(run.fd[0], F_GETFD) >= 0) | (fcntl(run.fd[1], F_GETFD) >= 0) << 1 |
		      (fcntl(other, F_GETFD) < 0) << 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_ge(fcntl(run.fd[0], F_GETFD), 0);
	close(other);
}
END_TEST

START_TEST(test_loop_does_not_spin)
{
	struct timespec before, after;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	run.api->watch_new(run.api, run.fd[0], AVAHI_WATCH_IN, count, NULL);
	limit(200);
	ck_assert_int_eq(loop_run(run.loop), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	ck_assert_int_eq(run.calls, 0);
	ck_assert_int_lt((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
				 before.tv_nsec,
			 20000000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *cases = tcase_create("loop");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_watch_is_called_when_readable);
	tcase_add_test(cases, test_watch_sets_close_on_exec);
	tcase_add_test(cases, test_freed_watch_is_never_called);
	tcase_add_test(cases, test_closed_descriptor_is_reported_once);
	tcase_add_test(cases, test_timeouts_fire_in_the_order_of_their_times);
	tcase_add_test(cases, test_timeout_is_neither_early_nor_far_too_late);
	tcase_add_test(cases, test_timeout_that_rearms_itself_starves_nobody);
	tcase_add_test(cases, test_freed_timeout_is_never_called);
	tcase_add_test(cases, test_quit_from_another_thread_ends_the_waiting);
	tcase_add_test(cases, test_quit_before_run_counts_once);
	tcase_add_test(cases, test_signals_do_not_end_the_waiting);
	tcase_add_test(cases, test_child_is_freed_of_what_is_watched);
	tcase_add_test(cases, test_loop_does_not_spin);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
