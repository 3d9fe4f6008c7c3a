/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_mac.c: the addresses of the guests and their text.
 */
#include <errno.h>

#include "mac.h"
#include "proto_test.h"

static const struct mac sample = { { 0xb2, 0x00, 0x1a, 0x9f, 0xAB, 0x0c } };

START_TEST(test_mac_of_a_host_never_changes)
{
	/* By OpenSSL's SipHash. Other values here would mean new addresses for all guests. */
	ck_assert_uint_eq(mac_host("0123456789abcdef0123456789abcdef", 32), 0xb29d49);
	ck_assert_uint_eq(mac_host("raspberrypi", 11), 0x5dcd3c);
	ck_assert_uint_eq(mac_host(at_edge("", 0), 0), 0x999701);
}
END_TEST

START_TEST(test_mac_of_a_host_has_24_bits_and_tells_hosts_apart)
{
	char identity[] = "0123456789abcdef0123456789abcdef";
	const uint32_t host = mac_host(identity, 32);

	for (size_t i = 0; i < 32; i++) {
		identity[i] ^= 1;
		ck_assert_uint_ne(mac_host(identity, 32), host);
		ck_assert_uint_lt(mac_host(identity, 32), 1u << 24);
		identity[i] ^= 1;
	}
}
END_TEST

START_TEST(test_mac_identity_ends_at_white_space_or_the_end)
{
	ck_assert_uint_eq(mac_identity_len(at_edge("abc\n", 4), 4), 3);
	ck_assert_uint_eq(mac_identity_len(at_edge("ab c", 4), 4), 2);
	ck_assert_uint_eq(mac_identity_len(at_edge("abc", 3), 3), 3);
	ck_assert_uint_eq(mac_identity_len(at_edge("\n", 1), 1), 0);
	ck_assert_uint_eq(mac_identity_len(at_edge("", 0), 0), 0);
}
END_TEST

START_TEST(test_mac_holds_host_user_and_slot)
{
	static const struct {
		uint32_t host, uid;
		unsigned int slot;
		uint8_t byte[MAC_LEN];
	} cases[] = {
		{ 0, 0, 0, { 0xb2, 0, 0, 0, 0, 0 } },
		{ 0x123456, 0, 0, { 0xb2, 0x12, 0x34, 0x56, 0, 0 } },
		{ 0x123456, 1000, 0, { 0xb2, 0x12, 0x34, 0x56, 0x3e, 0x80 } },
		{ 0x123456, 1000, 15, { 0xb2, 0x12, 0x34, 0x56, 0x3e, 0x8f } },
		{ 0xffffff, 0xfff, 15, { 0xb2, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ 0x000001, 0x1000, 1, { 0xb2, 0, 0, 1, 0, 1 } }, /* the low 12 bits alone */
		{ 0x000001, UINT32_MAX, 0, { 0xb2, 0, 0, 1, 0xff, 0xf0 } },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct mac mac = mac_make(cases[i].host, cases[i].uid, cases[i].slot);

		ck_assert_mem_eq(mac.byte, cases[i].byte, MAC_LEN);
		ck_assert(mac_is_guest(&mac));
	}
}
END_TEST

START_TEST(test_mac_slot_never_runs_into_the_user)
{
	const struct mac a = mac_make(1, 1000, MAC_SLOTS), b = mac_make(1, 1000, 0);

	ck_assert(mac_equal(&a, &b));
}
END_TEST

START_TEST(test_mac_of_guest_and_tap_are_local_unicast_and_differ)
{
	const struct mac guest = mac_make(0xffffff, 1000, 3), tap = mac_of_tap(guest);

	ck_assert_uint_eq(guest.byte[0] & 3, 2);
	ck_assert_uint_eq(tap.byte[0] & 3, 2);
	ck_assert_uint_eq(tap.byte[0], 0xfe);
	ck_assert_mem_eq(tap.byte + 1, guest.byte + 1, MAC_LEN - 1);
	ck_assert(!mac_equal(&guest, &tap));
	ck_assert(!mac_is_guest(&tap));
}
END_TEST

START_TEST(test_mac_is_a_guest_by_its_first_byte)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		struct mac mac = sample;

		mac.byte[0] = (uint8_t)byte;
		ck_assert_int_eq(mac_is_guest(&mac), byte == 0xb2);
	}
}
END_TEST

