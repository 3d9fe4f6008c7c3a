/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.c: `basilisk-tap run`: starts a program with the preload library, by exec: the program has
 * this process, its terminal, and its signals.
 *
 * Programs that the loader would start without the library are refused with the reason, instead
 * of being started without a network and without a word.
 */
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli.h"
#include "siphash.h"
#include "slot.h"

#ifndef PRELOAD_PATH
#define PRELOAD_PATH "/usr/local/lib/basilisk-tap/basilisk-tap-preload.so"
#endif
#define PRELOAD_NAME "basilisk-tap-preload.so"
#define PATH_SIZE    4096
#define HEADERS_MAX  64 /* of an ELF file that are looked at */

static const char usage[] =
	"usage: basilisk-tap run [--] PROGRAM [ARGUMENT]...\n"
	"\n"
	"Starts an emulator so that `ether auto` in its prefs, or --ether auto, puts its Mac on\n"
	"the network: `auto`, `auto-bridge` or `auto-p2p`. All else is as without.\n"
	"With --dump-peers among its arguments the emulators on the network are listed instead.\n"
	"\n"
	"  --help       this text\n"
	"\n"
	"Exit status: the program's; 126 where it does not start, or would start without\n"
	"network; 127 where there is none.\n";

/* The library beside this program, as in a build directory, or as installed. */
static bool find_library(char *path)
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_SIZE - sizeof(PRELOAD_NAME) - 1);

	if (n > 0) {
		path[n] = '\0';
		strcpy(strrchr(path, '/') + 1, PRELOAD_NAME);
		if (access(path, R_OK) == 0)
			return true;
	}
	strcpy(path, PRELOAD_PATH);
	return access(path, R_OK) == 0;
}

/* LD_PRELOAD cannot name a path with a blank or colon: gives such a one a name that it can. */
static int plain_name(char *path)
{
	static const struct siphash_key key = { 0 };
	char target[PATH_SIZE], name[40], directory[SLOT_PATH_SIZE];
	int fd, error = 0;

	if (!strpbrk(path, " :\t\n"))
		return 0;
	fd = slot_directory(getuid(), 1);
	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "preload-%016llx.so",
		 (unsigned long long)siphash(&key, path, strlen(path)));
	if (symlinkat(path, fd, name) < 0) {
		ssize_t n = readlinkat(fd, name, target, sizeof(target) - 1);

		if (n < 0)
			error = -errno;
		else if ((size_t)n != strlen(path) || memcmp(target, path, (size_t)n) != 0)
			error = -EEXIST;
	}
	close(fd);
	snprintf(path, PATH_SIZE, "%s/%s", slot_path(getuid(), directory), name);
	return error;
}

/* Where execvp() would find @program: its path, or false with errno. */
static bool find_program(const char *program, char *path)
{
	const char *at = getenv("PATH");
	int error = ENOENT;

	if (strchr(program, '/')) {
		if (snprintf(path, PATH_SIZE, "%s", program) >= PATH_SIZE) {
			errno = ENAMETOOLONG;
			return false;
		}
		return access(path, F_OK) == 0;
	}
	for (at = at && *at ? at : "/bin:/usr/bin"; at;) {
		size_t len = strcspn(at, ":");
		int n = snprintf(path, PATH_SIZE, "%.*s%s%s", (int)len, at, len ? "/" : "",
				 program);

		if (n < PATH_SIZE && access(path, X_OK) == 0)
			return true;
		if (n < PATH_SIZE && access(path, F_OK) == 0)
			error = EACCES;
		at = at[len] ? at + len + 1 : NULL;
	}
	errno = error;
	return false;
}

/* Why the loader would be in its secure mode, and ignore the library, and what to do; or NULL. */
static const char *why_secure(const char *path, const struct stat *st)
{
	struct statvfs fs;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
	    (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID)))
		return NULL; /* the kernel gives it nothing */
	if ((st->st_mode & S_ISUID) && st->st_uid != geteuid())
		return "is setuid: take that from it, or start a copy of it";
	if ((st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP) && st->st_gid != getegid())
		return "is setgid: take that from it, or start a copy of it";
	if (geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "has file capabilities: take them from it, or start a copy of it";
	return NULL;
}

