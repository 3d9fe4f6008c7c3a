/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper_text.h: what the unit tests of the policy and of text files share: texts from strings, and
 * descriptors of files as they are.
 */
#ifndef BASILISK_TAP_TESTS_UNIT_HELPER_TEXT_H
#define BASILISK_TAP_TESTS_UNIT_HELPER_TEXT_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "proto_test.h"
#include "text.h"

static inline void fill_text(struct text *text, const char *bytes)
{
	text->len = strlen(bytes);
	text->at = 0;
	ck_assert_uint_le(text->len, TEXT_MAX);
	memcpy(text->bytes, bytes, text->len + 1);
}

/* A file of this user's in memory; read from its beginning, whatever was written. */
static inline int file_of(const char *bytes, size_t len, mode_t mode)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	return fd;
}

#endif
