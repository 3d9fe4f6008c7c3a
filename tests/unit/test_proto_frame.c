/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_frame.c: what passes as an Ethernet frame, and its fields.
 */
#include "frame.h"
#include "proto_test.h"

static const uint8_t header[FRAME_MIN] = {
	0x09, 0x00, 0x07, 0xff, 0xff, 0xff, 0xb2, 0x00, 0x1a, 0x9f, 0xab, 0x0c, 0x81, 0x9b,
};

START_TEST(test_frame_has_14_to_1514_bytes)
{
	uint8_t frame[FRAME_MAX + 2] = { 0 };

	memcpy(frame, header, sizeof(header));
	for (size_t len = 0; len < sizeof(frame); len++)
		ck_assert_int_eq(frame_check(at_edge(frame, len), len), len < 14   ? FRAME_SHORT :
									len > 1514 ? FRAME_LONG :
										     FRAME_OK);
	ck_assert_int_eq(frame_check(frame, SIZE_MAX), FRAME_LONG);
}
END_TEST

START_TEST(test_frame_check_reads_the_header_alone)
{
	const uint8_t *edge = at_edge(header, sizeof(header));

	ck_assert_int_eq(frame_check(edge, FRAME_MAX), FRAME_OK);
	ck_assert_int_eq(frame_check(at_edge("", 0), 13), FRAME_SHORT);
}
END_TEST

START_TEST(test_frame_from_a_group_is_none)
{
	uint8_t frame[FRAME_MIN];

	memcpy(frame, header, sizeof(header));
	for (unsigned int byte = 0; byte < 256; byte++) {
		frame[6] = (uint8_t)byte;
		ck_assert_int_eq(frame_check(frame, sizeof(frame)),
				 byte & 1 ? FRAME_GROUP_SOURCE : FRAME_OK);
	}
}
END_TEST

START_TEST(test_frame_length_is_judged_before_its_source)
{
	uint8_t frame[FRAME_MIN] = { [6] = 0x01 };

	ck_assert_int_eq(frame_check(frame, 13), FRAME_SHORT);
	ck_assert_int_eq(frame_check(frame, 1515), FRAME_LONG);
}
END_TEST

START_TEST(test_frame_fields_are_where_the_header_has_them)
{
	const uint8_t *edge = at_edge(header, sizeof(header));
	const struct mac to = frame_destination(edge), from = frame_source(edge);

	ck_assert_mem_eq(to.byte, "\x09\x00\x07\xff\xff\xff", MAC_LEN);
	ck_assert_mem_eq(from.byte, "\xb2\x00\x1a\x9f\xab\x0c", MAC_LEN);
	ck_assert_uint_eq(frame_type(edge), 0x819b);
}
END_TEST

START_TEST(test_frame_is_for_a_group_by_its_first_bit)
{
	uint8_t frame[FRAME_MIN] = { 0 };

	for (unsigned int byte = 0; byte < 256; byte++) {
		frame[0] = (uint8_t)byte;
		ck_assert_int_eq(frame_is_group(frame), byte & 1);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_frame_has_14_to_1514_bytes,
		test_frame_check_reads_the_header_alone,
		test_frame_from_a_group_is_none,
		test_frame_length_is_judged_before_its_source,
		test_frame_fields_are_where_the_header_has_them,
		test_frame_is_for_a_group_by_its_first_bit,
	};

	return run_tests("proto/frame", tests, COUNT(tests));
}
