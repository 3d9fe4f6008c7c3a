/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_ifname.c: what can name an interface, before the kernel is asked.
 */
#include <errno.h>

#include "ifname.h"
#include "proto_test.h"

static int check(const char *name, size_t len)
{
	return ifname_check(at_edge(name, len), len);
}

START_TEST(test_ifname_takes_what_the_kernel_takes)
{
	static const char *const good[] = {
		"a",  "eth0", "enp0s31f6", "br-lan", "wlp2s0.100",	"...",
		".a", "a..",  "..a",	   "!~",     "with_15_letters", "{}[]()<>;&|$'\"",
	};

	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_int_eq(check(good[i], strlen(good[i])), 0);
}
END_TEST

START_TEST(test_ifname_refuses_16_bytes_and_never_cuts)
{
	ck_assert_int_eq(check("abcdefghijklmno", 15), 0);
	ck_assert_int_eq(check("abcdefghijklmnop", 16), -ENAMETOOLONG);
	ck_assert_int_eq(check("//////////////////////", 22), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_ifname_refuses_no_name_and_the_dots)
{
	ck_assert_int_eq(check("", 0), -EINVAL);
	ck_assert_int_eq(check(".", 1), -EINVAL);
	ck_assert_int_eq(check("..", 2), -EINVAL);
	ck_assert_int_eq(check(".a", 2), 0);
	ck_assert_int_eq(check("a.", 2), 0);
}
END_TEST

/* Each byte, at each place of a name. */
START_TEST(test_ifname_refuses_each_byte_that_is_not_printable_or_special)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		bool good = byte > ' ' && byte < 127 && byte != '/' && byte != ':' && byte != '%';

		for (size_t at = 0; at < 4; at++) {
			char name[] = "eth0";

			name[at] = (char)byte;
			ck_assert_msg(ifname_check(name, 4) == (good ? 0 : -EINVAL),
				      "byte 0x%02x at %zu", byte, at);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_ifname_takes_what_the_kernel_takes,
		test_ifname_refuses_16_bytes_and_never_cuts,
		test_ifname_refuses_no_name_and_the_dots,
		test_ifname_refuses_each_byte_that_is_not_printable_or_special,
	};

	return run_tests("proto/ifname", tests, COUNT(tests));
}
