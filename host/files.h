/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.h: what the administrator's files say: the policy, the users and groups it names, and what
 * tells this host from others.
 */
#ifndef BASILISK_TAP_HOST_FILES_H
#define BASILISK_TAP_HOST_FILES_H

#include "policy.h"

/*
 * Reads the regular file open at @fd from its beginning; a negative @fd is the errno of why it is
 * not open. 0, -EACCES (not root's, or others may write it), -EFBIG, -EILSEQ (a NUL byte: what
 * follows would be invisible), or another errno; then the text is empty.
 */
int files_read(struct text *text, int fd);

/*
 * Reads the policy at @fd (-ENOENT: there is none), as policy_parse(). @scratch is overwritten.
 */
int files_policy(struct policy *policy, int fd, struct text *users, struct text *groups,
		 struct text *scratch, struct outcome *outcome);

/*
 * mac_host() of the machine-id at @fd, or of the host's name where there is none. A file that is
 * there but cannot be read must not make it another host. 0, or -1 with OUTCOME_SYSTEM.
 */
int files_host(uint32_t *host, int fd, struct text *scratch, struct outcome *outcome);

/*
 * By the socket also callers come who are in a user namespace of their own, where setuid and file
 * capabilities do nothing. There they can leave groups, and be any of the ids that the
 * administrator has lent them for that: neither must lead past a 'deny'. So @caller gets the groups
 * that the texts give his user; whoever is in subuid(5), open at @lent, is refused. 0, or -1 with
 * @outcome.
 */
int files_peer(struct caller *caller, int lent, struct text *users, struct text *groups,
	       struct text *scratch, struct outcome *outcome);

#endif
