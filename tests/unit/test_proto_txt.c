/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_txt.c: the TXT record, as others write it and as nobody should.
 */
#include <errno.h>
#include <stdio.h>

#include "proto_test.h"
#include "txt.h"

#define GOOD "mac=b20011223344", "version=1.0"

static const struct mac sample_mac = { { 0xb2, 0x00, 0x11, 0x22, 0x33, 0x44 } };

/* Puts the strings of a NULL-terminated list into @rdata, each behind its length. */
static size_t pack(const char *const strings[], uint8_t *rdata)
{
	size_t len = 0;

	for (; *strings; strings++) {
		const size_t n = strlen(*strings);

		ck_assert(n < 256 && len + 1 + n <= TXT_RDATA_MAX);
		rdata[len++] = (uint8_t)n;
		memcpy(rdata + len, *strings, n);
		len += n;
	}
	return len;
}

/* Decodes rdata that ends where memory does; a refusal must leave the result alone. */
static int decode(const uint8_t *rdata, size_t len, struct txt *txt)
{
	struct txt before;
	int err;

	memset(txt, 0x55, sizeof(*txt));
	memcpy(&before, txt, sizeof(before));
	err = txt_decode(at_edge(rdata, len), len, txt);
	ck_assert(err == 0 || memcmp(&before, txt, sizeof(before)) == 0);
	return err;
}

static int decode_strings(const char *const strings[], struct txt *txt)
{
	uint8_t rdata[TXT_RDATA_MAX];

	return decode(rdata, pack(strings, rdata), txt);
}

/* Decodes a good record with one string more. */
static int decode_with(const char *string, struct txt *txt)
{
	return decode_strings((const char *const[]){ GOOD, string, NULL }, txt);
}

START_TEST(test_txt_is_written_as_documented)
{
	static const char *const strings[] = {
		"mac=b20011223344", "port=6066",    "version=1.0", "mode=bridge",
		"hostname=ada",	    "attach=patch", NULL
	};
	const struct txt txt = { sample_mac, 6066, true, ATTACH_PATCH, "ada" };
	uint8_t rdata[TXT_MAX], wanted[TXT_RDATA_MAX];
	const size_t len = pack(strings, wanted);

	ck_assert_uint_eq(txt_encode(&txt, rdata), len);
	ck_assert_mem_eq(rdata, wanted, len);
}
END_TEST

START_TEST(test_txt_comes_back)
{
	static const uint16_t ports[] = { 1, 80, 6066, 65535 };
	static const char *const hostnames[] = { "", "ada", "Jürgens Macintosh \xf0\x9f\x96\xa5" };

	for (unsigned int i = 0; i < 4 * 3 * 2 * ATTACH_COUNT; i++) {
		struct txt txt = { .mac = sample_mac,
				   .port = ports[i % 4],
				   .bridged = i / 12 % 2,
				   .attach = (enum attach)(i / 24) },
			   back;
		uint8_t rdata[TXT_MAX];

		strcpy(txt.hostname, hostnames[i / 4 % 3]);
		ck_assert_int_eq(decode(rdata, txt_encode(&txt, rdata), &back), 0);
		ck_assert(mac_equal(&back.mac, &txt.mac));
		ck_assert_uint_eq(back.port, txt.port);
		ck_assert_int_eq(back.bridged, txt.bridged);
		ck_assert_int_eq(back.attach, txt.attach);
		ck_assert_str_eq(back.hostname, txt.hostname);
	}
}
END_TEST

START_TEST(test_txt_of_the_longest_stays_in_its_buffer)
{
	struct txt txt = { .mac = sample_mac,
			   .port = 65535,
			   .bridged = true,
			   .attach = ATTACH_BRIDGE },
		   back;
	uint8_t rdata[TXT_MAX + 1];
	size_t len;

	memset(txt.hostname, 'h', TXT_HOSTNAME_SIZE - 1);
	memset(rdata, 0x55, sizeof(rdata));
	len = txt_encode(&txt, rdata);
	ck_assert_uint_le(len, TXT_MAX);
	ck_assert_int_eq(rdata[TXT_MAX], 0x55);
	ck_assert_int_eq(decode(rdata, len, &back), 0);
	ck_assert_str_eq(back.hostname, txt.hostname);
}
END_TEST

