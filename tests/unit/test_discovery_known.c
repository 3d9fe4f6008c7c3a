/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_discovery_known.c: nothing is told twice, and nobody is lost who is only asked about anew.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "discovery_known.h"
#include "suite.h"

static struct known *known;
static char told[4096]; /* "+1@5 " for guest 1 found at address 5, "-1 " for lost */

static void on_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	char *end = (char *)user + strlen(user);

	sprintf(end, "+%u@%u ", txt->mac.byte[5], address->sin6_addr.s6_addr[15]);
}

static void on_lost(void *user, const struct mac *mac)
{
	char *end = (char *)user + strlen(user);

	sprintf(end, "-%u ", mac->byte[5]);
}

static const struct discovery_events events = { .found = on_found, .lost = on_lost };

static void setup(void)
{
	told[0] = '\0';
	ck_assert_int_eq(known_new(&events, told, &known), 0);
}

static void teardown(void)
{
	known_free(known);
}

static struct txt guest(unsigned int n)
{
	return (struct txt){ .mac = { { 0xb2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n } },
			     .port = 6066 };
}

static struct sockaddr_in6 at(unsigned int n)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(6066) };

	address.sin6_addr.s6_addr[15] = (uint8_t)n;
	return address;
}

static void set(unsigned int n, unsigned int first, unsigned int count)
{
	struct sockaddr_in6 addresses[20] = { 0 };
	struct txt txt = guest(n);

	for (unsigned int i = 0; i < count; i++)
		addresses[i] = at(first + i);
	known_set(known, &txt, addresses, count);
}

/* What was told since the last time. */
static void expect(const char *text)
{
	ck_assert_str_eq(told, text);
	told[0] = '\0';
}

START_TEST(test_new_addresses_are_told_once)
{
	set(1, 5, 2);
	expect("+1@5 +1@6 ");
	set(1, 5, 2);
	expect("");
	set(1, 5, 3);
	expect("+1@7 ");
	set(1, 6, 1); /* fewer: no news */
	expect("");
	set(1, 5, 1);
	expect("+1@5 ");
}
END_TEST

START_TEST(test_address_is_another_one_on_another_link_or_port)
{
	struct sockaddr_in6 address = at(5);
	struct txt txt = guest(1);

	known_set(known, &txt, &address, 1);
	expect("+1@5 ");
	address.sin6_scope_id = 7;
	known_set(known, &txt, &address, 1);
	expect("+1@5 ");
	address.sin6_port = htons(7000);
	known_set(known, &txt, &address, 1);
	expect("+1@5 ");
	known_set(known, &txt, &address, 1);
	expect("");
}
END_TEST

START_TEST(test_changed_text_is_told_for_all_addresses)
{
	struct sockaddr_in6 addresses[2] = { at(5), at(6) };
	struct txt txt = guest(1);

	set(1, 5, 2);
	expect("+1@5 +1@6 ");
	txt.bridged = true;
	known_set(known, &txt, addresses, 2);
	expect("+1@5 +1@6 ");
	strcpy(txt.hostname, "desk");
	known_set(known, &txt, addresses, 2);
	expect("+1@5 +1@6 ");
	known_set(known, &txt, addresses, 2);
	expect("");
}
END_TEST

START_TEST(test_guest_without_address_is_lost_once)
{
	set(1, 0, 0);
	expect("");
	set(1, 5, 1);
	set(1, 0, 0);
	set(1, 0, 0);
	expect("+1@5 -1 ");
	known_replay(known, &events, told);
	expect("");
}
END_TEST

START_TEST(test_held_guest_that_comes_back_is_not_news)
{
	set(1, 5, 2);
	set(2, 5, 1);
	expect("+1@5 +1@6 +2@5 ");
	known_hold(known);
	set(1, 0, 0); /* its text is there, its address not yet */
	set(1, 5, 2);
	expect("");
	known_settle(known);
	expect("-2 ");
	known_settle(known);
	expect("");
}
END_TEST

START_TEST(test_held_guest_that_has_gone_is_lost_if_it_had_come_back)
{
	set(1, 5, 1);
	known_hold(known);
	set(1, 5, 1);
	set(1, 0, 0);
	expect("+1@5 -1 ");
}
END_TEST

START_TEST(test_addresses_added_one_by_one)
{
	struct sockaddr_in6 five = at(5), six = at(6);
	struct txt txt = guest(1);

	known_add(known, &txt, &five);
	known_add(known, &txt, &six);
	known_add(known, &txt, &five);
	expect("+1@5 +1@6 ");
	known_replay(known, &events, told);
	expect("+1@5 +1@6 ");
	txt.port = 7000;
	known_add(known, &txt, &five);
	expect("+1@5 ");
	known_remove(known, &txt.mac);
	known_remove(known, &txt.mac);
	expect("-1 ");
}
END_TEST

START_TEST(test_replay_tells_all_and_changes_nothing)
{
	char replayed[256] = "";

	set(1, 5, 2);
	set(2, 7, 1);
	told[0] = '\0';
	known_replay(known, &events, replayed);
	ck_assert_str_eq(replayed, "+1@5 +1@6 +2@7 ");
	expect("");
}
END_TEST

START_TEST(test_guests_and_addresses_are_bounded)
{
	set(1, 5, 20);
	expect("+1@5 +1@6 +1@7 +1@8 +1@9 +1@10 +1@11 +1@12 ");
	for (unsigned int n = 2; n <= KNOWN_MAX; n++) {
		set(n, 5, 1);
		told[0] = '\0';
	}
	set(KNOWN_MAX + 1, 5, 1);
	expect("");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("discovery_known");
	TCase *cases = tcase_create("known");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_new_addresses_are_told_once);
	tcase_add_test(cases, test_address_is_another_one_on_another_link_or_port);
	tcase_add_test(cases, test_changed_text_is_told_for_all_addresses);
	tcase_add_test(cases, test_guest_without_address_is_lost_once);
	tcase_add_test(cases, test_held_guest_that_comes_back_is_not_news);
	tcase_add_test(cases, test_held_guest_that_has_gone_is_lost_if_it_had_come_back);
	tcase_add_test(cases, test_addresses_added_one_by_one);
	tcase_add_test(cases, test_replay_tells_all_and_changes_nothing);
	tcase_add_test(cases, test_guests_and_addresses_are_bounded);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
