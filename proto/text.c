/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.c: see text.h. Pure: no I/O, no globals, no allocation; no library is loaded and no other
 * process asked, as the C library's own functions for users and groups may.
 */
#include "text.h"

#include <errno.h>
#include <string.h>

#include "number.h"

const char *text_error(int error)
{
	switch (error) {
	case -EACCES:
		return "is not a file of root's that only root may write and all may read";
	case -ELOOP:
		return "is a symbolic link";
	case -EFBIG:
		return "is longer than 256 KiB";
	case -EILSEQ:
		return "has a NUL byte in it";
	default:
		return strerror(-error);
	}
}

char *text_next(struct text *text, char end)
{
	char *piece = text->bytes + text->at, *stop;

	if (text->at >= text->len)
		return NULL;
	stop = memchr(piece, end, text->len - text->at);
	if (!stop)
		stop = text->bytes + text->len;
	*stop = '\0';
	text->at = (size_t)(stop - text->bytes) + 1;
	return piece;
}

/* A line that has three fields or more: name, password, number, rest. */
struct entry {
	const char *name, *id, *rest;
	size_t name_len, id_len, rest_len;
};

static int next_entry(struct text *text, struct entry *e)
{
	while (text->at < text->len) {
		const char *line = text->bytes + text->at, *password, *rest;
		const char *end = memchr(line, '\n', text->len - text->at);

		if (!end)
			end = text->bytes + text->len;
		text->at = (size_t)(end - text->bytes) + 1;
		password = memchr(line, ':', (size_t)(end - line));
		e->id = password ? memchr(password + 1, ':', (size_t)(end - password - 1)) : NULL;
		if (!e->id)
			continue;
		e->id++;
		rest = memchr(e->id, ':', (size_t)(end - e->id));
		e->name = line;
		e->name_len = (size_t)(password - line);
		e->id_len = (size_t)((rest ? rest : end) - e->id);
		e->rest = rest ? rest + 1 : end;
		e->rest_len = (size_t)(end - e->rest);
		return 0;
	}
	return -ENOENT;
}

static int find(struct text *text, const char *name, struct entry *e)
{
	for (text->at = 0; next_entry(text, e) == 0;)
		if (e->name_len == strlen(name) && memcmp(e->name, name, e->name_len) == 0)
			return 0;
	return -ENOENT;
}

int text_find_name(struct text *text, const char *name, uint32_t *id)
{
	struct entry e;
	int err = find(text, name, &e);

	return err ? err : number_parse(e.id, e.id_len, UINT32_MAX - 1, id) ? -EINVAL : 0;
}

int text_find_group_of(struct text *text, const char *name, uint32_t *gid)
{
	struct entry e;
	int err = find(text, name, &e);
	const char *end = err ? NULL : memchr(e.rest, ':', e.rest_len);

	if (err || !end)
		return -ENOENT;
	return number_parse(e.rest, (size_t)(end - e.rest), UINT32_MAX - 1, gid) ? -EINVAL : 0;
}

int text_find_id(struct text *text, uint32_t id, char *name, size_t size)
{
	struct entry e;
	uint32_t found;

	for (text->at = 0; next_entry(text, &e) == 0;) {
		if (number_parse(e.id, e.id_len, UINT32_MAX - 1, &found) || found != id)
			continue;
		if (e.name_len >= size)
			return -ENOSPC;
		memcpy(name, e.name, e.name_len);
		name[e.name_len] = '\0';
		return 0;
	}
	return -ENOENT;
}

bool text_has_range(struct text *text, uint32_t id)
{
	uint32_t first, count;
	struct entry e;

	for (text->at = 0; next_entry(text, &e) == 0;) {
		const char *second = e.name + e.name_len + 1;

		if (number_parse(second, (size_t)(e.id - 1 - second), UINT32_MAX, &first) == 0 &&
		    number_parse(e.id, e.id_len, UINT32_MAX, &count) == 0 && id - first < count)
			return true;
	}
	return false;
}

static int is_member(const char *list, size_t len, const char *name)
{
	const size_t want = strlen(name);
	const char *comma;

	for (; len >= want; len -= (size_t)(comma + 1 - list), list = comma + 1) {
		comma = memchr(list, ',', len);
		if ((comma ? (size_t)(comma - list) : len) == want && memcmp(list, name, want) == 0)
			return 1;
		if (!comma)
			break;
	}
	return 0;
}

int text_find_groups(struct text *text, const char *name, uint32_t *ids, size_t max)
{
	struct entry e;
	size_t n = 0;

	for (text->at = 0; next_entry(text, &e) == 0;) {
		if (!is_member(e.rest, e.rest_len, name))
			continue;
		if (n == max)
			return -ENOSPC;
		if (number_parse(e.id, e.id_len, UINT32_MAX - 1, &ids[n]) == 0)
			n++;
	}
	return (int)n;
}
