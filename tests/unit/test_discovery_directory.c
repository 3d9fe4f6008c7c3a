/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_discovery_directory.c: from records, in whatever order and number, to guests. The driver
 * here is an array that notes what is asked; records are handed in by the tests.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "bytes.h"
#include "discovery_directory.h"
#include "discovery_known.h"
#include "loop.h"
#include "suite.h"

#define ASKED_MAX 2048

enum { NIC = 2, IPV4 = 0, IPV6 = 1 };

static struct {
	struct loop *loop;
	struct directory *directory;
	struct discovery_counts counts;
	struct question *asked[ASKED_MAX];
	size_t n;
	unsigned int asks, refuse; /* so many more questions are refused */
	struct txt txt;		   /* the last guest told */
	struct sockaddr_in6 address[KNOWN_ADDRESSES];
	size_t addresses;
	unsigned int told;
	char own[RECORD_INSTANCE_SIZE];
} t;

static int ask(void *user, struct question *question)
{
	(void)user;
	t.asks++;
	if (t.refuse) {
		t.refuse--;
		return -EAGAIN;
	}
	ck_assert_uint_lt(t.n, ASKED_MAX);
	t.asked[t.n++] = question;
	question->handle = &t;
	return 0;
}

static void forget(void *user, struct question *question)
{
	(void)user;
	for (size_t i = 0; i < t.n; i++) {
		if (t.asked[i] == question) {
			t.asked[i] = t.asked[--t.n];
			question->handle = NULL;
			return;
		}
	}
	ck_abort_msg("forgets %s, which is not asked", question->name);
}

static bool is_own(void *user, const char *name)
{
	(void)user;
	return strcasecmp(name, t.own) == 0;
}

static void guest(void *user, const struct txt *txt, const struct sockaddr_in6 *addresses, size_t n)
{
	(void)user;
	t.txt = *txt;
	t.addresses = n;
	t.told++;
	memcpy(t.address, addresses, n * sizeof(*addresses));
}

static void setup(void)
{
	static const struct directory_events events = {
		.driver = { .ask = ask, .forget = forget },
		.is_own = is_own,
		.guest = guest,
	};

	memset(&t, 0, sizeof(t));
	ck_assert_int_eq(loop_new(&t.loop), 0);
	ck_assert_int_eq(directory_new(loop_api(t.loop), &t.counts, &events, &t, &t.directory), 0);
	directory_ask(t.directory);
}

static void teardown(void)
{
	directory_free(t.directory);
	ck_assert_uint_eq(t.n, 0); /* nothing stays asked */
	loop_free(t.loop);
}

static void on_time(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	(void)user;
	loop_quit(t.loop);
}

/* Lets timers run. */
static void pass(unsigned int ms)
{
	const AvahiPoll *poll = loop_api(t.loop);
	struct timeval at;
	AvahiTimeout *timeout = poll->timeout_new(poll, loop_after(&at, ms), on_time, NULL);

	ck_assert_int_eq(loop_run(t.loop), 0);
	poll->timeout_free(timeout);
}

static struct question *asked(enum record_type type, const char *name)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.asked[i]->type == type && strcasecmp(t.asked[i]->name, name) == 0)
			return t.asked[i];
	}
	return NULL;
}

static void hand_in_on(int interface, int protocol, enum record_type type, const char *name,
		       bool present, const void *data, size_t len)
{
	const struct sighting sighting = { interface, protocol, data, len };
	struct question *question = asked(type, name);

	ck_assert_msg(question, "%s (type %d) is not asked", name, type);
	directory_record(t.directory, question, present, &sighting);
}

static void hand_in(const struct record *r, bool present)
{
	hand_in_on(NIC, IPV4, r->type, r->name, present, r->data, r->len);
}

static struct txt guest_txt(unsigned int n)
{
	struct txt txt = { .mac = { { 0xb2, 1, 2, 3, (uint8_t)(n >> 8), (uint8_t)n } },
			   .port = 6066 };

	snprintf(txt.hostname, sizeof(txt.hostname), "host%u", n);
	return txt;
}

static void address(const char *host, const char *text, bool present)
{
	bool six = strchr(text, ':');
	uint8_t bytes[16];

	inet_pton(six ? AF_INET6 : AF_INET, text, bytes);
	hand_in_on(NIC, six ? IPV6 : IPV4, six ? RECORD_AAAA : RECORD_A, host, present, bytes,
		   six ? 16 : 4);
}

