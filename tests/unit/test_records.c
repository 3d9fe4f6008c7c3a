/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_records.c: names and data of DNS records, ours and the network's.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "proto_test.h"
#include "records.h"
#include "suite.h"

static const struct txt sample = {
	.mac = { { 0xb2, 0x00, 0x11, 0x22, 0x33, 0x44 } },
	.port = 6067,
	.bridged = true,
	.attach = ATTACH_PATCH,
	.hostname = "desk",
};

START_TEST(test_name_survives_both_ways)
{
	static const char *const names[] = {
		"local",
		"a.b.local",
		"Basilisk\\032b2.x.local",
		"dot\\.in\\.label.local",
		"back\\\\slash.local",
		"\\195\\182.local",
		"\\000\\255.local",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		uint8_t wire[RECORD_WIRE_MAX];
		char text[RECORD_NAME_SIZE];
		int len = record_name_encode(names[i], wire);

		ck_assert_int_gt(len, 0);
		ck_assert_int_eq(record_name_decode(wire, (size_t)len, text), len);
		ck_assert_str_eq(text, names[i]);
	}
}
END_TEST

START_TEST(test_name_on_the_wire)
{
	static const uint8_t expected[] = "\3a.b\5local";
	uint8_t wire[RECORD_WIRE_MAX];

	ck_assert_int_eq(record_name_encode("a\\.b.local.", wire), sizeof(expected));
	ck_assert_mem_eq(wire, expected, sizeof(expected));
}
END_TEST

START_TEST(test_name_of_the_greatest_length_fits)
{
	uint8_t wire[RECORD_WIRE_MAX], again[RECORD_WIRE_MAX];
	char text[RECORD_NAME_SIZE];
	size_t at = 0;

	for (unsigned int label = 0; label < 4; label++) {
		size_t len = label < 3 ? 63 : 61;

		wire[at++] = (uint8_t)len;
		memset(wire + at, 0x01, len);
		at += len;
	}
	wire[at++] = 0;
	ck_assert_uint_eq(at, RECORD_WIRE_MAX);
	ck_assert_int_eq(record_name_decode(wire, at, text), RECORD_WIRE_MAX);
	ck_assert_uint_lt(strlen(text), RECORD_NAME_SIZE);
	ck_assert_int_eq(record_name_encode(text, again), RECORD_WIRE_MAX);
	ck_assert_mem_eq(wire, again, at);
}
END_TEST

START_TEST(test_names_that_are_none_are_refused)
{
	static const char *const texts[] = {
		"",
		".",
		"a..b",
		".a",
		"a\\",
		"a\\25",
		"\\256.b",
		"\\9.x",
		"0123456789012345678901234567890123456789012345678901234567890123.local",
	};
	static const struct {
		const char *bytes;
		size_t len;
	} wires[] = {
		{ "", 0 },	    /* nothing */
		{ "\0", 1 },	    /* the root */
		{ "\5loca", 5 },    /* over the end */
		{ "\5local", 6 },   /* no end */
		{ "\300\14", 2 },   /* compressed */
		{ "\100aaaaa", 6 }, /* a label of 64 */
	};
	uint8_t wire[RECORD_WIRE_MAX];
	char text[RECORD_NAME_SIZE], longest[300];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		ck_assert_int_eq(record_name_encode(texts[i], wire), -EINVAL);
	for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++)
		ck_assert_int_eq(
			record_name_decode((const uint8_t *)wires[i].bytes, wires[i].len, text),
			-EINVAL);
	for (size_t i = 0; i < sizeof(longest) - 1; i++)
		longest[i] = i % 32 == 31 ? '.' : 'a';
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(record_name_encode(longest, wire), -EINVAL);
}
END_TEST

