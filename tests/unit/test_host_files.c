/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_host_files.c: files of root's, read whole or not at all; the policy in one, and the host's
 * identity.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "files.h"
#include "mac.h"
#include "text_test.h"

static struct text text, users, groups;
static struct policy policy;
static struct outcome outcome;

/* A file of this user's in memory; read from its beginning, whatever was written. */
static inline int file_of(const char *bytes, size_t len, mode_t mode)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	return fd;
}

static int read_file(const char *path, int flags)
{
	/* NOLINTNEXTLINE(android-cloexec-open): no program is ever executed */
	int fd = open(path, flags), err;

	ck_assert_int_ge(fd, 0);
	text.len = 7;
	err = files_read(&text, fd);
	ck_assert(err == 0 || text.len == 0);
	close(fd);
	return err;
}

START_TEST(test_only_a_whole_text_that_root_alone_may_write_is_read)
{
	ck_assert_int_eq(files_read(&text, -ELOOP), -ELOOP); /* it did not open */
	ck_assert_int_eq(files_read(&text, 1000000), -EBADF);
	ck_assert_int_eq(read_file("/etc/passwd", O_RDONLY), 0);
	ck_assert_uint_gt(text.len, 0);
	ck_assert_uint_eq(text.bytes[text.len], '\0');
	ck_assert_int_eq(read_file("/etc", O_RDONLY), -EACCES);
	ck_assert_int_eq(read_file("/dev/null", O_RDONLY), -EACCES);
	/* fstat() knows it, and it cannot be read */
	ck_assert_int_eq(read_file("/etc/passwd", O_PATH), -EBADF);
	/* programs: large files of root's, and with NUL bytes */
	ck_assert_int_eq(read_file("/bin/bash", O_RDONLY), -EFBIG);
	ck_assert_int_eq(read_file("/bin/true", O_RDONLY), -EILSEQ);
}
END_TEST

START_TEST(test_text_that_others_own_or_write_is_not_read)
{
	static const mode_t writable[] = { 0664, 0646, 0620, 0602, 0666 };
	int fd = file_of("1", 1, 0644);

	NEEDS(geteuid() == 0, "files of root's can only be made by root");
	ck_assert_int_eq(files_read(&text, fd), 0);
	ck_assert_int_eq(fchown(fd, 7001, 0), 0);
	ck_assert_int_eq(files_read(&text, fd), -EACCES);
	close(fd);
	for (size_t i = 0; i < COUNT(writable); i++) {
		fd = file_of("1", 1, writable[i]);
		ck_assert_int_eq(files_read(&text, fd), -EACCES);
		close(fd);
	}
}
END_TEST

START_TEST(test_text_is_read_to_its_last_byte)
{
	static char bytes[TEXT_MAX];
	int fd;

	NEEDS(geteuid() == 0, "files of root's can only be made by root");
	memset(bytes, 'x', sizeof(bytes));
	fd = file_of(bytes, TEXT_MAX - 1, 0600);
	ck_assert_int_eq(files_read(&text, fd), 0);
	ck_assert_uint_eq(text.len, TEXT_MAX - 1);
	ck_assert_int_eq(files_read(&text, fd), 0); /* once more: from its beginning */
	ck_assert_uint_eq(text.len, TEXT_MAX - 1);
	close(fd);
	fd = file_of(bytes, TEXT_MAX, 0600);
	ck_assert_int_eq(files_read(&text, fd), -EFBIG);
	ck_assert_uint_eq(text.len, 0);
	close(fd);
	bytes[4000] = '\0';
	fd = file_of(bytes, 4001, 0600);
	ck_assert_int_eq(files_read(&text, fd), -EILSEQ);
	ck_assert_uint_eq(text.len, 0);
	close(fd);
}
END_TEST

static int load(int fd)
{
	outcome = (struct outcome){ .code = OUTCOME_OK };
	fill_text(&text, "allow all");
	return files_policy(&policy, fd, &users, &groups, &text, &outcome);
}

START_TEST(test_policy_that_is_missing_or_unreadable_allows_root_alone)
{
	int writable = file_of("allow all", 9, 0646), good = file_of("allow all\n", 10, 0644);
	int bad = file_of("allow all\nperhaps", 17, 0644);

	NEEDS(geteuid() == 0, "files of root's can only be made by root");
	ck_assert_int_eq(load(-ENOENT), 0);
	ck_assert(policy.missing && !policy.rule_count);
	ck_assert_int_eq(load(-ELOOP), -1);
	ck_assert_str_eq(outcome.what, POLICY_FILE ": is a symbolic link");
	ck_assert(!policy.missing && !policy.rule_count);
	ck_assert_int_eq(load(writable), -1);
	ck_assert_str_eq(outcome.what,
			 POLICY_FILE ": is not a file of root's that only root may write and all "
				     "may read");
	ck_assert(outcome.code == OUTCOME_BAD_POLICY && !policy.missing && !policy.rule_count);
	ck_assert_int_eq(load(good), 0);
	ck_assert(!policy.missing && policy.rule_count == 1);
	ck_assert_int_eq(load(bad), -1);
	ck_assert(!policy.missing && !policy.rule_count);
	close(writable);
	close(good);
	close(bad);
}
END_TEST

START_TEST(test_host_is_its_machine_id_and_without_one_its_name)
{
	const int good = file_of("0123abcd\nrest", 13, 0444), empty = file_of("\n", 1, 0444);
	const int writable = file_of("0123abcd\n", 9, 0666);
	char name[256] = "";
	uint32_t host = 77;

	NEEDS(geteuid() == 0, "files of root's can only be made by root");
	ck_assert_int_eq(gethostname(name, sizeof(name) - 1), 0);
	outcome = (struct outcome){ .code = OUTCOME_OK };
	ck_assert_int_eq(files_host(&host, -ENOENT, &text, &outcome), 0);
	ck_assert_uint_eq(host, mac_host(name, strlen(name)));
	ck_assert_int_eq(files_host(&host, good, &text, &outcome), 0);
	ck_assert_uint_eq(host, mac_host("0123abcd", 8));
	ck_assert_int_eq(files_host(&host, empty, &text, &outcome), 0);
	ck_assert_uint_eq(host, mac_host(name, strlen(name)));
	ck_assert_int_eq(outcome.code, OUTCOME_OK);
	/* a file that cannot be trusted does not make it another host */
	ck_assert_int_eq(files_host(&host, writable, &text, &outcome), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_SYSTEM);
	ck_assert_str_eq(outcome.what, "/etc/machine-id: Permission denied");
	close(good);
	close(empty);
	close(writable);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_only_a_whole_text_that_root_alone_may_write_is_read,
		test_text_that_others_own_or_write_is_not_read,
		test_text_is_read_to_its_last_byte,
		test_policy_that_is_missing_or_unreadable_allows_root_alone,
		test_host_is_its_machine_id_and_without_one_its_name,
	};

	return run_tests("host/files", tests, COUNT(tests));
}
