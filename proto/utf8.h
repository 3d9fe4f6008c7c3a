/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf8.h: text that others wrote, before people see it: what is UTF-8 (RFC 3629), and no control
 * character that a terminal might obey. Pure: no I/O, no globals, no allocation.
 */
#ifndef BASILISK_TAP_PROTO_UTF8_H
#define BASILISK_TAP_PROTO_UTF8_H

#include <stddef.h>

/* Bytes of the character at @text, of @left there; 0 if it is none, or a control character. */
size_t utf8_len(const void *text, size_t left);

#endif
