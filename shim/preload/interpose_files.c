/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interpose_files.c: the calls by which a descriptor comes, goes and is used. For any descriptor
 * that is not ours each is the real call and nothing else.
 */
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ours.h"
#include "real.h"

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);

/* ---- open ---- */

/*
 * @fd is what the real call returned: the card's driver is there, or it is not. A path that the
 * kernel could not read is not looked at: it may point anywhere.
 */
static int opened(int fd, const char *path, int flags)
{
	if (fd < 0 && errno != ENOENT && errno != ENODEV && errno != ENXIO && errno != EACCES)
		return fd;
	return strcmp(path, "/dev/sheep_net") == 0 ? ours_begin(fd, flags) : fd;
}

static mode_t mode_of(va_list args, int flags)
{
	bool makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;

	return makes ? va_arg(args, mode_t) : 0;
}

INTERPOSE int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(args, flags);
	va_end(args);
	return opened(real()->open(path, flags, mode), path, flags);
}

INTERPOSE int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(args, flags);
	va_end(args);
	return opened(real()->open64(path, flags, mode), path, flags);
}

INTERPOSE int openat(int directory, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(args, flags);
	va_end(args);
	return opened(real()->openat(directory, path, flags, mode), path, flags);
}

INTERPOSE int openat64(int directory, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(args, flags);
	va_end(args);
	return opened(real()->openat64(directory, path, flags, mode), path, flags);
}

INTERPOSE int __open_2(const char *path, int flags)
{
	return opened(real()->open_2(path, flags), path, flags);
}

INTERPOSE int __open64_2(const char *path, int flags)
{
	return opened(real()->open64_2(path, flags), path, flags);
}

INTERPOSE int __openat_2(int directory, const char *path, int flags)
{
	return opened(real()->openat_2(directory, path, flags), path, flags);
}

INTERPOSE int __openat64_2(int directory, const char *path, int flags)
{
	return opened(real()->openat64_2(directory, path, flags), path, flags);
}

/* ---- close ---- */

INTERPOSE int close(int fd)
{
	struct bt_device *left;
	int result;

	if (!ours(fd) || !ours_is_owner())
		return real()->close(fd);
	left = ours_remove((unsigned int)fd, (unsigned int)fd);
	result = real()->close(fd);
	bt_close(left);
	return result;
}

INTERPOSE int close_range(unsigned int first, unsigned int last, int flags)
{
	struct bt_device *left = NULL;
	int result;

	/* with any other flag nothing is closed, or the call fails */
	if (!(flags & ~CLOSE_RANGE_UNSHARE) && ours_is_owner())
		left = ours_remove(first, last);
	result = real()->close_range(first, last, flags);
	bt_close(left);
	return result;
}

INTERPOSE void closefrom(int first)
{
	struct bt_device *left = NULL;

	if (ours_is_owner())
		left = ours_remove(first < 0 ? 0 : (unsigned int)first, ~0u);
	real()->closefrom(first);
	bt_close(left);
}

/* ---- duplicates ---- */

static int added(int fd)
{
	if (fd >= 0 && ours_is_owner())
		ours_add(fd);
	return fd;
}

INTERPOSE int dup(int fd)
{
	int new = real()->dup(fd);

	return ours(fd) ? added(new) : new;
}

/* What is the same in dup2() and dup3(); @flags is NULL for dup2(). */
static int dup_to(int fd, int to, const int *flags)
{
	bool from_ours = ours(fd), over_ours = ours(to) && fd != to && ours_is_owner();
	struct bt_device *left = NULL;
	int new;

	/* not before it is known that the call will not fail for that */
	if (over_ours && real()->fcntl(fd, F_GETFD) >= 0 && !(flags && *flags & ~O_CLOEXEC))
		left = ours_remove((unsigned int)to, (unsigned int)to);
	new = flags ? real()->dup3(fd, to, *flags) : real()->dup2(fd, to);
	bt_close(left);
	return from_ours && fd != to ? added(new) : new;
}

INTERPOSE int dup2(int fd, int to)
{
	return dup_to(fd, to, NULL);
}

INTERPOSE int dup3(int fd, int to, int flags)
{
	return dup_to(fd, to, &flags);
}

static int after_fcntl(struct ours *card, int command, const void *argument, int result)
{
	if (result < 0)
		return result;
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		return added(result);
	if (command == F_SETFL)
		card->nonblocking = (int)(intptr_t)argument & O_NONBLOCK;
	return result;
}

INTERPOSE int fcntl(int fd, int command, ...)
{
	struct ours *card = ours(fd);
	va_list args;
	void *argument;
	int result;

	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	result = real()->fcntl(fd, command, argument);
	return card ? after_fcntl(card, command, argument, result) : result;
}

INTERPOSE int fcntl64(int fd, int command, ...)
{
	struct ours *card = ours(fd);
	va_list args;
	void *argument;
	int result;

	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	result = real()->fcntl64(fd, command, argument);
	return card ? after_fcntl(card, command, argument, result) : result;
}

/* ---- use ---- */

INTERPOSE int ioctl(int fd, unsigned long request, ...)
{
	struct ours *card = ours(fd);
	struct bt_device *device;
	va_list args;
	void *argument;
	int result;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (!card)
		return real()->ioctl(fd, request, argument);
	if (request == SIOCSIFLINK)
		return ours_link(card, fd, request, argument);
	device = card->device;
	if (request == SIOCGIFADDR && device) {
		bt_mac(device, argument);
		return 0;
	}
	/* every group frame is delivered: the guest's own driver chooses */
	if ((request == SIOCADDMULTI || request == SIOCDELMULTI) && device)
		return 0;
	result = real()->ioctl(fd, request, argument);
	if (request == FIONBIO && result == 0)
		card->nonblocking = *(const int *)argument;
	return result;
}

INTERPOSE ssize_t read(int fd, void *buffer, size_t size)
{
	struct ours *card = ours(fd);

	return card ? ours_read(card, fd, buffer, size) : real()->read(fd, buffer, size);
}

INTERPOSE ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room)
{
	struct ours *card = ours(fd);

	if (card && size <= room)
		return ours_read(card, fd, buffer, size);
	return real()->read_chk(fd, buffer, size, room);
}

INTERPOSE ssize_t write(int fd, const void *buffer, size_t size)
{
	struct ours *card = ours(fd);

	return card ? ours_write(card, fd, buffer, size) : real()->write(fd, buffer, size);
}