START_TEST(test_txt_needs_mac_and_version_alone)
{
	struct txt txt;

	ck_assert_int_eq(decode_strings((const char *const[]){ GOOD, NULL }, &txt), 0);
	ck_assert(mac_equal(&txt.mac, &sample_mac));
	ck_assert_uint_eq(txt.port, 0);
	ck_assert(!txt.bridged);
	ck_assert_int_eq(txt.attach, ATTACH_NO);
	ck_assert_str_eq(txt.hostname, "");
	ck_assert_int_eq(decode_strings((const char *const[]){ "mac=b20011223344", NULL }, &txt),
			 -EINVAL);
	ck_assert_int_eq(decode_strings((const char *const[]){ "version=1.0", NULL }, &txt),
			 -EINVAL);
	ck_assert_int_eq(decode_strings((const char *const[]){ NULL }, &txt), -EINVAL);
	ck_assert_int_eq(decode_strings((const char *const[]){ "", NULL }, &txt), -EINVAL);
}
END_TEST

START_TEST(test_txt_without_attach_follows_from_the_mode)
{
	struct txt txt;

	ck_assert_int_eq(decode_with("mode=bridge", &txt), 0);
	ck_assert(txt.bridged);
	ck_assert_int_eq(txt.attach, ATTACH_PATCH);
	ck_assert_int_eq(decode_with("mode=p2p", &txt), 0);
	ck_assert(!txt.bridged);
	ck_assert_int_eq(txt.attach, ATTACH_NO);
	ck_assert_int_eq(
		decode_strings((const char *const[]){ GOOD, "attach=no", "mode=bridge", NULL },
			       &txt),
		0);
	ck_assert_int_eq(txt.attach, ATTACH_NO);
}
END_TEST

START_TEST(test_txt_takes_keys_in_any_case_and_order)
{
	struct txt txt;

	ck_assert_int_eq(decode_strings((const char *const[]){ "ATTACH=host", "Hostname=Ada",
							       "MODE=p2p", "VerSion=1.7", "PORT=1",
							       "MAC=B2:00:11:22:33:44", NULL },
					&txt),
			 0);
	ck_assert(mac_equal(&txt.mac, &sample_mac));
	ck_assert_uint_eq(txt.port, 1);
	ck_assert_int_eq(txt.attach, ATTACH_HOST);
	ck_assert_str_eq(txt.hostname, "Ada");
}
END_TEST

START_TEST(test_txt_passes_over_what_it_does_not_know)
{
	static const char *const unknown[] = {
		"",	"x",	 "x=1",	   "=",		"=mac",	   "macs=1",	   "ma=1",
		"mac ", "mad=1", "porz=1", "papers=A4", "mode2=x", "versio\xee=2",
	};
	struct txt txt;

	for (size_t i = 0; i < COUNT(unknown); i++)
		ck_assert_msg(decode_with(unknown[i], &txt) == 0, "%s", unknown[i]);
}
END_TEST

