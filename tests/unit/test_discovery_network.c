/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_discovery_network.c: which driver speaks, and when. Both drivers are the test's own, put in
 * place of the library's when this program is linked; so is the time, which passes when told.
 */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "discovery_network.h"
#include "suite.h"

#define TIMEOUTS_MAX 16

struct AvahiTimeout {
	AvahiTimeoutCallback callback;
	void *user;
	int64_t due; /* milliseconds; 0: not set */
	bool used;
};

/* One of the two drivers. */
struct fake {
	const char *name;
	const struct driver_events *events;
	void *user;
	bool running;
	int start_error;
	int publish_error;
	unsigned int asked;
};

static struct {
	struct network *network;
	struct discovery_counts counts;
	AvahiPoll poll;
	AvahiTimeout timeout[TIMEOUTS_MAX];
	int64_t now;
	struct fake client, core;
	struct publication publication;
	char log[2048]; /* what happened, word by word */
	char line[256]; /* the last state */
} t;

static void __attribute__((format(printf, 1, 2))) happened(const char *format, ...)
{
	size_t len = strlen(t.log);
	va_list args;

	va_start(args, format);
	vsnprintf(t.log + len, sizeof(t.log) - len, format, args);
	va_end(args);
}

static void expect(const char *words)
{
	ck_assert_str_eq(t.log, words);
	t.log[0] = '\0';
}

/* ---- time ---- */

static void timeout_update(AvahiTimeout *timeout, const struct timeval *at)
{
	struct timeval wall;

	timeout->due = 0;
	if (!at)
		return;
	gettimeofday(&wall, NULL);
	/* distances are whole tens of milliseconds; what passed since is not */
	timeout->due = t.now + ((at->tv_sec - wall.tv_sec) * 1000 +
				(at->tv_usec - wall.tv_usec + 9999) / 10000 * 10);
}

static AvahiTimeout *timeout_new(const AvahiPoll *api, const struct timeval *at,
				 AvahiTimeoutCallback callback, void *user)
{
	(void)api;
	for (int i = 0; i < TIMEOUTS_MAX; i++) {
		AvahiTimeout *timeout = &t.timeout[i];

		if (timeout->used)
			continue;
		*timeout = (AvahiTimeout){ .callback = callback, .user = user, .used = true };
		timeout_update(timeout, at);
		return timeout;
	}
	ck_abort_msg("too many timeouts");
	return NULL;
}

static void timeout_free(AvahiTimeout *timeout)
{
	timeout->used = false;
	timeout->due = 0;
}

static void pass(int64_t ms)
{
	int64_t end = t.now + ms;

	for (;;) {
		AvahiTimeout *next = NULL;

		for (int i = 0; i < TIMEOUTS_MAX; i++) {
			AvahiTimeout *timeout = &t.timeout[i];

			if (timeout->used && timeout->due && timeout->due <= end &&
			    (!next || timeout->due < next->due))
				next = timeout;
		}
		if (!next)
			break;
		if (next->due > t.now)
			t.now = next->due;
		next->due = 0;
		next->callback(next, next->user);
	}
	t.now = end;
}

/* ---- the drivers ---- */

static int fake_ask(void *driver, struct question *question)
{
	struct fake *fake = driver;

	question->handle = fake;
	fake->asked++;
	return 0;
}

static void fake_forget(void *driver, struct question *question)
{
	ck_assert_ptr_eq(question->handle, driver);
	question->handle = NULL;
}

static int fake_publish(void *driver, struct publication *publication)
{
	struct fake *fake = driver;

	happened("%s:publish ", fake->name);
	publication->handle = fake->publish_error ? NULL : fake;
	return fake->publish_error;
}

static void fake_withdraw(void *driver, struct publication *publication)
{
	struct fake *fake = driver;

	ck_assert_ptr_eq(publication->handle, driver);
	publication->handle = NULL;
	happened("%s:withdraw ", fake->name);
}

static void fake_stop(void *driver)
{
	struct fake *fake = driver;

	ck_assert(fake->running);
	fake->running = false;
	happened("%s:stop ", fake->name);
}

