/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.c: see capture.h. Each record is one write to a file opened for appending, so that
 * records of several threads stay whole.
 */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "quiet.h"

/* The reader finds out the byte order by the magic: both structs are written as they are. */
struct file_header {
	uint32_t magic;
	uint16_t version_major;
	uint16_t version_minor;
	uint32_t zone;
	uint32_t accuracy;
	uint32_t longest;
	uint32_t link_type;
};

struct record_header {
	uint32_t seconds;
	uint32_t nanoseconds;
	uint32_t captured;
	uint32_t length;
};

/*
 * Made empty only once it is known whose it is: in a directory that others may write to, a name may
 * lead to any file of this user's, or to one that somebody else reads. A pipe may be what the user
 * looks at the frames by while they come.
 */
static int make_empty(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || st.st_nlink != 1)
		return -EPERM;
	if (S_ISFIFO(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode))
		return -EPERM;
	return ftruncate(fd, 0) < 0 ? -errno : 0;
}

int capture_open(const char *path)
{
	static const struct file_header header = {
		.magic = 0xa1b23c4d,
		.version_major = 2,
		.version_minor = 4,
		.longest = FRAME_MAX,
		.link_type = 1,
	};
	const struct iovec part = { (void *)(uintptr_t)&header, sizeof(header) };
	/* for reading, too: a pipe that nobody else reads any more is then full, and no SIGPIPE */
	int fd = open(path,
		      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW,
		      0600);
	int err;

	if (fd < 0)
		return errno == ELOOP ? -EPERM : -errno;
	err = make_empty(fd);
	if (!err && quiet_writev(fd, &part, 1) != sizeof(header))
		err = -EIO;
	if (!err)
		return fd;
	close(fd);
	return err;
}

void capture_frame(int fd, const void *frame, size_t len)
{
	struct timespec now;
	struct record_header header;
	const struct iovec part[2] = { { &header, sizeof(header) },
				       { (void *)(uintptr_t)frame, len } };

	if (fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	header = (struct record_header){ .seconds = (uint32_t)now.tv_sec,
					 .nanoseconds = (uint32_t)now.tv_nsec,
					 .captured = (uint32_t)len,
					 .length = (uint32_t)len };
	/* a full disk is no reason to lose the network as well */
	quiet_writev(fd, part, 2);
}