START_TEST(test_txt_refuses_each_bad_value)
{
	static const char *const bad[] = {
		"port=",      "port=0",	  "port=65536", "port=-1",     "port=06066",
		"port=6066 ", "port",	  "mode=",	"mode=Bridge", "mode=bridged",
		"mode=p2",    "mode",	  "attach=",	"attach=auto", "attach=Patch",
		"attach",     "hostname",
	};
	static const char *const bad_macs[] = {
		"mac=",
		"mac",
		"mac=b200112233",
		"mac=b2001122334455",
		"mac=b2:00:11:22:33:4",
		"mac=00001a334455",
		"mac=fe0011223344",
		"mac=b20011x23344",
		"mac=b2-00-11-22-33-44",
	};
	static const char *const bad_versions[] = {
		"version=", "version=1", "version=2.0", "version=10", "version=.1", "version",
	};
	struct txt txt;

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(decode_with(bad[i], &txt) == -EINVAL, "%s", bad[i]);
	for (size_t i = 0; i < COUNT(bad_macs); i++)
		ck_assert_msg(
			decode_strings((const char *const[]){ bad_macs[i], "version=1.0", NULL },
				       &txt) == -EINVAL,
			"%s", bad_macs[i]);
	for (size_t i = 0; i < COUNT(bad_versions); i++)
		ck_assert_msg(decode_strings((const char *const[]){ "mac=b20011223344",
								    bad_versions[i], NULL },
					     &txt) == -EINVAL,
			      "%s", bad_versions[i]);
}
END_TEST

START_TEST(test_txt_refuses_a_key_twice)
{
	static const char *const twice[] = {
		"mac=b20011223344",
		"MAC=b20011223344",
		"version=1.0",
		"version=1.1",
	};
	static const char *const keys[] = { "port=6066", "mode=p2p", "hostname=a", "attach=no" };
	struct txt txt;

	for (size_t i = 0; i < COUNT(twice); i++)
		ck_assert_int_eq(decode_with(twice[i], &txt), -EINVAL);
	for (size_t i = 0; i < COUNT(keys); i++)
		ck_assert_int_eq(
			decode_strings((const char *const[]){ GOOD, keys[i], keys[i], NULL }, &txt),
			-EINVAL);
	ck_assert_int_eq(decode_strings((const char *const[]){ GOOD, "x=1", "x=1", NULL }, &txt),
			 0);
}
END_TEST

START_TEST(test_txt_cut_anywhere_is_refused_or_whole)
{
	static const char *const strings[] = { GOOD, "port=6066", "hostname=ada", NULL };
	uint8_t rdata[TXT_RDATA_MAX];
	const size_t whole = pack(strings, rdata), needed = 1 + 16 + 1 + 11;

	for (size_t len = 0; len <= whole; len++) {
		const bool at_end = len == needed || len == needed + 10 || len == whole;
		struct txt txt;

		ck_assert_int_eq(decode(rdata, len, &txt), at_end ? 0 : -EINVAL);
	}
}
END_TEST

START_TEST(test_txt_string_never_reaches_beyond_the_record)
{
	static const char *const strings[] = { GOOD, NULL };
	uint8_t rdata[TXT_RDATA_MAX];
	const size_t len = pack(strings, rdata);
	struct txt txt;

	for (unsigned int n = 0; n < 256; n++) {
		rdata[len] = (uint8_t)n;
		ck_assert_int_eq(decode(rdata, len + 1, &txt), n == 0 ? 0 : -EINVAL);
	}
}
END_TEST

START_TEST(test_txt_has_at_most_1300_bytes)
{
	static const char *const strings[] = { GOOD, NULL };
	uint8_t rdata[TXT_RDATA_MAX + 1] = { 0 }; /* what follows the strings is empty strings */
	struct txt txt;

	pack(strings, rdata);
	ck_assert_int_eq(decode(rdata, TXT_RDATA_MAX, &txt), 0);
	ck_assert_int_eq(decode(rdata, TXT_RDATA_MAX + 1, &txt), -EINVAL);
}
END_TEST

