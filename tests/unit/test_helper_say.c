/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_helper_say.c: what the helper says to a log that is full, or gone, and how it starts where a
 * kernel lets a program be started with no argument at all, not even its name.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "early.h"
#include "proto_test.h"
#include "say.h"

static int ends[2];
static bool drains; /* somebody reads the log while we wait for it */
static unsigned int waits;
static size_t length; /* of the line that was read last, with whatever came behind its end */

static size_t read_all(char *last, size_t size)
{
	ssize_t len;
	size_t count = 0;

	while ((len = recv(ends[1], last, size - 1, MSG_DONTWAIT | MSG_TRUNC)) >= 0) {
		length = (size_t)len;
		last[length < size ? length : size - 1] = '\0';
		count++;
	}
	ck_assert_int_eq(errno, EAGAIN);
	return count;
}

/* In the place of libc's: the moment in which the helper waits. */
int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *patience, const sigset_t *mask)
{
	struct timespec copy = *patience;
	char last[600];

	waits++;
	if (drains)
		ck_assert_uint_gt(read_all(last, sizeof(last)), 0);
	return (int)syscall(SYS_ppoll, fds, count, &copy, mask, 8);
}

static size_t fill_log(void)
{
	size_t count = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	while (send(ends[0], "x", 1, MSG_DONTWAIT) == 1)
		count++;
	ck_assert_int_eq(errno, EAGAIN);
	return count;
}

START_TEST(test_full_log_is_waited_for_and_told_then)
{
	char last[600];

	fill_log();
	drains = true;
	say_log(ends[0], "result=%s", "ok");
	ck_assert_uint_eq(waits, 1);
	ck_assert_uint_eq(read_all(last, sizeof(last)), 1);
	ck_assert_str_eq(last, "<86>basilisk-tap-helper: result=ok");
}
END_TEST

START_TEST(test_log_that_nobody_reads_is_given_up)
{
	const size_t filled = fill_log();
	char last[600];

	say_log(ends[0], "result=%s", "ok");
	ck_assert_uint_eq(waits, 1);
	ck_assert_uint_eq(read_all(last, sizeof(last)), filled);
	ck_assert_str_eq(last, "x");
}
END_TEST

START_TEST(test_log_that_is_gone_is_not_waited_for)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	close(ends[1]);
	say_log(ends[0], "result=%s", "ok");
	say_log(-ENOENT, "result=%s", "ok");
	ck_assert_uint_eq(waits, 0);
}
END_TEST

START_TEST(test_line_that_is_too_long_is_cut)
{
	char longer[800], last[600];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	say_log(ends[0], "%s", longer);
	ck_assert_uint_eq(read_all(last, sizeof(last)), 1);
	ck_assert_uint_eq(length, 511);
	ck_assert_uint_eq(strlen(last), 511);
	ck_assert_int_eq(strncmp(last, "<86>basilisk-tap-helper: xxx", 28), 0);
	/* and on stderr it still ends as a line does */
	ck_assert_int_eq(dup2(ends[0], STDERR_FILENO), STDERR_FILENO);
	say_line("%s", longer);
	ck_assert_uint_eq(read_all(last, sizeof(last)), 1);
	ck_assert_uint_eq(length, 512);
	ck_assert_int_eq(strncmp(last, "basilisk-tap-helper: xxx", 24), 0);
	ck_assert_str_eq(last + 510, "x\n");
}
END_TEST

START_TEST(test_start_without_any_argument_is_not_trusted)
{
	struct outcome outcome = { .code = OUTCOME_OK };
	struct itimerval left;
	sigset_t blocked;

	ck_assert_int_eq(early_distrust(0, &outcome), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_HOSTILE_START);
	ck_assert_str_eq(outcome.what, "argc is 0");
	/* and all the same it cannot be stopped, nor go on for ever */
	ck_assert_int_eq(sigprocmask(SIG_SETMASK, NULL, &blocked), 0);
	ck_assert(sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGALRM) == 0);
	ck_assert_int_eq(getitimer(ITIMER_REAL, &left), 0);
	ck_assert(left.it_value.tv_sec >= 1 && left.it_value.tv_sec <= 5);
	early_live_for(0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_full_log_is_waited_for_and_told_then,
		test_log_that_nobody_reads_is_given_up,
		test_log_that_is_gone_is_not_waited_for,
		test_line_that_is_too_long_is_cut,
		test_start_without_any_argument_is_not_trusted,
	};

	return run_tests("helper/say", tests, COUNT(tests));
}
