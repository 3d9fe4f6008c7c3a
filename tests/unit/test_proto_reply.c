/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_reply.c: the helper's answer to the shim, byte by byte.
 */
#include <errno.h>

#include "proto_test.h"
#include "reply.h"

enum {
	AT_VERSION = 4,
	AT_CODE = 5,
	AT_ATTACH = 6,
	AT_SLOT = 7,
	AT_MAC = 8,
	AT_ZERO = 14,
	AT_TAP = 16,
	AT_UPLINK = 32,
	AT_TEXT = 48
};

static const struct reply sample = {
	.code = OUTCOME_OK,
	.attach = ATTACH_HOST,
	.slot = 15,
	.mac = { { 0xb2, 0x00, 0x1a, 0x9f, 0x3e, 0x8f } },
	.tap = "btap3e8-f",
	.uplink = "wlp2s0",
	.text = "wlp2s0 is wireless and cannot be bridged",
};

static void check_same(const struct reply *a, const struct reply *b)
{
	ck_assert_int_eq(a->code, b->code);
	ck_assert_int_eq(a->attach, b->attach);
	ck_assert_uint_eq(a->slot, b->slot);
	ck_assert(mac_equal(&a->mac, &b->mac));
	ck_assert_str_eq(a->tap, b->tap);
	ck_assert_str_eq(a->uplink, b->uplink);
	ck_assert_str_eq(a->text, b->text);
}

/* Decodes the sample with one byte changed; a refusal must leave the reply alone. */
static int decode_with(size_t at, uint8_t byte)
{
	uint8_t message[REPLY_LEN];
	struct reply reply, before;
	int err;

	reply_encode(&sample, message);
	message[at] = byte;
	memset(&reply, 0x55, sizeof(reply));
	memcpy(&before, &reply, sizeof(before));
	err = reply_decode(at_edge(message, sizeof(message)), sizeof(message), &reply);
	ck_assert(err == 0 || memcmp(&before, &reply, sizeof(before)) == 0);
	return err;
}

START_TEST(test_reply_fields_stand_where_the_header_says)
{
	uint8_t wanted[REPLY_LEN] = { 0 }, message[REPLY_LEN + 1];

	memcpy(wanted, "BTRP\x01\x00\x04\x0f\xb2\x00\x1a\x9f\x3e\x8f", AT_ZERO);
	strcpy((char *)wanted + AT_TAP, "btap3e8-f");
	strcpy((char *)wanted + AT_UPLINK, "wlp2s0");
	strcpy((char *)wanted + AT_TEXT, sample.text);
	memset(message, 0x55, sizeof(message));
	reply_encode(&sample, message);
	ck_assert_mem_eq(message, wanted, REPLY_LEN);
	ck_assert_int_eq(message[REPLY_LEN], 0x55);
}
END_TEST

START_TEST(test_reply_comes_back)
{
	uint8_t message[REPLY_LEN];
	struct reply reply;

	memset(&reply, 0x55, sizeof(reply));
	reply_encode(&sample, message);
	ck_assert_int_eq(reply_decode(at_edge(message, REPLY_LEN), REPLY_LEN, &reply), 0);
	check_same(&reply, &sample);
	ck_assert_mem_eq(reply.text, sample.text, sizeof(reply.text)); /* zero to the end */
}
END_TEST

START_TEST(test_reply_comes_back_empty_and_full)
{
	struct reply full = { .code = OUTCOME_COUNT - 1,
			      .attach = ATTACH_COUNT - 1,
			      .slot = MAC_SLOTS - 1 };
	const struct reply empty = { 0 };
	uint8_t message[REPLY_LEN];
	struct reply back;

	memset(full.mac.byte, 0xff, MAC_LEN);
	memset(full.tap, '~', sizeof(full.tap) - 1);
	memset(full.uplink, '!', sizeof(full.uplink) - 1);
	memset(full.text, ' ', sizeof(full.text) - 1);
	reply_encode(&full, message);
	ck_assert_int_eq(reply_decode(message, REPLY_LEN, &back), 0);
	check_same(&back, &full);
	reply_encode(&empty, message);
	ck_assert_int_eq(reply_decode(message, REPLY_LEN, &back), 0);
	check_same(&back, &empty);
}
END_TEST

START_TEST(test_reply_encode_ends_strings_that_have_no_end)
{
	uint8_t message[REPLY_LEN];
	struct reply reply = sample;

	memset(reply.tap, 't', sizeof(reply.tap));
	memset(reply.uplink, 'u', sizeof(reply.uplink));
	memset(reply.text, 'x', sizeof(reply.text));
	reply_encode(at_edge(&reply, sizeof(reply)), message);
	ck_assert_int_eq(reply_decode(message, REPLY_LEN, &reply), 0);
	ck_assert_uint_eq(strlen(reply.tap), sizeof(reply.tap) - 1);
	ck_assert_uint_eq(strlen(reply.uplink), sizeof(reply.uplink) - 1);
	ck_assert_uint_eq(strlen(reply.text), sizeof(reply.text) - 1);
}
END_TEST