START_TEST(test_txt_host_name_keeps_utf8_and_nothing_else)
{
	static const struct {
		const char *value, *hostname;
	} cases[] = {
		{ "", "" },
		{ "a b~", "a b~" },
		{ "\xc2\xa0", "\xc2\xa0" }, /* the lowest of two bytes that is no control */
		{ "\xdf\xbf", "\xdf\xbf" },
		{ "\xe0\xa0\x80", "\xe0\xa0\x80" },
		{ "\xed\x9f\xbf", "\xed\x9f\xbf" },
		{ "\xee\x80\x80", "\xee\x80\x80" },
		{ "\xef\xbf\xbf", "\xef\xbf\xbf" },
		{ "\xf0\x90\x80\x80", "\xf0\x90\x80\x80" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		/* control characters, of ASCII and of Latin-1 */
		{ "\x1b[31mred", "?[31mred" },
		{ "a\nb\x7f", "a?b?" },
		{ "\xc2\x80", "??" },
		{ "\xc2\x9f", "??" },
		/* no UTF-8 */
		{ "\x80", "?" },
		{ "\xbf", "?" },
		{ "\xc0\x80", "??" },
		{ "\xc1\xbf", "??" },
		{ "\xe0\x9f\xbf", "???" }, /* longer than need be */
		{ "\xf0\x8f\xbf\xbf", "????" },
		{ "\xed\xa0\x80", "???" }, /* surrogates */
		{ "\xed\xbf\xbf", "???" },
		{ "\xf4\x90\x80\x80", "????" }, /* beyond U+10FFFF */
		{ "\xf5\x80\x80\x80", "????" },
		{ "\xff\xfe", "??" },
		{ "\xc3(", "?(" },
		{ "\xe2\x82", "??" }, /* ends within a character */
		{ "\xe2\x28\xa1", "?(?" },
		{ "\xf0\x90\x80", "???" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char string[64];
		struct txt txt;

		snprintf(string, sizeof(string), "hostname=%s", cases[i].value);
		ck_assert_int_eq(decode_with(string, &txt), 0);
		ck_assert_str_eq(txt.hostname, cases[i].hostname);
	}
}
END_TEST

START_TEST(test_txt_host_name_with_a_nul_goes_on_behind_it)
{
	uint8_t rdata[TXT_RDATA_MAX];
	size_t len = pack((const char *const[]){ GOOD, "hostname=aXb", NULL }, rdata);
	struct txt txt;

	rdata[len - 2] = '\0';
	ck_assert_int_eq(decode(rdata, len, &txt), 0);
	ck_assert_str_eq(txt.hostname, "a?b");
}
END_TEST

START_TEST(test_txt_host_name_is_cut_between_characters)
{
	for (size_t before = 55; before < 70; before++) {
		const size_t fits = before > 63 ? 63 : before;
		char string[128] = "hostname=";
		struct txt txt;

		memset(string + 9, 'n', before);
		strcpy(string + 9 + before, "\xe2\x82\xac!");
		ck_assert_int_eq(decode_with(string, &txt), 0);
		if (before + 3 <= 63) {
			ck_assert_uint_eq(strlen(txt.hostname), before + 3 + (before + 4 <= 63));
			ck_assert_mem_eq(txt.hostname + before, "\xe2\x82\xac", 3);
		} else {
			ck_assert_uint_eq(strlen(txt.hostname), fits);
			ck_assert_int_eq(txt.hostname[fits - 1], 'n');
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_txt_is_written_as_documented,
		test_txt_comes_back,
		test_txt_of_the_longest_stays_in_its_buffer,
		test_txt_needs_mac_and_version_alone,
		test_txt_without_attach_follows_from_the_mode,
		test_txt_takes_keys_in_any_case_and_order,
		test_txt_passes_over_what_it_does_not_know,
		test_txt_refuses_each_bad_value,
		test_txt_refuses_a_key_twice,
		test_txt_cut_anywhere_is_refused_or_whole,
		test_txt_string_never_reaches_beyond_the_record,
		test_txt_has_at_most_1300_bytes,
		test_txt_host_name_keeps_utf8_and_nothing_else,
		test_txt_host_name_with_a_nul_goes_on_behind_it,
		test_txt_host_name_is_cut_between_characters,
	};

	return run_tests("proto/txt", tests, COUNT(tests));
}
