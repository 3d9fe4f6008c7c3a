/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.c: see files.h. Reads only descriptors that were opened before; never opens a path.
 */
#include "files.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mac.h"

static int read_whole(struct text *text, int fd)
{
	struct stat st;
	ssize_t n = 1;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EACCES;
	while (n > 0 && text->len < TEXT_MAX) {
		n = pread(fd, text->bytes + text->len, TEXT_MAX - text->len, (off_t)text->len);
		if (n < 0)
			return -errno;
		text->len += (size_t)n;
	}
	if (text->len == TEXT_MAX)
		return -EFBIG;
	text->bytes[text->len] = '\0';
	return memchr(text->bytes, '\0', text->len) ? -EILSEQ : 0;
}

int files_read(struct text *text, int fd)
{
	int err;

	text->at = text->len = 0;
	text->error = err = read_whole(text, fd);
	if (err) /* half a file is none: it may end in the middle of a number */
		text->len = 0;
	return err;
}

int files_policy(struct policy *policy, int fd, struct text *users, struct text *groups,
		 struct text *scratch, struct outcome *outcome)
{
	int err = files_read(scratch, fd);

	policy_parse(policy, scratch, users, groups, outcome);
	policy->missing = err == -ENOENT;
	if (err && !policy->missing)
		outcome_set(outcome, OUTCOME_BAD_POLICY, "%s: %s", POLICY_FILE, text_error(err));
	return outcome->code ? -1 : 0;
}

int files_host(uint32_t *host, int fd, struct text *scratch, struct outcome *outcome)
{
	char name[HOST_NAME_MAX + 1] = "";
	int err = files_read(scratch, fd);
	size_t len = mac_identity_len(scratch->bytes, scratch->len);

	if (err != -ENOENT && outcome_set_errno(outcome, err, "/etc/machine-id"))
		return -1;
	if (len == 0)
		gethostname(name, sizeof(name) - 1);
	*host = len ? mac_host(scratch->bytes, len) : mac_host(name, strlen(name));
	return 0;
}

int files_peer(struct caller *caller, int lent, struct text *users, struct text *groups,
	       struct text *scratch, struct outcome *outcome)
{
	const size_t room = sizeof(caller->groups) / sizeof(caller->groups[0]);
	char name[LOGIN_NAME_MAX];
	int err = files_read(scratch, lent), count;

	if (err != -ENOENT && outcome_set_errno(outcome, err, "/etc/subuid"))
		return -1;
	if (!err && text_has_range(scratch, caller->uid))
		return outcome_set(outcome, OUTCOME_FOREIGN_NAMESPACE,
				   "user %u is one of the ids that /etc/subuid lends out",
				   caller->uid);
	err = text_find_id(users, caller->uid, name, sizeof(name));
	if (err == -ENOENT)
		return 0;
	if (!err && caller->group_count < room &&
	    text_find_group_of(users, name, &caller->groups[caller->group_count]) == 0)
		caller->group_count++;
	count = err ? err :
		      text_find_groups(groups, name, caller->groups + caller->group_count,
				       room - caller->group_count);
	if (outcome_set_errno(outcome, count, "the groups of user %u", caller->uid))
		return -1;
	caller->group_count += (size_t)count;
	return 0;
}
