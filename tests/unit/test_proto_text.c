/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_text.c: passwd(5), group(5) and subuid(5), also as hands have mistyped them.
 */
#include <errno.h>

#include "text_test.h"

static struct text text;

START_TEST(test_text_is_taken_apart_at_line_ends)
{
	fill_text(&text, "one\n\ntwo\nthree");
	ck_assert_str_eq(text_next(&text, '\n'), "one");
	ck_assert_str_eq(text_next(&text, '\n'), "");
	ck_assert_str_eq(text_next(&text, '\n'), "two");
	ck_assert_str_eq(text_next(&text, '\n'), "three");
	ck_assert_ptr_null(text_next(&text, '\n'));
	fill_text(&text, "");
	ck_assert_ptr_null(text_next(&text, '\n'));
}
END_TEST

#define PASSWD                                                                                     \
	"root:x:0:0:root:/root:/bin/sh\n"                                                          \
	"\n"                                                                                       \
	"broken\n"                                                                                 \
	"broken:x\n"                                                                               \
	"ma:x:5:55::\n"                                                                            \
	"mac:x:1000:100:,,:/home:/bin/sh\n"                                                        \
	"odd:x:ten:7:\n"                                                                           \
	"many:x:4294967295:7:\n"                                                                   \
	"nogroup:x:8:\n"                                                                           \
	"oddgroup:x:9:ten:\n"                                                                      \
	"nobodys:x:10:4294967295:\n"                                                               \
	"mac:x:1001:101:\n"                                                                        \
	"last:x:12"

START_TEST(test_name_is_found_as_a_whole_and_the_first_counts)
{
	uint32_t id = 77;

	fill_text(&text, PASSWD);
	ck_assert_int_eq(text_find_name(&text, "mac", &id), 0);
	ck_assert_uint_eq(id, 1000);
	ck_assert_int_eq(text_find_name(&text, "root", &id), 0);
	ck_assert_uint_eq(id, 0);
	ck_assert_int_eq(text_find_name(&text, "last", &id), 0);
	ck_assert_uint_eq(id, 12);
	id = 77;
	ck_assert_int_eq(text_find_name(&text, "m", &id), -ENOENT);
	ck_assert_int_eq(text_find_name(&text, "macs", &id), -ENOENT);
	ck_assert_int_eq(text_find_name(&text, "mad", &id), -ENOENT);
	ck_assert_int_eq(text_find_name(&text, "broken", &id), -ENOENT);
	ck_assert_int_eq(text_find_name(&text, "odd", &id), -EINVAL);
	ck_assert_int_eq(text_find_name(&text, "many", &id), -EINVAL);
	ck_assert_uint_eq(id, 77);
}
END_TEST

START_TEST(test_group_of_a_name_is_the_fourth_field)
{
	uint32_t id = 77;

	fill_text(&text, PASSWD);
	ck_assert_int_eq(text_find_group_of(&text, "nobody", &id), -ENOENT);
	ck_assert_int_eq(text_find_group_of(&text, "nogroup", &id), -ENOENT);
	ck_assert_int_eq(text_find_group_of(&text, "last", &id), -ENOENT);
	ck_assert_int_eq(text_find_group_of(&text, "oddgroup", &id), -EINVAL);
	ck_assert_int_eq(text_find_group_of(&text, "nobodys", &id), -EINVAL);
	ck_assert_uint_eq(id, 77);
	ck_assert_int_eq(text_find_group_of(&text, "mac", &id), 0);
	ck_assert_uint_eq(id, 100);
	ck_assert_int_eq(text_find_group_of(&text, "ma", &id), 0);
	ck_assert_uint_eq(id, 55);
}
END_TEST