/* All records of guest @n, on @host; or, with NULL, only that it is there. */
static void announce(unsigned int n, const char *host)
{
	struct record r[RECORDS_OF_SERVICE];
	struct txt txt = guest_txt(n);

	ck_assert_int_eq(records_of_service(&txt, host ? host : "x.local", r), 0);
	for (int i = 0; i < (host ? RECORDS_OF_SERVICE : 1); i++)
		hand_in(&r[i], true);
	pass(10);
}

START_TEST(test_guest_is_put_together_from_five_records)
{
	announce(1, "desk.local");
	ck_assert_uint_eq(t.addresses, 0); /* nobody knows where */
	address("desk.local", "10.9.0.1", true);
	address("desk.local", "fe80::1", true);
	pass(10);
	ck_assert_uint_eq(t.addresses, 2);
	ck_assert_str_eq(t.txt.hostname, "host1");
	ck_assert_uint_eq(ntohs(t.address[0].sin6_port), 6066);
	ck_assert_uint_eq(t.address[1].sin6_scope_id, NIC);
}
END_TEST

START_TEST(test_burst_of_records_is_told_once)
{
	announce(1, "desk.local");
	t.told = 0;
	address("desk.local", "10.9.0.1", true);
	address("desk.local", "10.9.0.2", true);
	address("desk.local", "fe80::1", true);
	pass(10);
	ck_assert_uint_eq(t.told, 1);
	ck_assert_uint_eq(t.addresses, 3);
}
END_TEST