START_TEST(test_name_below_another)
{
	ck_assert(record_name_is_below("x._basilisk-ether._udp.local", RECORD_SERVICE));
	ck_assert(record_name_is_below("x._BASILISK-ether._UDP.local", RECORD_SERVICE));
	ck_assert(!record_name_is_below(RECORD_SERVICE, RECORD_SERVICE));
	ck_assert(!record_name_is_below("x\\._basilisk-ether._udp.local", RECORD_SERVICE));
	ck_assert(!record_name_is_below("xlocal", "local"));
	ck_assert(!record_name_is_below(".local", "local"));
	ck_assert(!record_name_is_below("x.example.com", "local"));
}
END_TEST

START_TEST(test_service_is_announced_by_three_records)
{
	struct record r[RECORDS_OF_SERVICE];
	char text[RECORD_NAME_SIZE];
	struct txt txt;
	uint16_t port;

	ck_assert_int_eq(records_of_service(&sample, "desk.local", r), 0);
	ck_assert_int_eq(r[0].type, RECORD_PTR);
	ck_assert_str_eq(r[0].name, RECORD_SERVICE);
	ck_assert(!r[0].unique);
	ck_assert_int_eq(record_name_decode(r[0].data, r[0].len, text), (int)r[0].len);
	ck_assert_str_eq(text, "Basilisk\\032b20011223344._basilisk-ether._udp.local");
	ck_assert_int_eq(r[1].type, RECORD_SRV);
	ck_assert_str_eq(r[1].name, text);
	ck_assert(r[1].unique);
	ck_assert_int_eq(record_read_srv(r[1].data, r[1].len, &port, text), 0);
	ck_assert_uint_eq(port, 6067);
	ck_assert_str_eq(text, "desk.local");
	ck_assert_int_eq(r[2].type, RECORD_TXT);
	ck_assert_str_eq(r[2].name, r[1].name);
	ck_assert_int_eq(txt_decode(r[2].data, r[2].len, &txt), 0);
	ck_assert_mem_eq(&txt.mac, &sample.mac, sizeof(txt.mac));
	ck_assert_str_eq(txt.hostname, "desk");
	ck_assert_int_eq(records_of_service(&sample, "a..b", r), -EINVAL);
}
END_TEST

START_TEST(test_host_name_is_the_macs_own)
{
	char host[RECORD_HOST_SIZE];

	ck_assert_str_eq(records_host(&sample.mac, host), "basilisk-b20011223344.local");
}
END_TEST

START_TEST(test_srv_of_wrong_length_is_refused)
{
	static const uint8_t good[] = "\0\0\0\0\27\262\1a\5local"; /* and the final NUL: the root */
	char target[RECORD_NAME_SIZE];
	uint8_t more[sizeof(good) + 1] = { 0 };
	uint16_t port;

	memcpy(more, good, sizeof(good));
	ck_assert_int_eq(record_read_srv(good, sizeof(good), &port, target), 0);
	ck_assert_uint_eq(port, 6066);
	for (size_t len = 0; len < sizeof(good); len++)
		ck_assert_int_eq(record_read_srv(good, len, &port, target), -EINVAL);
	ck_assert_int_eq(record_read_srv(more, sizeof(more), &port, target), -EINVAL);
}
END_TEST

static int read_address(const char *text, int interface, struct sockaddr_in6 *address)
{
	bool six = strchr(text, ':');
	uint8_t bytes[16];

	ck_assert_int_eq(inet_pton(six ? AF_INET6 : AF_INET, text, bytes), 1);
	return record_read_address(six ? RECORD_AAAA : RECORD_A, bytes, six ? 16 : 4, interface,
				   6066, address);
}