/* True where the ELF file @fd names a loader; false: it is static. Headers are native order. */
static bool names_loader(int fd, const Elf64_Ehdr *header)
{
	for (unsigned int i = 0; i < header->e_phnum && i < HEADERS_MAX; i++) {
		Elf64_Phdr segment;
		off_t at = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);

		if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
			return true;
		if (segment.p_type == PT_INTERP)
			return true;
	}
	return false;
}

/*
 * An AppImage: a program, today a static one, that starts what it carries. That is what gets the
 * library, and what counts, as with a script. The format marks it in the padding of e_ident.
 */
static bool is_appimage(const Elf64_Ehdr *header)
{
	return memcmp(header->e_ident + 8, "AI", 2) == 0;
}

/* Why no library can be preloaded into the program, as far as its file tells, and what to do; or
 * NULL. */
static const char *why_not_loaded(const char *path, const char *library)
{
	unsigned char ours[EI_NIDENT] = { 0 };
	Elf64_Ehdr header = { .e_type = ET_NONE };
	const char *why = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int own = open(library, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || own < 0 || pread(own, ours, sizeof(ours), 0) != sizeof(ours) ||
	    pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		goto out; /* a script, most likely: what it starts is what counts */
	if (header.e_ident[EI_CLASS] != ours[EI_CLASS])
		why = "is for another word size than " PRELOAD_NAME ": take a build for this one";
	else if (header.e_ident[EI_CLASS] == ELFCLASS64 &&
		 header.e_ident[EI_DATA] == ours[EI_DATA] && !is_appimage(&header) &&
		 !names_loader(fd, &header))
		why = "is statically linked: take a build that is not";
out:
	if (fd >= 0)
		close(fd);
	if (own >= 0)
		close(own);
	return why;
}

/* Our library first, then those that the user has there already. */
static int set_preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	size_t size = strlen(library) + 2 + (before ? strlen(before) : 0);
	char *value = malloc(size);
	int error;

	if (!value)
		return -ENOMEM;
	snprintf(value, size, "%s%s%s", library, before && *before ? ":" : "",
		 before ? before : "");
	error = setenv("LD_PRELOAD", value, 1) < 0 ? -errno : 0;
	free(value);
	return error;
}

int run_main(int argc, char *argv[])
{
	static const struct cli_option options[] = { { .name = NULL } };
	static char *const just_peers[] = { "peers", NULL };
	char library[PATH_SIZE], path[PATH_SIZE];
	const char *why;
	struct stat st;
	int status, error;
	int first = cli_options(argc, argv, options, usage, &status);

	if (first < 0)
		return status;
	if (first == argc)
		return cli_fail(CLI_USAGE, "run: which program? (try --help)");
	for (int i = first + 1; i < argc; i++) {
		if (strcmp(argv[i], "--dump-peers") == 0)
			return peers_main(1, (char **)just_peers);
	}
	if (!find_program(argv[first], path) || stat(path, &st) < 0)
		return cli_fail(errno == ENOENT || errno == ENOTDIR ? CLI_NO_PROGRAM : CLI_NO_START,
				"%s: %m%s", argv[first],
				errno == ENOENT && !strchr(argv[first], '/') ?
					": it is not in PATH; install it, or give its path" :
					"");
	if (!find_library(library))
		return cli_fail(CLI_NO_START, "%s: %m (is basilisk-tap installed?)", library);
	why = why_secure(path, &st);
	if (!why)
		why = why_not_loaded(path, library);
	if (why)
		return cli_fail(CLI_NO_START, "%s %s; as it is the loader lets no library into it",
				path, why);
	error = plain_name(library);
	if (!error)
		error = set_preload(library);
	if (error)
		return cli_fail(CLI_NO_START, "%s: %s", library, strerror(-error));
	execvp(path, argv + first);
	return cli_fail(CLI_NO_START, "%s: %m", path);
}