/* The kernel allows them in the name of an interface. */
START_TEST(test_reply_encode_shows_no_byte_that_is_not_printable)
{
	for (unsigned int byte = 1; byte < 256; byte++) {
		const char shown = (char)(byte >= ' ' && byte <= '~' ? byte : '?');
		uint8_t message[REPLY_LEN];
		struct reply reply = sample, back;

		reply.tap[3] = reply.uplink[2] = reply.text[1] = (char)byte;
		reply_encode(&reply, message);
		ck_assert_int_eq(reply_decode(message, REPLY_LEN, &back), 0);
		ck_assert_int_eq(back.tap[3], shown);
		ck_assert_int_eq(back.uplink[2], shown);
		ck_assert_int_eq(back.text[1], shown);
		reply.tap[3] = reply.uplink[2] = reply.text[1] = shown;
		check_same(&back, &reply);
	}
}
END_TEST

START_TEST(test_reply_of_another_length_is_none)
{
	uint8_t message[REPLY_LEN + 1] = { 0 };
	struct reply reply;

	reply_encode(&sample, message);
	for (size_t len = 0; len <= sizeof(message); len++)
		ck_assert_int_eq(reply_decode(at_edge(message, len), len, &reply),
				 len == REPLY_LEN ? 0 : -EINVAL);
}
END_TEST

START_TEST(test_reply_with_another_magic_is_none)
{
	for (size_t at = 0; at < AT_VERSION; at++)
		ck_assert_int_eq(decode_with(at, 'x'), -EINVAL);
}
END_TEST

START_TEST(test_reply_of_another_version_is_told_apart)
{
	for (unsigned int version = 0; version < 256; version++)
		ck_assert_int_eq(decode_with(AT_VERSION, (uint8_t)version),
				 version == REPLY_VERSION ? 0 : -EPROTO);
}
END_TEST

START_TEST(test_reply_numbers_stay_in_range)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		ck_assert_int_eq(decode_with(AT_CODE, (uint8_t)byte), byte < 26 ? 0 : -EINVAL);
		ck_assert_int_eq(decode_with(AT_ATTACH, (uint8_t)byte), byte < 6 ? 0 : -EINVAL);
		ck_assert_int_eq(decode_with(AT_SLOT, (uint8_t)byte), byte < 16 ? 0 : -EINVAL);
		ck_assert_int_eq(decode_with(AT_MAC, (uint8_t)byte), 0);
		ck_assert_int_eq(decode_with(AT_ZERO, (uint8_t)byte), 0);
	}
}
END_TEST

START_TEST(test_reply_strings_are_printable)
{
	static const size_t strings[] = { AT_TAP, AT_UPLINK, AT_TEXT };

	for (size_t i = 0; i < COUNT(strings); i++) {
		for (unsigned int byte = 0; byte < 256; byte++) {
			const bool good = byte == 0 || (byte >= ' ' && byte <= '~');

			ck_assert_int_eq(decode_with(strings[i] + 2, (uint8_t)byte),
					 good ? 0 : -EINVAL);
		}
	}
}
END_TEST

START_TEST(test_reply_string_needs_its_end)
{
	static const size_t begin[] = { AT_TAP, AT_UPLINK, AT_TEXT, REPLY_LEN };

	for (size_t i = 0; i + 1 < COUNT(begin); i++) {
		uint8_t message[REPLY_LEN];
		struct reply reply;

		reply_encode(&sample, message);
		memset(message + begin[i], 'x', begin[i + 1] - begin[i]);
		ck_assert_int_eq(reply_decode(at_edge(message, REPLY_LEN), REPLY_LEN, &reply),
				 -EINVAL);
		message[begin[i + 1] - 1] = '\0';
		ck_assert_int_eq(reply_decode(message, REPLY_LEN, &reply), 0);
	}
}
END_TEST

START_TEST(test_reply_tells_nothing_from_behind_a_string)
{
	uint8_t message[REPLY_LEN];
	struct reply reply;

	reply_encode(&sample, message);
	strcpy((char *)message + AT_TAP, "btap3e8-f");
	strcpy((char *)message + AT_TAP + 10, "\x1b[2J");
	ck_assert_int_eq(reply_decode(message, REPLY_LEN, &reply), 0);
	ck_assert_mem_eq(reply.tap, sample.tap, sizeof(reply.tap));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_reply_fields_stand_where_the_header_says,
		test_reply_comes_back,
		test_reply_comes_back_empty_and_full,
		test_reply_encode_ends_strings_that_have_no_end,
		test_reply_encode_shows_no_byte_that_is_not_printable,
		test_reply_of_another_length_is_none,
		test_reply_with_another_magic_is_none,
		test_reply_of_another_version_is_told_apart,
		test_reply_numbers_stay_in_range,
		test_reply_strings_are_printable,
		test_reply_string_needs_its_end,
		test_reply_tells_nothing_from_behind_a_string,
	};

	return run_tests("proto/reply", tests, COUNT(tests));
}
