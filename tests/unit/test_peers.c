/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_peers.c: the table of peers, and IP addresses in 16 bytes.
 */
#include <arpa/inet.h>
#include <check.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bytes.h"
#include "peers.h"
#include "suite.h"

static struct peers peers;

static void setup(void)
{
	ck_assert_int_eq(peers_init(&peers, 0x123456789abcdef1), 0);
}

static void teardown(void)
{
	peers_free(&peers);
}

static struct mac mac_number(uint32_t n)
{
	struct mac mac = { { 0xb2 } };

	put_be32(mac.byte + 2, n);
	return mac;
}

static struct address address_number(uint32_t n)
{
	struct address a = { { [10] = 0xff, [11] = 0xff } };

	put_be32(a.byte + 12, n);
	return a;
}

static struct peer *add_proven(uint32_t n, uint32_t now)
{
	struct mac mac = mac_number(n);
	struct address a = address_number(0x0a000000 + n);
	struct peer *peer = peers_add(&peers, &mac, now);

	if (peer) {
		peer->port = 6066;
		peer_confirm(&peers, peer, peer_address_add(peer, &a));
	}
	return peer;
}

START_TEST(test_what_was_added_is_found_until_removed)
{
	struct mac mac;

	for (uint32_t n = 0; n < 3000; n++)
		ck_assert_ptr_nonnull(add_proven(n, 0));
	for (uint32_t n = 0; n < 3000; n += 3) {
		mac = mac_number(n);
		peers_remove(&peers, peers_find(&peers, &mac));
	}
	for (uint32_t n = 0; n < 3000; n++) {
		struct peer *peer;

		mac = mac_number(n);
		peer = peers_find(&peers, &mac);
		ck_assert((peer == NULL) == (n % 3 == 0));
		ck_assert(!peer || mac_equal(&peer->mac, &mac));
	}
	ck_assert_uint_eq(peers.count, 2000);
	ck_assert_uint_eq(peers.unproven, 0);
}
END_TEST

START_TEST(test_removed_places_are_used_again)
{
	struct mac mac;

	for (uint32_t n = 0; n < 100; n++)
		add_proven(n, 0);
	for (int round = 0; round < 50; round++)
		for (uint32_t n = 0; n < 100; n++) {
			mac = mac_number(n);
			peers_remove(&peers, peers_find(&peers, &mac));
			add_proven(n, 0);
		}
	ck_assert_uint_eq(peers.high, 100);
	ck_assert_uint_eq(peers.count, 100);
}
END_TEST

START_TEST(test_walk_meets_each_once_even_while_removing)
{
	bool met[200] = { false };
	unsigned int count = 0;

	for (uint32_t n = 0; n < 200; n++)
		add_proven(n, 0);
	for (struct peer *p = NULL; (p = peers_next(&peers, p));) {
		uint32_t n = get_be32(p->mac.byte + 2);

		ck_assert(!met[n]);
		met[n] = true;
		count++;
		if (n % 2)
			peers_remove(&peers, p);
	}
	ck_assert_uint_eq(count, 200);
	ck_assert_uint_eq(peers.count, 100);
}
END_TEST

START_TEST(test_unproven_are_bounded_and_the_longest_silent_goes)
{
	struct mac mac;
	struct peer *peer;

	add_proven(5000, 0);
	for (uint32_t n = 0; n < PEERS_UNPROVEN; n++) {
		mac = mac_number(n);
		ck_assert_ptr_nonnull(peers_add(&peers, &mac, 1000 + n));
	}
	mac = mac_number(0);
	peers_find(&peers, &mac)->heard = 9000; /* so number 1 is the one */
	mac = mac_number(6000);
	peer = peers_add(&peers, &mac, 9000);
	ck_assert_ptr_nonnull(peer);
	ck_assert_uint_eq(peers.unproven, PEERS_UNPROVEN);
	mac = mac_number(1);
	ck_assert_ptr_null(peers_find(&peers, &mac));
	mac = mac_number(0);
	ck_assert_ptr_nonnull(peers_find(&peers, &mac));
	mac = mac_number(5000);
	ck_assert_ptr_nonnull(peers_find(&peers, &mac));
}
END_TEST

START_TEST(test_the_whole_is_bounded_and_the_proven_stay)
{
	struct mac mac = mac_number(PEERS_MAX);

	for (uint32_t n = 0; n < PEERS_MAX; n++)
		ck_assert_ptr_nonnull(add_proven(n, 0));
	ck_assert_ptr_null(peers_add(&peers, &mac, 0));
	ck_assert_uint_eq(peers.count, PEERS_MAX);
}
END_TEST

