/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * number.h: the one parser for integers that come as text.
 */
#ifndef BASILISK_TAP_PROTO_NUMBER_H
#define BASILISK_TAP_PROTO_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads exactly @len characters as a decimal number: digits only, no sign, no space, no
 * leading zero but for "0" itself, at most @max. Returns 0 and sets *@value, or -EINVAL (not
 * such a number), -ERANGE (more than @max); *@value is then untouched.
 */
int number_parse(const char *text, size_t len, uint32_t max, uint32_t *value);

#endif