START_TEST(test_number_leads_to_the_first_name_that_fits)
{
	char name[5] = "same";

	fill_text(&text, PASSWD);
	ck_assert_int_eq(text_find_id(&text, 77, name, sizeof(name)), -ENOENT);
	ck_assert_int_eq(text_find_id(&text, UINT32_MAX, name, sizeof(name)), -ENOENT);
	ck_assert_int_eq(text_find_id(&text, 8, name, sizeof(name)), -ENOSPC);
	ck_assert_int_eq(text_find_id(&text, 12, name, 4), -ENOSPC);
	ck_assert_str_eq(name, "same");
	ck_assert_int_eq(text_find_id(&text, 12, name, sizeof(name)), 0);
	ck_assert_str_eq(name, "last");
	ck_assert_int_eq(text_find_id(&text, 1000, name, sizeof(name)), 0);
	ck_assert_str_eq(name, "mac");
}
END_TEST

START_TEST(test_range_begins_with_its_first_and_has_so_many)
{
	fill_text(&text, "mac:100000:3\nodd:x:9\nodd:7:x\nlisa:4294967294:2\nshort:5\n"
			 "none:200000:0\nwith:300000:2:more\n");
	ck_assert(!text_has_range(&text, 99999));
	ck_assert(text_has_range(&text, 100000));
	ck_assert(text_has_range(&text, 100002));
	ck_assert(!text_has_range(&text, 100003));
	ck_assert(text_has_range(&text, UINT32_MAX));
	ck_assert(!text_has_range(&text, UINT32_MAX - 2));
	ck_assert(!text_has_range(&text, 0)); /* no range goes round */
	ck_assert(!text_has_range(&text, 5));
	ck_assert(!text_has_range(&text, 7));
	ck_assert(!text_has_range(&text, 200000));
	ck_assert(text_has_range(&text, 300001));
}
END_TEST

START_TEST(test_groups_of_a_member_are_those_that_list_the_whole_name)
{
	uint32_t ids[5] = { 7, 7, 7, 7, 7 };

	fill_text(&text, "a:x:1:mac\nb:x:2:lisa,mac\nc:x:3:mac,lisa\nd:x:4:macs\ne:x:5:ma,mad\n"
			 "f:x:six:mac\ng:x:7:\nh:x:8\ni:x:9:,,mac\nj:x:10:ma,c");
	ck_assert_int_eq(text_find_groups(&text, "mac", ids, 3), -ENOSPC);
	ck_assert_int_eq(text_find_groups(&text, "mac", ids, 5), 4); /* not the group "six" */
	ck_assert_uint_eq(ids[3], 9);
	ck_assert_uint_eq(ids[4], 7);
	ck_assert_int_eq(text_find_groups(&text, "lisa", ids, 2), 2);
	ck_assert_uint_eq(ids[0], 2);
	ck_assert_uint_eq(ids[1], 3);
	ck_assert_int_eq(text_find_groups(&text, "c", ids, 1), 1);
	ck_assert_uint_eq(ids[0], 10);
	ck_assert_int_eq(text_find_groups(&text, "nobody", ids, 0), 0);
	ck_assert_int_eq(text_find_groups(&text, "nobody-with-a-long-name", ids, 0), 0);
	ck_assert_int_eq(text_find_groups(&text, "ma", ids, 0), -ENOSPC);
}
END_TEST

START_TEST(test_error_of_a_file_is_told_in_words)
{
	static const int errors[] = { EACCES, ELOOP, EFBIG, EILSEQ, ENOENT };

	for (size_t i = 0; i < COUNT(errors); i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(text_error(-errors[i]), text_error(-errors[k]));
	ck_assert_str_eq(text_error(-ELOOP), "is a symbolic link");
	ck_assert_str_eq(text_error(-EIO), strerror(EIO));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_text_is_taken_apart_at_line_ends,
		test_name_is_found_as_a_whole_and_the_first_counts,
		test_group_of_a_name_is_the_fourth_field,
		test_number_leads_to_the_first_name_that_fits,
		test_range_begins_with_its_first_and_has_so_many,
		test_groups_of_a_member_are_those_that_list_the_whole_name,
		test_error_of_a_file_is_told_in_words,
	};

	return run_tests("proto/text", tests, COUNT(tests));
}
