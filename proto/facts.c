/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.c: see facts.h. Pure: no I/O, no globals, no allocation.
 */
#include "facts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

#define ERRNO_MAX 4095 /* of <linux/err.h> */

int facts_format(const struct facts *facts, char *text, size_t size)
{
	const struct caller *caller = facts->caller;
	size_t len = (size_t)snprintf(text, size, FACTS_NAME "=%s %d %d %u %u", facts->mode,
				      -facts->policy, -facts->tun, caller->uid, caller->gid);

	for (size_t i = 0; i < caller->group_count && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, " %u", caller->groups[i]);
	return len < size ? 0 : -E2BIG;
}

static int read_number(const char *word, uint32_t max, uint32_t *number)
{
	return word ? number_parse(word, strlen(word), max, number) : -EINVAL;
}

int facts_parse(struct facts *facts, char *text)
{
	struct caller *caller = facts->caller;
	const size_t room = sizeof(caller->groups) / sizeof(caller->groups[0]);
	uint32_t policy, tun;
	char *save, *word;

	caller->group_count = 0;
	facts->mode = strtok_r(text, " ", &save);
	if (!facts->mode || read_number(strtok_r(NULL, " ", &save), ERRNO_MAX, &policy) ||
	    read_number(strtok_r(NULL, " ", &save), ERRNO_MAX, &tun) ||
	    read_number(strtok_r(NULL, " ", &save), UINT32_MAX, &caller->uid) ||
	    read_number(strtok_r(NULL, " ", &save), UINT32_MAX, &caller->gid))
		return -EINVAL;
	facts->policy = -(int)policy;
	facts->tun = -(int)tun;
	while ((word = strtok_r(NULL, " ", &save)))
		if (caller->group_count == room ||
		    read_number(word, UINT32_MAX, &caller->groups[caller->group_count++]))
			return -EINVAL;
	return 0;
}
