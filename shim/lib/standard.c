/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * standard.c: see standard.h.
 */
#include "standard.h"

#include <errno.h>
#include <fcntl.h>

void standard_hold(struct standard *standard)
{
	int fd;

	standard->count = 0;
	while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
		standard->fd[standard->count++] = fd;
	if (fd >= 0)
		close(fd);
}

void standard_release(struct standard *standard)
{
	while (standard->count)
		close(standard->fd[--standard->count]);
}

int standard_avoid(int fd)
{
	int other, saved;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	other = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	saved = errno;
	close(fd);
	errno = saved;
	return other;
}
