/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text_test.h: what the unit tests of the policy and of text files share: texts from strings.
 */
#ifndef BASILISK_TAP_TESTS_UNIT_TEXT_TEST_H
#define BASILISK_TAP_TESTS_UNIT_TEXT_TEST_H

#include "proto_test.h"
#include "text.h"

static inline void fill_text(struct text *text, const char *bytes)
{
	text->len = strlen(bytes);
	text->at = 0;
	ck_assert_uint_le(text->len, TEXT_MAX);
	memcpy(text->bytes, bytes, text->len + 1);
}

#endif
