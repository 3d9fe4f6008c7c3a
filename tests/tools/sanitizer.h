/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sanitizer.h: which calls a sanitizer makes for itself in a program that tracer.c runs: in a build
 * of `make check-asan` they are neither counted nor touched, for they are more or fewer each time.
 *
 * Relies on the sanitizer being a library, as gcc has it, and on who starts the tracer to have
 * ASAN_OPTIONS in its environment then. Elsewhere every call is the program's own.
 */
#ifndef BASILISK_TAP_TESTS_SANITIZER_H
#define BASILISK_TAP_TESTS_SANITIZER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>

#define PLACES_MAX 256

/* Instructions that make calls, and whose they are: of one process. */
struct places {
	size_t count;
	struct place {
		uint64_t at;
		bool sanitizers;
	} place[PLACES_MAX];
};

static bool sanitizer_has(pid_t pid, uint64_t at)
{
	unsigned long long from, to;
	char path[64], line[512];
	bool has = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%llx-%llx", &from, &to) == 2 && at >= from && at < to)
			has = strstr(line, "/libasan.so") || strstr(line, "/libubsan.so");
	if (maps)
		fclose(maps);
	return has;
}

static bool sanitizer_calls(struct places *places, pid_t pid, uint64_t at, uint64_t nr)
{
	struct place *place = places->place;

	if (!getenv("ASAN_OPTIONS"))
		return false;
	if (nr == SYS_sigaltstack) /* which it asks libc for */
		return true;
	for (; place < places->place + places->count; place++)
		if (place->at == at)
			return place->sanitizers;
	if (places->count == PLACES_MAX)
		return sanitizer_has(pid, at);
	*place = (struct place){ at, sanitizer_has(pid, at) };
	places->count++;
	return place->sanitizers;
}

#endif
