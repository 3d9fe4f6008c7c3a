/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_siphash.c: SipHash-2-4 against the values that its authors publish, for the key
 * 00 01 … 0f and messages 00 01 02 …; longer ones computed by OpenSSL.
 */
#include "siphash.h"
#include "proto_test.h"

static const struct siphash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

/* For messages of 0 to 63 bytes. That of 15 bytes is the example in the paper's appendix A. */
static const uint64_t vectors[] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
	0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
	0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
	0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
	0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
	0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
	0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
	0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
	0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
	0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
	0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
	0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
	0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
	0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
	0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static void count_up(uint8_t *message, size_t len)
{
	for (size_t i = 0; i < len; i++)
		message[i] = (uint8_t)i;
}

START_TEST(test_siphash_gives_the_published_values)
{
	uint8_t message[COUNT(vectors)];

	ck_assert_uint_eq(COUNT(vectors), 64);
	count_up(message, sizeof(message));
	for (size_t len = 0; len < COUNT(vectors); len++)
		ck_assert_uint_eq(siphash(&key, at_edge(message, len), len), vectors[len]);
}
END_TEST

START_TEST(test_siphash_takes_the_length_modulo_256)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} values[] = {
		{ 255, 0xa9c169fec74db21a },
		{ 256, 0x999d0526d2a7bfd7 },
		{ 300, 0x4b0b710db6117839 },
	};
	uint8_t message[300];

	count_up(message, sizeof(message));
	for (size_t i = 0; i < COUNT(values); i++)
		ck_assert_uint_eq(siphash(&key, message, values[i].len), values[i].hash);
}
END_TEST

START_TEST(test_siphash_needs_no_alignment)
{
	uint8_t message[64 + 8];

	for (size_t shift = 0; shift < 8; shift++) {
		count_up(message + shift, 63);
		ck_assert_uint_eq(siphash(&key, message + shift, 63), vectors[63]);
	}
}
END_TEST

START_TEST(test_siphash_depends_on_each_bit_of_the_key)
{
	const uint64_t hash = siphash(&key, "mac", 3);

	for (unsigned int bit = 0; bit < 64; bit++) {
		struct siphash_key other = { key.k0 ^ (uint64_t)1 << bit, key.k1 };

		ck_assert_uint_ne(siphash(&other, "mac", 3), hash);
		other = (struct siphash_key){ key.k0, key.k1 ^ (uint64_t)1 << bit };
		ck_assert_uint_ne(siphash(&other, "mac", 3), hash);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_siphash_gives_the_published_values,
		test_siphash_takes_the_length_modulo_256,
		test_siphash_needs_no_alignment,
		test_siphash_depends_on_each_bit_of_the_key,
	};

	return run_tests("proto/siphash", tests, COUNT(tests));
}