START_TEST(test_addresses_where_nobody_can_be_are_refused)
{
	static const char *const bad[] = {
		"0.0.0.0",     "0.1.2.3",	  "127.0.0.1",	     "127.9.9.9",
		"224.0.0.251", "255.255.255.255", "240.0.0.1",	     "::",
		"::1",	       "ff02::fb",	  "::ffff:10.0.0.1", "::10.0.0.1",
	};
	struct sockaddr_in6 address;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(read_address(bad[i], 2, &address) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(
		record_read_address(RECORD_A, (const uint8_t *)"\12\0\0", 3, 2, 1, &address),
		-EINVAL);
	ck_assert_int_eq(
		record_read_address(RECORD_TXT, (const uint8_t *)"\12\0\0\1", 4, 2, 1, &address),
		-EINVAL);
}
END_TEST

START_TEST(test_addresses_become_socket_addresses)
{
	struct sockaddr_in6 address;
	char text[INET6_ADDRSTRLEN];

	ck_assert_int_eq(read_address("10.9.0.1", 2, &address), 0);
	inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof(text));
	ck_assert_str_eq(text, "::ffff:10.9.0.1");
	ck_assert_uint_eq(address.sin6_scope_id, 0);
	ck_assert_uint_eq(ntohs(address.sin6_port), 6066);
	ck_assert_int_eq(read_address("169.254.3.4", 2, &address), 0);
	ck_assert_int_eq(read_address("fe80::1", 7, &address), 0);
	ck_assert_uint_eq(address.sin6_scope_id, 7);
	ck_assert_int_eq(read_address("fd09::1", 7, &address), 0);
	ck_assert_uint_eq(address.sin6_scope_id, 0);
	ck_assert_int_eq(read_address("127.0.0.1", 1, &address), 0);
	ck_assert_int_eq(read_address("::1", 1, &address), 0);
}
END_TEST

START_TEST(test_own_address_records)
{
	struct record r;

	ck_assert_int_eq(records_of_address("x.local", AF_INET, "\12\11\0\1", &r), 0);
	ck_assert_int_eq(r.type, RECORD_A);
	ck_assert_uint_eq(r.len, 4);
	ck_assert(r.unique);
	ck_assert_int_eq(records_of_address("x.local", AF_INET6, "0123456789abcdef", &r), 0);
	ck_assert_int_eq(r.type, RECORD_AAAA);
	ck_assert_uint_eq(r.len, 16);
	ck_assert_int_eq(records_of_address("x.local", AF_UNIX, "0123456789abcdef", &r), -EINVAL);
}
END_TEST

/* A response: a question, an address by a name, and a TXT record by a pointer to that. */
static const uint8_t response[] = {
	0,    0,   0x84, 0,   0,    1,	 0,   1,   0, 0,   0, 1,      /* counts: 1, 1, 0, 1 */
	1,    'a', 5,	 'l', 'o',  'c', 'a', 'l', 0, 0,   1, 0,   1, /* to byte 25 */
	0xc0, 12,  0,	 1,   0x80, 1,	 0,   0,   0, 120, 0, 4,   10, 9, 0, 1, /* to byte 41 */
	1,    'b', 0xc0, 14,  0,    16,	 0,   1,   0, 0,   0, 120, 0,  4, 2, 'x', 'y', 0,
};

enum { QUESTION = 12, FIRST = 25, SECOND = 41, DATA = SECOND + 14 };

static bool is_sane(const uint8_t *message, size_t len)
{
	return records_are_sane(at_edge(message, len), len);
}

START_TEST(test_message_must_be_whole)
{
	uint8_t more[sizeof(response) + 1] = { 0 };

	ck_assert(is_sane(response, sizeof(response)));
	for (size_t len = 0; len < sizeof(response); len++)
		ck_assert_msg(!is_sane(response, len), "the first %zu bytes", len);
	memcpy(more, response, sizeof(response));
	ck_assert(is_sane(more, sizeof(more)));
	ck_assert(is_sane(more + sizeof(response), 0) == false);
	for (int count = 5; count <= 11; count += 2) {
		memcpy(more, response, sizeof(response));
		more[count]++;
		ck_assert_msg(!is_sane(more, sizeof(response)), "the count at %d", count);
	}
}
END_TEST