START_TEST(test_same_address_on_two_protocols_counts_once)
{
	announce(1, "desk.local");
	hand_in_on(NIC, IPV4, RECORD_AAAA, "desk.local", true,
		   "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	hand_in_on(NIC, IPV6, RECORD_AAAA, "desk.local", true,
		   "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	pass(10);
	ck_assert_uint_eq(t.addresses, 1);
	hand_in_on(NIC, IPV4, RECORD_AAAA, "desk.local", false,
		   "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	pass(10);
	ck_assert_uint_eq(t.addresses, 1);
	hand_in_on(NIC, IPV6, RECORD_AAAA, "desk.local", false,
		   "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	pass(10);
	ck_assert_uint_eq(t.addresses, 0);
}
END_TEST

START_TEST(test_instance_seen_twice_goes_with_the_last_sighting)
{
	struct record r[RECORDS_OF_SERVICE];
	struct txt txt = guest_txt(1);

	announce(1, "desk.local");
	address("desk.local", "10.9.0.1", true);
	pass(10);
	ck_assert_int_eq(records_of_service(&txt, "desk.local", r), 0);
	hand_in_on(NIC, IPV6, RECORD_PTR, r[0].name, true, r[0].data, r[0].len);
	hand_in_on(NIC, IPV4, RECORD_PTR, r[0].name, false, r[0].data, r[0].len);
	pass(10);
	ck_assert_uint_eq(t.addresses, 1);
	hand_in_on(NIC, IPV6, RECORD_PTR, r[0].name, false, r[0].data, r[0].len);
	ck_assert_uint_eq(t.addresses, 0);
	ck_assert_ptr_null(asked(RECORD_SRV, r[1].name));
	ck_assert_ptr_null(asked(RECORD_A, "desk.local"));
}
END_TEST

START_TEST(test_changed_txt_is_told_at_once)
{
	struct record r[RECORDS_OF_SERVICE];
	struct txt txt = guest_txt(1);

	announce(1, "desk.local");
	address("desk.local", "10.9.0.1", true);
	pass(10);
	txt.bridged = true;
	txt.attach = ATTACH_PATCH;
	ck_assert_int_eq(records_of_service(&txt, "desk.local", r), 0);
	hand_in(&r[2], true); /* the old one is flushed a second later */
	pass(10);
	ck_assert(t.txt.bridged);
	ck_assert_int_eq(t.txt.attach, ATTACH_PATCH);
	ck_assert_uint_eq(t.addresses, 1);
}
END_TEST

/* Guest 1 is announced twice: by us, and by another implementation, with a name of its own. */
static void announce_twice(uint16_t port, struct record r[RECORDS_OF_SERVICE])
{
	static const char name[] = "Mac\\032on\\032desk." RECORD_SERVICE;
	struct txt txt = guest_txt(1);

	announce(1, "desk.local");
	address("desk.local", "10.9.0.1", true);
	pass(10);
	txt.port = port;
	ck_assert_int_eq(records_of_service(&txt, "other.local", r), 0);
	r[0].len = (size_t)record_name_encode(name, r[0].data);
	hand_in(&r[0], true);
	hand_in_on(NIC, IPV4, RECORD_SRV, name, true, r[1].data, r[1].len);
	hand_in_on(NIC, IPV4, RECORD_TXT, name, true, r[2].data, r[2].len);
	pass(10);
	address("other.local", "10.8.0.1", true);
	pass(10);
}

START_TEST(test_two_instances_of_one_mac_are_one_guest)
{
	struct record r[RECORDS_OF_SERVICE];

	announce_twice(6066, r);
	ck_assert_uint_eq(t.addresses, 2);
	hand_in(&r[0], false);
	ck_assert_uint_eq(t.addresses, 1);
}
END_TEST

/* One of them is from before its restart. A peer at two ports would be asked at the last one only.
 */
START_TEST(test_two_instances_at_two_ports_are_where_the_newer_is)
{
	struct record r[RECORDS_OF_SERVICE];

	announce_twice(6067, r);
	ck_assert_uint_eq(t.addresses, 1);
	ck_assert_uint_eq(t.txt.port, 6067);
	ck_assert_uint_eq(ntohs(t.address[0].sin6_port), 6067);
	hand_in(&r[0], false);
	ck_assert_uint_eq(t.addresses, 1);
	ck_assert_uint_eq(ntohs(t.address[0].sin6_port), 6066);
}
END_TEST

START_TEST(test_guest_that_moves_to_another_host_name_is_never_lost)
{
	struct record r[RECORDS_OF_SERVICE];
	struct txt txt = guest_txt(1);

	announce(1, "old.local");
	address("old.local", "10.9.0.1", true);
	pass(10);
	ck_assert_int_eq(records_of_service(&txt, "new.local", r), 0);
	hand_in(&r[1], true);
	pass(10);
	ck_assert_uint_eq(t.addresses, 1);
	ck_assert_int_eq(records_of_service(&txt, "old.local", r), 0);
	hand_in(&r[1], false);
	pass(10);
	ck_assert_uint_eq(t.addresses, 1);
	address("new.local", "10.9.0.2", true);
	pass(10);
	ck_assert_uint_eq(t.addresses, 1);
	ck_assert_uint_eq(t.address[0].sin6_addr.s6_addr[15], 2);
	ck_assert_ptr_null(asked(RECORD_A, "old.local"));
}
END_TEST

START_TEST(test_guests_on_one_host_share_its_questions)
{
	unsigned int before;

	announce(1, "desk.local");
	before = t.asks;
	announce(2, "DESK.local");
	ck_assert_uint_eq(t.asks, before + 2); /* SRV and TXT */
	address("desk.local", "10.9.0.1", true);
	pass(10);
	ck_assert_uint_eq(t.addresses, 1);
}
END_TEST

START_TEST(test_own_instance_is_not_looked_at)
{
	struct record r[RECORDS_OF_SERVICE];
	struct txt txt = guest_txt(1);
	unsigned int before = t.asks;

	records_instance(&txt.mac, t.own);
	ck_assert_int_eq(records_of_service(&txt, "desk.local", r), 0);
	hand_in(&r[0], true);
	pass(10);
	ck_assert_uint_eq(t.asks, before);
}
END_TEST

START_TEST(test_port_of_txt_goes_before_that_of_srv)
{
	static const char without[] = "\20mac=b20102030001\13version=1.0";
	struct record r[RECORDS_OF_SERVICE];
	struct txt txt = guest_txt(1);

	txt.port = 7000;
	announce(1, "desk.local");
	address("desk.local", "10.9.0.1", true);
	ck_assert_int_eq(records_of_service(&txt, "desk.local", r), 0);
	put_be16(r[1].data + 4, 7777);
	hand_in(&r[2], true);
	hand_in(&r[1], true);
	pass(10);
	ck_assert_uint_eq(ntohs(t.address[0].sin6_port), 7000);
	hand_in_on(NIC, IPV4, RECORD_TXT, r[2].name, true, without, sizeof(without) - 1);
	pass(10);
	ck_assert_uint_eq(ntohs(t.address[0].sin6_port), 7777);
}
END_TEST

START_TEST(test_what_makes_no_sense_is_ignored)
{
	static const char *const names[] = {
		"www.example.com",
		"x._http._tcp.local",
		RECORD_SERVICE,
		"local",
	};
	uint8_t wire[RECORD_WIRE_MAX + 1];
	unsigned int before = t.asks;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int len = record_name_encode(names[i], wire);

		hand_in_on(NIC, IPV4, RECORD_PTR, RECORD_SERVICE, true, wire, (size_t)len);
	}
	hand_in_on(NIC, IPV4, RECORD_PTR, RECORD_SERVICE, true, "\300\14", 2);
	hand_in_on(NIC, IPV4, RECORD_PTR, RECORD_SERVICE, true, "", 0);
	pass(10);
	ck_assert_uint_eq(t.asks, before);
	announce(1, "desk.example.com"); /* a host of another domain is not asked for */
	ck_assert_ptr_null(asked(RECORD_A, "desk.example.com"));
}
END_TEST

START_TEST(test_privileged_port_is_nobodys)
{
	struct record r[RECORDS_OF_SERVICE];
	struct txt txt = guest_txt(1);

	txt.port = 53;
	ck_assert_int_eq(records_of_service(&txt, "desk.local", r), 0);
	for (int i = 0; i < RECORDS_OF_SERVICE; i++)
		hand_in(&r[i], true);
	pass(10);
	address("desk.local", "10.9.0.1", true);
	pass(10);
	ck_assert_uint_eq(t.told, 0);
}
END_TEST

/* A PTR record to instance @n, and nothing else. */
static void forge(unsigned int n)
{
	uint8_t wire[RECORD_WIRE_MAX];
	char name[64];

	snprintf(name, sizeof(name), "forged%u.%s", n, RECORD_SERVICE);
	hand_in_on(NIC, IPV4, RECORD_PTR, RECORD_SERVICE, true, wire,
		   (size_t)record_name_encode(name, wire));
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

START_TEST(test_flood_of_announcements_is_looked_at_slowly)
{
	unsigned int before = t.asks, burst;
	double start = seconds();

	for (unsigned int n = 0; n < 10000; n++)
		forge(n);
	pass(10);
	burst = t.asks;
	ck_assert_uint_ge(burst - before, 2 * DIRECTORY_BURST);
	pass(200);
	ck_assert_uint_gt(t.asks, burst);
	ck_assert_double_le(t.asks - before,
			    2 * (DIRECTORY_BURST + 2 + (seconds() - start) * DIRECTORY_RATE));
	ck_assert_uint_le(t.n, 2 * DIRECTORY_MAX + 1);
	ck_assert_uint_eq(t.counts.no_room, 10000 - DIRECTORY_MAX);
}
END_TEST

START_TEST(test_flood_of_empty_announcements_keeps_nobody_out)
{
	announce(1, "desk.local");
	for (unsigned int n = 0; n < 2 * DIRECTORY_MAX; n++)
		forge(n);
	ck_assert_ptr_nonnull(asked(RECORD_TXT, "Basilisk\\032b20102030001." RECORD_SERVICE));
	address("desk.local", "10.9.0.1", true);
	pass(10);
	ck_assert_uint_eq(t.addresses, 1);
	pass(300); /* until another one is looked at */
	ck_assert_ptr_nonnull(asked(RECORD_TXT, "Basilisk\\032b20102030001." RECORD_SERVICE));
}
END_TEST

START_TEST(test_newcomer_after_a_flood_is_looked_at)
{
	for (unsigned int n = 0; n < 2 * DIRECTORY_MAX; n++)
		forge(n);
	pass(10);
	announce(1, NULL);
	pass(100);
	ck_assert_ptr_nonnull(asked(RECORD_TXT, "Basilisk\\032b20102030001." RECORD_SERVICE));
}
END_TEST

static void flap(AvahiTimeout *timeout, void *user)
{
	struct timeval at;
	bool *present = user;

	*present = !*present;
	address("desk.local", "10.9.0.2", *present);
	loop_api(t.loop)->timeout_update(timeout, loop_after(&at, 1));
}

START_TEST(test_endless_changes_put_off_nothing)
{
	struct timespec start, end;
	bool present = false;
	struct timeval at;
	long ms;

	announce(1, "desk.local");
	t.told = 0;
	clock_gettime(CLOCK_MONOTONIC, &start);
	loop_api(t.loop)->timeout_new(loop_api(t.loop), loop_after(&at, 1), flap, &present);
	address("desk.local", "10.9.0.1", true);
	for (unsigned int n = 0; n < 1000 && t.told <= 10; n++)
		pass(10);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ck_assert_uint_gt(t.told, 10);
	/* nor are they all told: one in GATHER_MS at most */
	ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
	ck_assert_int_le(t.told, ms / 5 + 2);
}
END_TEST

START_TEST(test_sightings_are_bounded)
{
	const struct question *question;
	size_t n = 0;

	announce(1, "desk.local");
	for (unsigned int i = 1; i < 255; i++) {
		char text[16];

		snprintf(text, sizeof(text), "10.9.0.%u", i);
		address("desk.local", text, true);
	}
	question = asked(RECORD_A, "desk.local");
	ck_assert_ptr_nonnull(question);
	for (const struct seen *s = question->seen; s; s = s->next)
		n++;
	ck_assert_uint_ge(n, KNOWN_ADDRESSES);
	ck_assert_uint_le(n, 64);
}
END_TEST

/* 31 long ones for each guest, on as many interfaces. */
static void hand_in_texts(bool present)
{
	uint8_t data[1200] = { 0 };

	for (int i = 1; i < 32; i++) {
		data[0] = (uint8_t)i;
		for (size_t k = 0; k < t.n; k++)
			if (t.asked[k]->type == RECORD_TXT)
				hand_in_on(NIC + i, IPV4, RECORD_TXT, t.asked[k]->name, present,
					   data, sizeof(data));
	}
}

static size_t bytes_seen(void)
{
	size_t bytes = 0;

	for (size_t k = 0; k < t.n; k++)
		for (const struct seen *s = t.asked[k]->seen; s; s = s->next)
			bytes += sizeof(*s) + s->len;
	return bytes;
}

/* Each of many guests says many long things, on many interfaces; then they all leave again. */
START_TEST(test_sightings_are_bounded_in_bytes)
{
	for (unsigned int n = 0; n < 100; n++)
		announce(n, "desk.local");
	for (int i = 0; i < 2; i++) { /* there is room again when they have gone */
		hand_in_texts(true);
		ck_assert_uint_le(bytes_seen(), QUESTION_BYTES);
		ck_assert_uint_ge(bytes_seen(), QUESTION_BYTES / 2);
		hand_in_texts(false);
		ck_assert_uint_le(bytes_seen(), QUESTION_BYTES / 10);
	}
	announce(200, "late.local");
	address("late.local", "10.9.0.7", true);
	pass(50);
	ck_assert_uint_eq(t.txt.mac.byte[5], 200);
	ck_assert_uint_eq(t.addresses, 1);
}
END_TEST

START_TEST(test_refused_question_is_asked_again)
{
	static const char name[] = "forged1." RECORD_SERVICE;

	t.refuse = 1;
	forge(1);
	pass(10);
	ck_assert_ptr_null(asked(RECORD_SRV, name));
	ck_assert_ptr_null(asked(RECORD_TXT, name)); /* nor anything else, for now */
	pass(1100);
	ck_assert_ptr_nonnull(asked(RECORD_SRV, name));
	ck_assert_ptr_nonnull(asked(RECORD_TXT, name));
}
END_TEST

START_TEST(test_questions_are_asked_again_of_a_new_driver)
{
	announce(1, "desk.local");
	address("desk.local", "10.9.0.1", true);
	pass(10);
	t.told = 0;
	t.n = 0; /* the driver went, with all it had */
	directory_clear(t.directory);
	pass(20);
	ck_assert_uint_eq(t.told, 0);
	directory_ask(t.directory);
	ck_assert_uint_eq(t.n, 1);
	announce(1, "desk.local");
	address("desk.local", "10.9.0.1", true);
	pass(10);
	ck_assert_uint_eq(t.addresses, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("discovery_directory");
	TCase *cases = tcase_create("directory");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_guest_is_put_together_from_five_records);
	tcase_add_test(cases, test_burst_of_records_is_told_once);
	tcase_add_test(cases, test_same_address_on_two_protocols_counts_once);
	tcase_add_test(cases, test_instance_seen_twice_goes_with_the_last_sighting);
	tcase_add_test(cases, test_changed_txt_is_told_at_once);
	tcase_add_test(cases, test_two_instances_of_one_mac_are_one_guest);
	tcase_add_test(cases, test_two_instances_at_two_ports_are_where_the_newer_is);
	tcase_add_test(cases, test_guest_that_moves_to_another_host_name_is_never_lost);
	tcase_add_test(cases, test_guests_on_one_host_share_its_questions);
	tcase_add_test(cases, test_own_instance_is_not_looked_at);
	tcase_add_test(cases, test_port_of_txt_goes_before_that_of_srv);
	tcase_add_test(cases, test_what_makes_no_sense_is_ignored);
	tcase_add_test(cases, test_privileged_port_is_nobodys);
	tcase_add_test(cases, test_flood_of_announcements_is_looked_at_slowly);
	tcase_add_test(cases, test_flood_of_empty_announcements_keeps_nobody_out);
	tcase_add_test(cases, test_newcomer_after_a_flood_is_looked_at);
	tcase_add_test(cases, test_endless_changes_put_off_nothing);
	tcase_add_test(cases, test_sightings_are_bounded);
	tcase_add_test(cases, test_sightings_are_bounded_in_bytes);
	tcase_add_test(cases, test_refused_question_is_asked_again);
	tcase_add_test(cases, test_questions_are_asked_again_of_a_new_driver);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