/* Bytes, all told, for as many as issue 10,000 peers. */
START_TEST(test_a_peer_costs_128_bytes)
{
	ck_assert_uint_le(sizeof(struct peer) + sizeof(*peers.bucket), 128);
	for (uint32_t n = 0; n < PEERS_MAX; n++)
		add_proven(n, 0);
	ck_assert_uint_le((sizeof(struct peer) + sizeof(*peers.bucket)) * peers.size,
			  128 * PEERS_MAX);
}
END_TEST

/*
 * Kilobytes that this process alone has written, in heap and mappings; heap that is free not
 * counted, and no pages of programs and libraries either, of which as many come as the kernel
 * likes.
 */
static long private_kilobytes(void)
{
	FILE *file;
	char line[128];
	long sum = 0;

	malloc_trim(0);
	file = fopen("/proc/self/smaps_rollup", "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Private_Dirty: %ld", &sum) == 1)
			break;
	fclose(file);
	return sum;
}

#ifdef __SANITIZE_ADDRESS__
#define MEMORY_IS_OURS false /* a sanitizer's shadow is in it */
#else
#define MEMORY_IS_OURS true
#endif

/* Just after the table has doubled, and at the number that is promised. */
START_TEST(test_memory_is_128_bytes_for_each_peer_there_is)
{
	static const uint32_t count[] = { 8193, 10000 };
	long before = private_kilobytes(), more;
	uint32_t n = 0;

	for (size_t i = 0; MEMORY_IS_OURS && i < sizeof(count) / sizeof(count[0]); i++) {
		for (; n < count[i]; n++)
			add_proven(n, 0);
		more = private_kilobytes() - before;
		ck_assert_msg(more <= (128 * count[i] + 1023) / 1024 + 40, "%ld kB for %u", more,
			      n);
	}
}
END_TEST

