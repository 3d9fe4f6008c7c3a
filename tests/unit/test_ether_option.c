/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_ether_option.c: values of `ether`: which are ours, and what they mean.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "ether_option.h"
#include "suite.h"

static const char *const others[] = {
	"",	 "eth0",  "tun",   "tap0",     "slirp",	    "vde",   "automatic",    "AUTO",
	"auto ", "auto-", "auto_", "auto_p2p", "auto-p2p2", "/auto", "auto-bridge0", "udptunnel",
};

START_TEST(test_other_values_are_not_ours)
{
	ck_assert(!ether_option_is_ours(others[_i]));
}
END_TEST

static const struct good {
	const char *text;
	struct ether_option option;
} goods[] = {
	{ "auto", { ETHER_AUTO, -1, 0, "" } },
	{ "auto-bridge", { ETHER_BRIDGE, -1, 0, "" } },
	{ "auto-p2p", { ETHER_P2P, -1, 0, "" } },
	{ "auto/slot=0", { ETHER_AUTO, 0, 0, "" } },
	{ "auto,slot=15", { ETHER_AUTO, 15, 0, "" } },
	{ "auto-p2p/slot=3,port=7000", { ETHER_P2P, 3, 7000, "" } },
	{ "auto-p2p,port=65535/slot=3", { ETHER_P2P, 3, 65535, "" } },
	{ "auto/port=1024", { ETHER_AUTO, -1, 1024, "" } },
	{ "auto-bridge/bridge=br0", { ETHER_BRIDGE, -1, 0, "br0" } },
	{ "auto/bridge=abcdefghijklmno", { ETHER_AUTO, -1, 0, "abcdefghijklmno" } },
};

START_TEST(test_good_values_are_read)
{
	struct ether_option option;
	char error[ETHER_ERROR_SIZE] = "";
	const struct good *good = &goods[_i];

	ck_assert(ether_option_is_ours(good->text));
	ck_assert_msg(ether_option_parse(good->text, &option, error) == 0, "%s", error);
	ck_assert_int_eq(option.mode, good->option.mode);
	ck_assert_int_eq(option.slot, good->option.slot);
	ck_assert_uint_eq(option.port, good->option.port);
	ck_assert_str_eq(option.bridge, good->option.bridge);
}
END_TEST

static const struct bad {
	const char *text;
	const char *named; /* must stand in the error */
} bads[] = {
	{ "auto/", "''" },
	{ "auto,,", "''" },
	{ "auto/slot=3/", "''" },
	{ "auto/colour=red", "colour=red" },
	{ "auto/slot", "slot" },
	{ "auto/SLOT=1", "SLOT=1" },
	{ "auto/slot=", "slot=" },
	{ "auto/slot=16", "slot=16" },
	{ "auto/slot=-1", "slot=-1" },
	{ "auto/slot=01", "slot=01" },
	{ "auto/slot=1 ", "slot=1 " },
	{ "auto/slot=4294967297", "slot=4294967297" },
	{ "auto/port=0", "port=0" },
	{ "auto/port=1023", "port=1023" },
	{ "auto/port=65536", "port=65536" },
	{ "auto/slot=1,slot=2", "slot=2" },
	{ "auto/slot=1,port=7000/slot=1", "slot=1" },
	{ "auto/bridge=", "bridge=" },
	{ "auto/bridge=abcdefghijklmnop", "abcdefghijklmnop" },
	{ "auto/bridge=a b", "a b" },
	{ "auto/bridge=..", ".." },
	{ "auto-p2p/bridge=br0", "br0" },
};

START_TEST(test_errors_name_the_option)
{
	struct ether_option option;
	char error[ETHER_ERROR_SIZE] = "";

	ck_assert(ether_option_is_ours(bads[_i].text));
	ck_assert_int_eq(ether_option_parse(bads[_i].text, &option, error), -EINVAL);
	ck_assert_msg(strstr(error, bads[_i].named), "%s: %s", bads[_i].text, error);
}
END_TEST

START_TEST(test_errors_are_one_printable_line)
{
	char text[2048] = "auto/", error[ETHER_ERROR_SIZE];
	struct ether_option option;

	for (size_t i = strlen(text); i < sizeof(text) - 1; i++)
		text[i] = (char)(1 + i % 31); /* control characters, line ends, no separators */
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(ether_option_parse(text, &option, error), -EINVAL);
	ck_assert_uint_lt(strlen(error), sizeof(error));
	for (const char *p = error; *p; p++)
		ck_assert(*p >= ' ' && *p <= '~');
	memcpy(text, "auto/slot=", 10);
	ck_assert_int_eq(ether_option_parse(text, &option, error), -EINVAL);
	memcpy(text, "auto/port=", 10);
	ck_assert_int_eq(ether_option_parse(text, &option, error), -EINVAL);
	memcpy(text, "auto/bridge=", 12);
	ck_assert_int_eq(ether_option_parse(text, &option, error), -EINVAL);
}
END_TEST

START_TEST(test_null_is_not_ours)
{
	ck_assert(!ether_option_is_ours(NULL));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ether_option");
	TCase *cases = tcase_create("ether_option");

	tcase_add_loop_test(cases, test_other_values_are_not_ours, 0,
			    sizeof(others) / sizeof(others[0]));
	tcase_add_loop_test(cases, test_good_values_are_read, 0, sizeof(goods) / sizeof(goods[0]));
	tcase_add_loop_test(cases, test_errors_name_the_option, 0, sizeof(bads) / sizeof(bads[0]));
	tcase_add_test(cases, test_errors_are_one_printable_line);
	tcase_add_test(cases, test_null_is_not_ours);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