START_TEST(test_message_has_names_that_end_in_it)
{
	static const struct {
		unsigned int at;
		uint8_t byte;
	} wrong[] = {
		{ QUESTION, 63 },    { QUESTION, 64 },	   { QUESTION, 0xbf },	 { FIRST, 0x80 },
		{ SECOND, 200 - 1 }, { SECOND + 2, 0x7f }, { QUESTION + 2, 60 },
	};
	uint8_t message[sizeof(response)];

	for (unsigned int i = 0; i < COUNT(wrong); i++) {
		memcpy(message, response, sizeof(message));
		message[wrong[i].at] = wrong[i].byte;
		ck_assert_msg(!is_sane(message, sizeof(message)), "%u at %u", wrong[i].byte,
			      wrong[i].at);
	}
}
END_TEST

START_TEST(test_question_of_a_message_must_be_whole)
{
	for (uint8_t label = 62; label < 66; label++) {
		uint8_t query[100] = { [5] = 1, [12] = label };
		size_t len = 13 + label + 1 + 4;

		ck_assert(is_sane(query, len) == (label <= 63));
		ck_assert(!is_sane(query, len - 1));
	}
}
END_TEST

/* A response of one record of @type, with @len bytes of data: strings of @each bytes. */
static bool is_sane_of(uint16_t type, unsigned int len, unsigned int each)
{
	uint8_t message[2048] = { 0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	uint8_t *data = message + 23;

	put_be16(message + 13, type);
	put_be16(message + 21, (uint16_t)len);
	for (unsigned int at = 0; at < len; at += 1 + each)
		data[at] = (uint8_t)(at + 1 + each <= len ? each : len - at - 1);
	return is_sane(message, 23 + len);
}

START_TEST(test_message_has_no_records_that_cost_more_than_they_are_worth)
{
	ck_assert(is_sane_of(RECORD_TXT, 0, 1));
	ck_assert(is_sane_of(RECORD_TXT, RECORD_STRINGS_MAX * 2, 1));
	ck_assert(!is_sane_of(RECORD_TXT, RECORD_STRINGS_MAX * 2 + 1, 1));
	ck_assert(!is_sane_of(RECORD_TXT, RECORD_STRINGS_MAX + 1, 0));
	ck_assert(is_sane_of(RECORD_PTR, RECORD_STRINGS_MAX * 2 + 1, 1));
	ck_assert(is_sane_of(RECORD_TXT, RECORD_DATA_MAX, 255));
	ck_assert(!is_sane_of(RECORD_TXT, RECORD_DATA_MAX + 1, 255));
	ck_assert(!is_sane_of(47, RECORD_DATA_MAX + 1, 255));
}
END_TEST

START_TEST(test_message_has_no_string_beyond_its_record)
{
	uint8_t message[sizeof(response)];

	memcpy(message, response, sizeof(message));
	message[DATA] = 3;
	ck_assert(is_sane(message, sizeof(message)));
	message[DATA] = 4;
	ck_assert(!is_sane(message, sizeof(message)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("records");
	TCase *cases = tcase_create("records");

	tcase_add_test(cases, test_name_survives_both_ways);
	tcase_add_test(cases, test_name_on_the_wire);
	tcase_add_test(cases, test_name_of_the_greatest_length_fits);
	tcase_add_test(cases, test_names_that_are_none_are_refused);
	tcase_add_test(cases, test_name_below_another);
	tcase_add_test(cases, test_service_is_announced_by_three_records);
	tcase_add_test(cases, test_host_name_is_the_macs_own);
	tcase_add_test(cases, test_srv_of_wrong_length_is_refused);
	tcase_add_test(cases, test_addresses_where_nobody_can_be_are_refused);
	tcase_add_test(cases, test_addresses_become_socket_addresses);
	tcase_add_test(cases, test_own_address_records);
	tcase_add_test(cases, test_message_must_be_whole);
	tcase_add_test(cases, test_question_of_a_message_must_be_whole);
	tcase_add_test(cases, test_message_has_names_that_end_in_it);
	tcase_add_test(cases, test_message_has_no_records_that_cost_more_than_they_are_worth);
	tcase_add_test(cases, test_message_has_no_string_beyond_its_record);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