static double look_ups(uint32_t count)
{
	struct timespec a, b;
	struct mac mac[64];
	unsigned int found = 0;

	for (uint32_t i = 0; i < 64; i++)
		mac[i] = mac_number(i * 7919 % count);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (int i = 0; i < 200000; i++)
		found += peers_find(&peers, &mac[i % 64]) != NULL;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	ck_assert_uint_eq(found, 200000);
	return (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
}

/* A list would take a thousand times as long; chains and caches cost less than four. */
START_TEST(test_look_up_is_flat_from_1_to_10000)
{
	double few, many;

	add_proven(0, 0);
	few = look_ups(1);
	for (uint32_t n = 1; n < 10000; n++)
		add_proven(n, 0);
	many = look_ups(10000);
	ck_assert_msg(many < 4 * few, "%.0f ns for 1, %.0f ns for 10,000", few / 200000,
		      many / 200000);
}
END_TEST

START_TEST(test_a_full_set_of_addresses_keeps_the_confirmed)
{
	struct mac mac = mac_number(1);
	struct peer *peer = peers_add(&peers, &mac, 0);
	struct address a;

	peer->port = 6066;
	for (uint32_t n = 0; n < PEER_ADDRESSES; n++) {
		a = address_number(n + 1);
		ck_assert_int_eq(peer_address_add(peer, &a), (int)n);
		if (n != 4)
			peer_confirm(&peers, peer, (int)n);
	}
	a = address_number(100);
	peer->sending = 3;
	ck_assert_int_eq(peer_address_add(peer, &a), 4);
	ck_assert_uint_eq(peer->sending, 3);
	peer->sending = 4; /* what is sent to is never moved by an announcement */
	ck_assert_int_eq(peer_address_add(peer, &a), 4);
	ck_assert_uint_eq(peer->sending, PEER_ADDRESSES);
	ck_assert_int_eq(peer_address(peer, &a, 6066), 4);
	ck_assert_int_eq(peer_address(peer, &a, 6067), -1);
	peer_confirm(&peers, peer, 4);
	a = address_number(101);
	ck_assert_int_eq(peer_address_add(peer, &a), -1);
}
END_TEST

START_TEST(test_an_address_that_answers_always_finds_a_place)
{
	struct mac mac = mac_number(1);
	struct peer *peer = peers_add(&peers, &mac, 0);
	struct address a, sent_to = address_number(1);

	peer->port = 6066;
	for (uint32_t n = 0; n < PEER_ADDRESSES; n++) {
		a = address_number(n + 1);
		peer_confirm(&peers, peer, peer_address_add(peer, &a));
	}
	peer->sending = 0;
	for (uint32_t n = 100; n < 120; n++) {
		a = address_number(n);
		ck_assert_int_eq(peer_address_replace(peer, &a), PEER_ADDRESSES - 1);
		ck_assert_int_eq(peer_address(peer, &a, 6066), PEER_ADDRESSES - 1);
		ck_assert_int_eq(peer_address(peer, &sent_to, 6066), (int)peer->sending);
	}
	for (uint32_t n = 115; n < 120; n++) { /* the newest ones are left */
		a = address_number(n);
		ck_assert_int_ge(peer_address(peer, &a, 6066), 1);
	}
	peer->sending = 3;
	sent_to = peer->address[3];
	a = address_number(200);
	peer_address_replace(peer, &a);
	ck_assert_uint_eq(peer->sending, 2);
	ck_assert(address_equal(&peer->address[2], &sent_to));
	peer->sending = PEER_ADDRESSES;
	a = address_number(201);
	peer_address_replace(peer, &a);
	ck_assert_uint_eq(peer->sending, PEER_ADDRESSES);
}
END_TEST

START_TEST(test_time_wraps_round)
{
	ck_assert(time_after(5, 0xfffffff0));
	ck_assert(!time_after(0xfffffff0, 5));
	ck_assert(!time_after(7, 7));
}
END_TEST

/* ---- address.h ---- */

static struct address parse(const char *text, uint32_t scope)
{
	struct sockaddr_in6 s = { .sin6_scope_id = scope };

	ck_assert_int_eq(inet_pton(AF_INET6, text, &s.sin6_addr), 1);
	return address_of(&s);
}

static const struct text {
	const char *text;
	uint32_t scope;
	bool unicast;
	const char *shown;
} texts[] = {
	{ "::ffff:10.1.2.3", 0, true, "10.1.2.3:6066" },
	{ "::ffff:10.1.2.3", 7, true, "10.1.2.3:6066" },
	{ "::ffff:0.0.0.0", 0, false, "0.0.0.0:6066" },
	{ "::ffff:224.0.0.251", 0, false, "224.0.0.251:6066" },
	{ "::ffff:255.255.255.255", 0, false, "255.255.255.255:6066" },
	{ "fe80::1", 3, true, "[fe80::1%3]:6066" },
	{ "fe80::1", 0, false, "[fe80::1]:6066" },
	{ "2001:db8::7", 5, true, "[2001:db8::7]:6066" },
	{ "ff02::fb", 2, false, "[ff02::fb]:6066" },
	{ "::", 0, false, "[::]:6066" },
};

START_TEST(test_addresses_are_judged_and_shown)
{
	struct address a = parse(texts[_i].text, texts[_i].scope);
	char text[ADDRESS_TEXT_SIZE];

	ck_assert(address_is_unicast(&a) == texts[_i].unicast);
	ck_assert_str_eq(address_format(&a, 6066, text), texts[_i].shown);
}
END_TEST

START_TEST(test_link_local_addresses_differ_by_scope)
{
	struct address a = parse("fe80::1", 2), b = parse("fe80::1", 3);
	struct sockaddr_in6 s = address_sockaddr(&a, 7000);
	struct in6_addr plain;

	ck_assert(!address_equal(&a, &b));
	ck_assert_uint_eq(s.sin6_scope_id, 2);
	ck_assert_uint_eq(ntohs(s.sin6_port), 7000);
	inet_pton(AF_INET6, "fe80::1", &plain);
	ck_assert_mem_eq(&s.sin6_addr, &plain, sizeof(plain));
	b = address_of(&s);
	ck_assert(address_equal(&a, &b));
}
END_TEST

START_TEST(test_prefixes)
{
	struct address net = parse("::ffff:10.9.0.0", 0), in = parse("::ffff:10.9.0.77", 0);
	struct address out = parse("::ffff:10.9.1.77", 0);

	ck_assert(address_in_prefix(&in, &net, 96 + 24));
	ck_assert(!address_in_prefix(&out, &net, 96 + 24));
	ck_assert(address_in_prefix(&out, &net, 96 + 23));
	ck_assert(address_in_prefix(&out, &net, 0));
	ck_assert(!address_in_prefix(&in, &net, 128));
	ck_assert(address_in_prefix(&in, &in, 128));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("peers");
	TCase *cases = tcase_create("peers");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_what_was_added_is_found_until_removed);
	tcase_add_test(cases, test_removed_places_are_used_again);
	tcase_add_test(cases, test_walk_meets_each_once_even_while_removing);
	tcase_add_test(cases, test_unproven_are_bounded_and_the_longest_silent_goes);
	tcase_add_test(cases, test_the_whole_is_bounded_and_the_proven_stay);
	tcase_add_test(cases, test_a_peer_costs_128_bytes);
	tcase_add_test(cases, test_memory_is_128_bytes_for_each_peer_there_is);
	tcase_add_test(cases, test_look_up_is_flat_from_1_to_10000);
	tcase_add_test(cases, test_a_full_set_of_addresses_keeps_the_confirmed);
	tcase_add_test(cases, test_an_address_that_answers_always_finds_a_place);
	tcase_add_test(cases, test_time_wraps_round);
	tcase_add_loop_test(cases, test_addresses_are_judged_and_shown, 0,
			    sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(cases, test_link_local_addresses_differ_by_scope);
	tcase_add_test(cases, test_prefixes);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
