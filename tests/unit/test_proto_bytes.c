/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_bytes.c: numbers on the wire are big-endian, at any address, and no byte beside
 * them is touched.
 */
#include "bytes.h"
#include "proto_test.h"

START_TEST(test_get_reads_the_first_byte_as_the_highest)
{
	static const uint8_t wire[] = { 0x00, 0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8 };
	const uint8_t *odd = wire + 1;

	ck_assert_uint_eq(get_be16(odd), 0x8192);
	ck_assert_uint_eq(get_be32(odd), 0x8192a3b4);
	ck_assert_uint_eq(get_be64(odd), 0x8192a3b4c5d6e7f8);
}
END_TEST

START_TEST(test_put_writes_its_own_bytes_alone)
{
	uint8_t wire[10], wanted[10];

	for (size_t size = 2; size <= 8; size *= 2) {
		memset(wire, 0x55, sizeof(wire));
		memset(wanted, 0x55, sizeof(wanted));
		memcpy(wanted + 1, "\x81\x92\xa3\xb4\xc5\xd6\xe7\xf8", size);
		if (size == 2)
			put_be16(wire + 1, 0x8192);
		else if (size == 4)
			put_be32(wire + 1, 0x8192a3b4);
		else
			put_be64(wire + 1, 0x8192a3b4c5d6e7f8);
		ck_assert_mem_eq(wire, wanted, sizeof(wire));
	}
}
END_TEST

START_TEST(test_every_bit_comes_back)
{
	uint8_t *edge = at_edge("12345678", 8);

	for (unsigned int bit = 0; bit < 64; bit++) {
		const uint64_t v = (uint64_t)1 << bit;

		put_be64(edge, v);
		ck_assert_uint_eq(get_be64(edge), v);
		put_be32(edge + 4, (uint32_t)v);
		ck_assert_uint_eq(get_be32(edge + 4), (uint32_t)v);
		put_be16(edge + 6, (uint16_t)v);
		ck_assert_uint_eq(get_be16(edge + 6), (uint16_t)v);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_get_reads_the_first_byte_as_the_highest,
		test_put_writes_its_own_bytes_alone,
		test_every_bit_comes_back,
	};

	return run_tests("proto/bytes", tests, COUNT(tests));
}
