/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_control.c: the confirmation frames, byte by byte, and their cookies.
 */
#include <errno.h>

#include "control.h"
#include "frame.h"
#include "proto_test.h"

enum {
	AT_SOURCE = 6,
	AT_TYPE = 12,
	AT_MAGIC = 14,
	AT_VERSION = 18,
	AT_KIND = 19,
	AT_COOKIE = 20,
	AT_ECHO = 28,
	AT_MODE = 36,
	AT_ATTACH = 37,
	AT_FLAGS = 38
};

static const struct control sample = {
	.destination = { { 0xb2, 1, 2, 3, 4, 5 } },
	.source = { { 0xb2, 6, 7, 8, 9, 10 } },
	.type = CONTROL_ACK,
	.cookie = 0x1122334455667788,
	.echo = 0x99aabbccddeeff00,
	.bridged = true,
	.attach = ATTACH_JOIN,
	.flags = 0xf5,
};

static void check_same(const struct control *a, const struct control *b)
{
	ck_assert(mac_equal(&a->destination, &b->destination));
	ck_assert(mac_equal(&a->source, &b->source));
	ck_assert_int_eq(a->type, b->type);
	ck_assert_uint_eq(a->cookie, b->cookie);
	ck_assert_uint_eq(a->echo, b->echo);
	ck_assert_int_eq(a->bridged, b->bridged);
	ck_assert_int_eq(a->attach, b->attach);
	ck_assert_uint_eq(a->flags, b->flags);
}

/* Decodes the sample with one byte changed; a refusal must leave the result alone. */
static int decode_with(size_t at, uint8_t byte)
{
	uint8_t frame[CONTROL_LEN];
	struct control control, before;
	int err;

	control_encode(&sample, frame);
	frame[at] = byte;
	memset(&control, 0x55, sizeof(control));
	memcpy(&before, &control, sizeof(before));
	err = control_decode(at_edge(frame, sizeof(frame)), sizeof(frame), &control);
	ck_assert(err == 0 || memcmp(&before, &control, sizeof(before)) == 0);
	return err;
}

START_TEST(test_control_fields_stand_where_the_header_says)
{
	static const uint8_t wanted[CONTROL_LEN] =
		"\xb2\x01\x02\x03\x04\x05\xb2\x06\x07\x08\x09\x0a\x88\xb6"
		"BTAP\x01\x02"
		"\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00"
		"\x01\x02\xf5";
	uint8_t frame[CONTROL_LEN + 1];

	memset(frame, 0x55, sizeof(frame));
	control_encode(&sample, frame);
	ck_assert_mem_eq(frame, wanted, CONTROL_LEN);
	ck_assert_int_eq(frame[CONTROL_LEN], 0x55);
	ck_assert_int_eq(frame_check(frame, CONTROL_LEN), FRAME_OK);
	ck_assert_uint_eq(frame_type(frame), FRAME_ETHERTYPE_CONTROL);
}
END_TEST

START_TEST(test_control_comes_back)
{
	for (enum control_type type = CONTROL_HELLO; type <= CONTROL_BYE; type++) {
		for (enum attach attach = 0; attach < ATTACH_COUNT; attach++) {
			struct control control = sample, back;
			uint8_t frame[CONTROL_LEN];

			control.type = type;
			control.attach = attach;
			control.bridged = attach_is_bridged(attach);
			control.flags = (uint8_t)type;
			control_encode(&control, frame);
			ck_assert_int_eq(control_decode(frame, sizeof(frame), &back), 0);
			check_same(&back, &control);
		}
	}
}
END_TEST

START_TEST(test_control_is_told_by_type_and_magic)
{
	uint8_t frame[CONTROL_LEN];

	control_encode(&sample, frame);
	ck_assert(control_is(frame, sizeof(frame)));
	for (size_t at = 0; at < sizeof(frame); at++) {
		frame[at] ^= 0x40;
		ck_assert_int_eq(control_is(frame, sizeof(frame)),
				 at < AT_TYPE || at >= AT_VERSION);
		frame[at] ^= 0x40;
	}
}
END_TEST

START_TEST(test_control_is_told_of_short_frames_too_and_reads_no_further)
{
	uint8_t frame[CONTROL_LEN];

	control_encode(&sample, frame);
	for (size_t len = 0; len <= sizeof(frame); len++)
		ck_assert_int_eq(control_is(at_edge(frame, len), len), len >= AT_VERSION);
}
END_TEST