START_TEST(test_mac_compares_four_bytes_for_the_host_and_six_for_all)
{
	for (size_t i = 0; i < MAC_LEN; i++) {
		struct mac other = sample;

		other.byte[i] ^= 0x80;
		ck_assert(!mac_equal(&sample, &other));
		ck_assert_int_eq(mac_same_host(&sample, &other), i >= 4);
	}
	ck_assert(mac_equal(&sample, &sample));
	ck_assert(mac_same_host(&sample, &sample));
}
END_TEST

START_TEST(test_mac_formats_in_lower_case_with_colons)
{
	char text[MAC_TEXT_LEN + 1];

	memset(text, 'x', sizeof(text));
	ck_assert_ptr_eq(mac_format(&sample, text), text);
	ck_assert_str_eq(text, "b2:00:1a:9f:ab:0c");
	ck_assert_int_eq(text[MAC_TEXT_LEN], 'x');
}
END_TEST

START_TEST(test_mac_parses_with_and_without_colons)
{
	static const char *const good[] = {
		"b2:00:1a:9f:ab:0c",
		"B2:00:1A:9F:AB:0C",
		"b2001a9fab0c",
		"B2001A9fAb0C",
	};
	struct mac mac;

	for (size_t i = 0; i < COUNT(good); i++) {
		const size_t len = strlen(good[i]);

		memset(&mac, 0, sizeof(mac));
		ck_assert_int_eq(mac_parse(at_edge(good[i], len), len, &mac), 0);
		ck_assert_mem_eq(mac.byte, sample.byte, MAC_LEN);
	}
}
END_TEST

START_TEST(test_mac_comes_back_from_its_text)
{
	char text[MAC_TEXT_LEN];
	struct mac mac, back;

	for (unsigned int byte = 0; byte < 256; byte++) {
		memset(mac.byte, (int)byte, MAC_LEN);
		ck_assert_int_eq(mac_parse(mac_format(&mac, text), MAC_TEXT_LEN - 1, &back), 0);
		ck_assert(mac_equal(&mac, &back));
	}
}
END_TEST

START_TEST(test_mac_refuses_every_other_length)
{
	static const char text[] = "b2:00:1a:9f:ab:0c:00";

	for (size_t len = 0; len < sizeof(text); len++) {
		struct mac mac = sample;

		if (len == MAC_TEXT_LEN - 1)
			continue;
		ck_assert_int_eq(mac_parse(at_edge(text, len), len, &mac), -EINVAL);
		ck_assert(mac_equal(&mac, &sample));
	}
}
END_TEST

/* Each byte, at each place of both forms: digits where digits stand, a colon where one does. */
START_TEST(test_mac_refuses_each_wrong_character)
{
	static const char *const forms[] = { "b2:00:1a:9f:ab:0c", "b2001a9fab0c" };

	for (size_t form = 0; form < COUNT(forms); form++) {
		const size_t len = strlen(forms[form]);

		for (size_t at = 0; at < len; at++) {
			for (unsigned int byte = 0; byte < 256; byte++) {
				const bool colon = forms[form][at] == ':';
				const bool digit = byte &&
						   strchr("0123456789abcdefABCDEF", (int)byte);
				const bool good = colon ? byte == ':' : digit;
				char text[MAC_TEXT_LEN];
				struct mac mac = { { 0 } };
				int err;

				memcpy(text, forms[form], len);
				text[at] = (char)byte;
				err = mac_parse(text, len, &mac);
				ck_assert_msg(err == (good ? 0 : -EINVAL), "0x%02x at %zu", byte,
					      at);
				ck_assert(good || mac.byte[0] == 0);
			}
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_mac_of_a_host_never_changes,
		test_mac_of_a_host_has_24_bits_and_tells_hosts_apart,
		test_mac_identity_ends_at_white_space_or_the_end,
		test_mac_holds_host_user_and_slot,
		test_mac_slot_never_runs_into_the_user,
		test_mac_of_guest_and_tap_are_local_unicast_and_differ,
		test_mac_is_a_guest_by_its_first_byte,
		test_mac_compares_four_bytes_for_the_host_and_six_for_all,
		test_mac_formats_in_lower_case_with_colons,
		test_mac_parses_with_and_without_colons,
		test_mac_comes_back_from_its_text,
		test_mac_refuses_every_other_length,
		test_mac_refuses_each_wrong_character,
	};

	return run_tests("proto/mac", tests, COUNT(tests));
}