static const struct driver_ops fake_ops = { fake_ask, fake_forget, fake_publish, fake_withdraw,
					    fake_stop };

static int fake_start(struct fake *fake, const struct driver_events *events, void *user,
		      struct driver *driver)
{
	happened("%s:start ", fake->name);
	if (fake->start_error)
		return fake->start_error;
	ck_assert(!fake->running);
	fake->running = true;
	fake->events = events;
	fake->user = user;
	*driver = (struct driver){ &fake_ops, fake };
	return 0;
}

int discovery_client_start(const AvahiPoll *poll, const struct driver_events *events, void *user,
			   struct driver *driver)
{
	(void)poll;
	return fake_start(&t.client, events, user, driver);
}

int discovery_core_start(const AvahiPoll *poll, const char *host, struct discovery_counts *counts,
			 const struct driver_events *events, void *user, struct driver *driver)
{
	(void)poll;
	ck_assert_ptr_eq(counts, &t.counts);
	ck_assert_str_eq(host, "mac.local");
	return fake_start(&t.core, events, user, driver);
}

static void up(struct fake *fake)
{
	fake->events->up(fake->user);
}

static void down(struct fake *fake)
{
	fake->events->down(fake->user, "because");
}

static void absent(struct fake *fake)
{
	fake->events->absent(fake->user, "because");
}

/* ---- what the network tells ---- */

static void on_guest(void *user, const struct txt *txt, const struct sockaddr_in6 *addresses,
		     size_t n)
{
	(void)user;
	(void)txt;
	(void)addresses;
	happened("guest:%zu ", n);
}

static void on_hold(void *user)
{
	(void)user;
	happened("hold ");
}

static void on_settle(void *user)
{
	(void)user;
	happened("settle ");
}

static void on_state(void *user, const char *line)
{
	(void)user;
	snprintf(t.line, sizeof(t.line), "%s", line);
}

static void start(void)
{
	static const struct network_events events = { on_guest, on_hold, on_settle, on_state };

	ck_assert_int_eq(network_start(&t.poll, "mac.local", &t.counts, &events, NULL, &t.network),
			 0);
	network_publish(t.network, &t.publication);
}

static void setup(void)
{
	memset(&t, 0, sizeof(t));
	t.poll.timeout_new = timeout_new;
	t.poll.timeout_update = timeout_update;
	t.poll.timeout_free = timeout_free;
	t.client.name = "client";
	t.core.name = "core";
	t.publication.txt.mac.byte[0] = 0xb2;
	t.publication.txt.port = 6066;
}

static void teardown(void)
{
	network_stop(t.network);
	ck_assert(!t.client.running && !t.core.running);
	for (int i = 0; i < TIMEOUTS_MAX; i++)
		ck_assert(!t.timeout[i].used);
}

START_TEST(test_daemon_that_answers_is_used_alone)
{
	start();
	expect("client:start ");
	up(&t.client);
	expect("client:publish ");
	ck_assert_uint_eq(t.client.asked, 1);
	ck_assert_str_eq(t.line, "discovery by avahi-daemon");
	pass(10000);
	expect("settle ");
	pass(1000000);
	expect("");
}
END_TEST

START_TEST(test_without_bus_we_speak_ourselves)
{
	t.client.start_error = -ENOENT;
	start();
	expect("client:start core:start ");
	up(&t.core);
	expect("core:publish ");
	ck_assert_str_eq(t.line, "discovery by multicast DNS of our own: no avahi-daemon");
}
END_TEST

START_TEST(test_daemon_that_comes_later_takes_over)
{
	start();
	absent(&t.client);
	expect("client:start core:start ");
	absent(&t.client); /* from time to time */
	expect("");
	up(&t.core);
	expect("core:publish ");
	pass(10000);
	expect("settle ");
	up(&t.client);
	/* our goodbye comes first, its announcement is the last word */
	expect("core:stop hold client:publish ");
	ck_assert_ptr_eq(t.publication.handle, &t.client);
	ck_assert_uint_eq(t.client.asked, 1);
	pass(10000);
	expect("settle ");
}
END_TEST