START_TEST(test_control_that_is_short_is_refused_and_padding_is_not)
{
	uint8_t frame[CONTROL_LEN + 4] = { 0 };
	struct control control;

	control_encode(&sample, frame);
	for (size_t len = 0; len <= sizeof(frame); len++)
		ck_assert_int_eq(control_decode(at_edge(frame, len), len, &control),
				 len < CONTROL_LEN ? -EINVAL : 0);
}
END_TEST

START_TEST(test_control_of_another_magic_or_type_is_refused)
{
	for (size_t at = AT_TYPE; at < AT_VERSION; at++)
		ck_assert_int_eq(decode_with(at, 'x'), -EINVAL);
}
END_TEST

START_TEST(test_control_of_another_version_is_told_apart)
{
	for (unsigned int byte = 0; byte < 256; byte++)
		ck_assert_int_eq(decode_with(AT_VERSION, (uint8_t)byte), byte == 1 ? 0 : -EPROTO);
}
END_TEST

START_TEST(test_control_values_stay_in_range)
{
	for (unsigned int value = 0; value < 256; value++) {
		const uint8_t byte = (uint8_t)value;

		ck_assert_int_eq(decode_with(AT_KIND, byte), byte >= 1 && byte <= 4 ? 0 : -EINVAL);
		ck_assert_int_eq(decode_with(AT_MODE, byte), byte <= 1 ? 0 : -EINVAL);
		ck_assert_int_eq(decode_with(AT_ATTACH, byte), byte <= 5 ? 0 : -EINVAL);
		ck_assert_int_eq(decode_with(AT_SOURCE, byte), byte == 0xb2 ? 0 : -EINVAL);
	}
}
END_TEST

START_TEST(test_control_leaves_room_for_later_versions)
{
	for (size_t at = AT_FLAGS; at < CONTROL_LEN; at++)
		ck_assert_int_eq(decode_with(at, 0xff), 0);
	ck_assert_int_eq(decode_with(0, 0xff), 0); /* to a group: a HELLO to all */
}
END_TEST

START_TEST(test_control_cookie_is_the_hash_of_all_that_it_binds)
{
	static const struct siphash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	static const uint8_t v4_mapped[16] = { [10] = 0xff, 0xff, 10, 9, 0, 2 };
	static const struct mac mac = { { 0xb2, 0x00, 0x11, 0x22, 0x33, 0x44 } };

	/* by OpenSSL, of address, port, MAC and slot in network byte order */
	ck_assert_uint_eq(
		control_cookie(&key, at_edge(v4_mapped, 16), 6066, &mac, 0x0102030405060708),
		0x56215372a9476a5e);
}
END_TEST

START_TEST(test_control_cookie_depends_on_each_bit)
{
	struct siphash_key key = { 1, 2 };
	struct mac mac = sample.source;
	uint8_t address[16] = { 0xfe, 0x80, [15] = 1 };
	const uint64_t cookie = control_cookie(&key, address, 6066, &mac, 7);

	ck_assert_uint_eq(control_cookie(&key, address, 6066, &mac, 7), cookie);
	for (unsigned int bit = 0; bit < 64; bit++)
		ck_assert_uint_ne(control_cookie(&key, address, 6066, &mac, 7 ^ (uint64_t)1 << bit),
				  cookie);
	for (unsigned int bit = 0; bit < 16; bit++)
		ck_assert_uint_ne(
			control_cookie(&key, address, (uint16_t)(6066 ^ 1u << bit), &mac, 7),
			cookie);
	for (unsigned int bit = 0; bit < 128; bit++) {
		address[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_uint_ne(control_cookie(&key, address, 6066, &mac, 7), cookie);
		address[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (unsigned int bit = 0; bit < 48; bit++) {
		mac.byte[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_uint_ne(control_cookie(&key, address, 6066, &mac, 7), cookie);
		mac.byte[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	key.k0 ^= 1;
	ck_assert_uint_ne(control_cookie(&key, address, 6066, &mac, 7), cookie);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_control_fields_stand_where_the_header_says,
		test_control_comes_back,
		test_control_is_told_by_type_and_magic,
		test_control_is_told_of_short_frames_too_and_reads_no_further,
		test_control_that_is_short_is_refused_and_padding_is_not,
		test_control_of_another_magic_or_type_is_refused,
		test_control_of_another_version_is_told_apart,
		test_control_values_stay_in_range,
		test_control_leaves_room_for_later_versions,
		test_control_cookie_is_the_hash_of_all_that_it_binds,
		test_control_cookie_depends_on_each_bit,
	};

	return run_tests("proto/control", tests, COUNT(tests));
}
