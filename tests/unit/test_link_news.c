/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_link_news.c: news of real links: the loopback of a network namespace of our own goes up and
 * down. An ordinary user may be allowed no such namespace: then this is skipped.
 */
#include <check.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "link_news.h"
#include "loop.h"
#include "suite.h"

#define QUIET_MS 200
#define FLAP_MS	 50 /* far below that, far above what a busy machine is late by */

static struct {
	struct loop *loop;
	const AvahiPoll *poll;
	struct link_news *news;
	int fd;
	unsigned int changes; /* made */
	unsigned int most;    /* to be made */
	unsigned int told;    /* of them, at the first news */
	unsigned int times;   /* news came */
	uint32_t first;	      /* when the first change was made, */
	uint32_t changed;     /* and the newest, */
	uint32_t after;	      /* and how long after that one news came */
} t;

static void flip(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };

	ck_assert_int_eq(ioctl(t.fd, SIOCGIFFLAGS, &ifr), 0);
	ifr.ifr_flags ^= IFF_UP;
	ck_assert_int_eq(ioctl(t.fd, SIOCSIFFLAGS, &ifr), 0);
	t.changed = clock_ms();
	if (!t.changes++)
		t.first = t.changed;
}

static void on_news(void *user)
{
	(void)user;
	if (!t.times++)
		t.told = t.changes;
	t.after = clock_ms() - t.changed;
	if (t.changes >= t.most)
		loop_quit(t.loop);
}

static void on_flap(AvahiTimeout *timeout, void *user)
{
	struct timeval at;

	(void)user;
	flip();
	if (t.changes < t.most)
		t.poll->timeout_update(timeout, loop_after(&at, FLAP_MS));
}

static void setup(void)
{
	memset(&t, 0, sizeof(t));
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return;
	t.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(loop_new(&t.loop), 0);
	t.poll = loop_api(t.loop);
	ck_assert_int_eq(link_news_start(t.poll, QUIET_MS, on_news, NULL, &t.news), 0);
}

static void teardown(void)
{
	if (!t.loop)
		return;
	link_news_stop(t.news);
	loop_free(t.loop);
	close(t.fd);
}

/* Makes @n changes, and waits until they are told. */
static void make(unsigned int n)
{
	struct timeval at;

	t.most = n;
	t.poll->timeout_new(t.poll, loop_after(&at, 0), on_flap, NULL);
	ck_assert_int_eq(loop_run(t.loop), 0);
}

START_TEST(test_changes_that_come_close_together_are_told_once)
{
	NEEDS(t.loop, "it takes root, or user namespaces for all");
	make(3);
	ck_assert_uint_ge(t.after, QUIET_MS - 1);
	if (t.changed - t.first < QUIET_MS) /* or the machine stood still in between */
		ck_assert_uint_eq(t.times, 1);
}
END_TEST

START_TEST(test_link_that_never_rests_is_told_of)
{
	NEEDS(t.loop, "it takes root, or user namespaces for all");
	make(40); /* two seconds, were nothing told meanwhile */
	ck_assert_uint_lt(t.told, 40);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link_news");
	TCase *cases = tcase_create("flapping");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, test_changes_that_come_close_together_are_told_once);
	tcase_add_test(cases, test_link_that_never_rests_is_told_of);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
