/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * counters.c: is linked into whatever `make coverage` builds, and into nothing else. Puts gcov's
 * counters, which counters.ld has laid side by side, into memory shared with a file: they count on
 * in a process that has no privilege, calls _exit() or is killed, and nothing is written at an end.
 *
 * Started with COVERAGE_DUMP in its environment, a program (or what a library is loaded into) has
 * gcov write its own files from what was counted, and ends.
 *
 * Must never: open anything later than before main(), or say a word.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* In hosts of the tests this is the folder; elsewhere it is COUNTERS. */
#define COUNTERS_OF_HOST "/run/basilisk-tap-counters"

extern char counters_begin[] __attribute__((visibility("hidden")));
extern char counters_end[] __attribute__((visibility("hidden")));

void __gcov_dump(void); /* of gcc's <gcov.h>, which clang-tidy cannot find */

/* What gcov would write at the end of a process stays unwritten. */
void __wrap___gcov_exit(void);
void __wrap___gcov_exit(void)
{
}

/*
 * Only the helper calls it. With COVERAGE_STOP in its environment the helper ends here, so that
 * what it has executed with all its privilege can be counted.
 */
static int stop;
int __real_drop_to_net_admin(int mode, uint32_t user, uint32_t group, void *outcome)
	__attribute__((weak));
int __wrap_drop_to_net_admin(int mode, uint32_t user, uint32_t group, void *outcome);
int __wrap_drop_to_net_admin(int mode, uint32_t user, uint32_t group, void *outcome)
{
	int err = __real_drop_to_net_admin(mode, user, group, outcome);

	if (stop)
		_exit(err);
	return err;
}

static int open_counters(const char *folder)
{
	const size_t size = (size_t)(counters_end - counters_begin);
	char path[4096];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/" COUNTERS_NAME, folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && ((size_t)st.st_size == size || ftruncate(fd, (off_t)size) == 0))
		return fd;
	close(fd);
	return -1;
}

__attribute__((constructor)) static void share_counters(void)
{
	const size_t size = (size_t)(counters_end - counters_begin);
	int fd = open_counters(COUNTERS_OF_HOST);

	if (fd < 0)
		fd = open_counters(COUNTERS);
	if (fd >= 0) {
		if (mmap(counters_begin, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 0) == MAP_FAILED)
			_exit(1); /* with nothing counted */
		close(fd);
	}
	stop = getenv("COVERAGE_STOP") != NULL;
	if (getenv("COVERAGE_DUMP")) {
		__gcov_dump();
		_exit(fd < 0 ? 1 : 0);
	}
}
