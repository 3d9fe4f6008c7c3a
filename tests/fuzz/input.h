/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.h: a fuzzer's input as a sequence of steps: bytes are taken from its beginning, and where
 * it has ended they are zero. And insist(), which tells the fuzzer that something is wrong.
 */
#ifndef BASILISK_TAP_TESTS_FUZZ_INPUT_H
#define BASILISK_TAP_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a function that checks: another way through it is no discovery, and noting it takes time. */
#define unseen __attribute__((no_sanitize("coverage")))

#define insist(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t take_byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint16_t take_u16(struct input *in)
{
	uint16_t high = take_byte(in);

	return (uint16_t)(high << 8 | take_byte(in));
}

/* At most @max bytes, as many as the next byte says: *@len of them at the returned place. */
static inline const uint8_t *take_some(struct input *in, size_t max, size_t *len)
{
	const uint8_t *bytes;

	*len = take_byte(in);
	if (*len > in->left)
		*len = in->left;
	if (*len > max)
		*len = max;
	bytes = in->at;
	in->at += *len;
	in->left -= *len;
	return bytes;
}

/* A copy of its own, so that a read beyond its end is seen. Freed by the caller. */
static inline uint8_t *copy_of(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy, bytes, len);
	return copy;
}

#endif
