/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_listener.c: who connects while this process has no descriptor left.
 */
#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "listener.h"
#include "loop.h"
#include "suite.h"

static struct {
	struct loop *loop;
	AvahiPoll poll; /* the loop's, but for: */
	AvahiWatchCallback callback;
	unsigned int looks; /* at the socket */
	unsigned int taken;
} t;

static void on_look(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	t.looks++;
	t.callback(watch, fd, event, user);
}

static AvahiWatch *watch_new(const AvahiPoll *api, int fd, AvahiWatchEvent events,
			     AvahiWatchCallback callback, void *user)
{
	t.callback = callback;
	return loop_api(t.loop)->watch_new(api, fd, events, on_look, user);
}

static void on_taken(void *user, int fd)
{
	(void)user;
	t.taken++;
	close(fd);
	loop_quit(t.loop);
}

static void on_time(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	(void)user;
	loop_quit(t.loop);
}

static void run_for(unsigned int ms)
{
	struct timeval at;
	AvahiTimeout *timeout = t.poll.timeout_new(&t.poll, loop_after(&at, ms), on_time, NULL);

	ck_assert_ptr_nonnull(timeout);
	ck_assert_int_eq(loop_run(t.loop), 0);
	t.poll.timeout_free(timeout);
}

START_TEST(test_process_without_descriptors_waits_until_it_has_one)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct rlimit limit, few;
	struct listener *listener;
	socklen_t size;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	uint32_t begin;

	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(name.sun_path + 1, 40, "basilisk-tap/test/%d",
					    getpid()));
	ck_assert_int_eq(loop_new(&t.loop), 0);
	t.poll = *loop_api(t.loop);
	t.poll.watch_new = watch_new;
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&name, size), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(listener_start(&t.poll, fd, on_taken, NULL, &listener), 0);
	ck_assert_int_eq(connect(client, (const struct sockaddr *)&name, size), 0);

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	begin = clock_ms();
	run_for(LISTENER_PAUSE_MS / 2);
	/* and so often again, if this machine was busy for that long */
	ck_assert_uint_le(t.looks, 1 + (clock_ms() - begin) / LISTENER_PAUSE_MS);
	ck_assert_uint_ge(t.looks, 1);
	ck_assert_uint_eq(t.taken, 0);

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	run_for(60000);
	ck_assert_uint_eq(t.taken, 1);
	listener_stop(listener);
	loop_free(t.loop);
	close(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tests = tcase_create("listener");

	tcase_add_test(tests, test_process_without_descriptors_waits_until_it_has_one);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