START_TEST(test_daemon_that_is_restarted_is_waited_for)
{
	start();
	up(&t.client);
	pass(10000);
	expect("client:start client:publish settle ");
	down(&t.client);
	expect("hold ");
	ck_assert_ptr_null(t.publication.handle);
	for (int i = 0; i < 5; i++) {
		absent(&t.client);
		pass(10000);
	}
	expect("");
	up(&t.client);
	expect("client:publish ");
	ck_assert_uint_eq(t.client.asked, 2);
	pass(100000);
	expect("settle ");
}
END_TEST

START_TEST(test_daemon_that_stays_away_is_replaced_after_a_minute)
{
	start();
	up(&t.client);
	pass(10000);
	down(&t.client);
	expect("client:start client:publish settle hold ");
	pass(59000);
	expect("");
	pass(2000);
	expect("core:start ");
	up(&t.core);
	expect("core:publish ");
	up(&t.client); /* it is back after all */
	expect("core:stop hold client:publish ");
}
END_TEST

START_TEST(test_what_could_not_be_published_is_tried_again)
{
	start();
	t.client.publish_error = -EAGAIN;
	up(&t.client);
	pass(2000);
	expect("client:start client:publish client:publish ");
	t.client.publish_error = 0;
	pass(1500);
	expect("client:publish ");
	pass(200000);
	expect("settle ");
	ck_assert_ptr_eq(t.publication.handle, &t.client);
}
END_TEST

START_TEST(test_refusal_to_publish_is_said)
{
	start();
	t.client.publish_error = -EPERM;
	up(&t.client);
	ck_assert_msg(strstr(t.line, "does not let users announce"), "%s", t.line);
}
END_TEST

START_TEST(test_collision_is_withdrawn_and_tried_again)
{
	start();
	up(&t.client);
	expect("client:start client:publish ");
	t.client.events->collision(t.client.user, &t.publication);
	expect("");
	pass(2000);
	expect("client:withdraw client:publish ");
}
END_TEST

START_TEST(test_new_host_name_is_published)
{
	start();
	up(&t.client);
	up(&t.client);
	expect("client:start client:publish client:publish ");
	ck_assert_uint_eq(t.client.asked, 1);
}
END_TEST

START_TEST(test_changed_text_is_published_once)
{
	start();
	up(&t.client);
	expect("client:start client:publish ");
	network_publish(t.network, &t.publication);
	expect("client:publish ");
	network_withdraw(t.network, &t.publication);
	network_withdraw(t.network, &t.publication);
	expect("client:withdraw ");
	up(&t.client);
	expect("");
}
END_TEST

START_TEST(test_own_stack_that_begins_anew_is_asked_again)
{
	t.client.start_error = -ELIBACC;
	start();
	up(&t.core);
	expect("client:start core:start core:publish ");
	down(&t.core); /* the clock was set */
	expect("hold ");
	up(&t.core);
	expect("core:publish ");
	ck_assert_uint_eq(t.core.asked, 2);
	pass(10000);
	expect("settle ");
}
END_TEST

START_TEST(test_missing_libraries_are_said)
{
	t.client.start_error = -ELIBACC;
	t.core.start_error = -ELIBACC;
	start();
	ck_assert_str_eq(t.line, "no discovery: libavahi-core is not installed");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("discovery_network");
	TCase *cases = tcase_create("network");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_daemon_that_answers_is_used_alone);
	tcase_add_test(cases, test_without_bus_we_speak_ourselves);
	tcase_add_test(cases, test_daemon_that_comes_later_takes_over);
	tcase_add_test(cases, test_daemon_that_is_restarted_is_waited_for);
	tcase_add_test(cases, test_daemon_that_stays_away_is_replaced_after_a_minute);
	tcase_add_test(cases, test_what_could_not_be_published_is_tried_again);
	tcase_add_test(cases, test_refusal_to_publish_is_said);
	tcase_add_test(cases, test_collision_is_withdrawn_and_tried_again);
	tcase_add_test(cases, test_new_host_name_is_published);
	tcase_add_test(cases, test_changed_text_is_published_once);
	tcase_add_test(cases, test_own_stack_that_begins_anew_is_asked_again);
	tcase_add_test(cases, test_missing_libraries_are_said);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
