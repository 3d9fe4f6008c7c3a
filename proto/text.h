/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.h: a text file as a whole, taken apart in place. host/files.h reads them.
 */
#ifndef BASILISK_TAP_PROTO_TEXT_H
#define BASILISK_TAP_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_MAX 262144 /* bytes of the longest file that is read */

/* A file's content; owned by whoever declared it. What text_next() returns points into it. */
struct text {
	size_t len, at; /* first: on the page that is touched anyway */
	int error;	/* why it could not be read, as a negative errno, or 0 */
	char bytes[TEXT_MAX + 1];
};

/* What kept a file from being read, in words that go behind its name. */
const char *text_error(int error);

/* The next piece up to @end or the text's end, NUL-terminated; NULL after the last. */
char *text_next(struct text *text, char end);

/*
 * Looks @name up in a text in the form of passwd(5) or group(5), from its beginning, and sets
 * *@id to the number in the third field. 0, -ENOENT, or -EINVAL: no number there. No name service
 * is asked.
 */
int text_find_name(struct text *text, const char *name, uint32_t *id);

/* The name of the first line whose third field is @id. 0, -ENOENT, or -ENOSPC: over @size. */
int text_find_id(struct text *text, uint32_t id, char *name, size_t size);

/* The fourth field of the line of @name: in passwd(5) the primary group. As text_find_name(). */
int text_find_group_of(struct text *text, const char *name, uint32_t *gid);

/* True where a line of a subuid(5) text has @id in its range. */
bool text_has_range(struct text *text, uint32_t id);

/* The ids of all lines of a group(5) text that list @name as a member; -ENOSPC over @max. */
int text_find_groups(struct text *text, const char *name, uint32_t *ids, size_t max);

#endif
