/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slot.c: see slot.h.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

char *slot_path(uid_t uid, char *path)
{
	snprintf(path, SLOT_PATH_SIZE, "/tmp/basilisk-tap-%lu", (unsigned long)uid);
	return path;
}

int slot_directory(uid_t uid, int create)
{
	char path[SLOT_PATH_SIZE];
	struct stat st;
	int fd, err = 0;

	slot_path(uid, path);
	/* what a set-user-id program makes there is another's, and the user could not use it any
	 * more */
	if (create && geteuid() != uid)
		return -EPERM;
	if (create && mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (st.st_uid != uid)
		err = -EPERM;
	else if ((st.st_mode & 07777) != 0700)
		err = -EACCES;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* The locked file, -EBUSY, or another negative errno. */
static int lock_take(int directory, unsigned int number)
{
	char name[16];
	int fd, err;

	snprintf(name, sizeof(name), "slot-%u.lock", number);
	fd = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return err;
}

int slot_take(unsigned int first, unsigned int last, struct slot *slot)
{
	unsigned int n;

	*slot = (struct slot){ .directory = slot_directory(getuid(), 1), .lock = -1 };
	if (slot->directory < 0) {
		/* two of a user's emulators may now clash: rarely, if each takes its own guess */
		slot->directory = -1;
		slot->number = first + (unsigned int)getpid() % (last - first + 1);
		return 0;
	}
	for (n = first; n <= last; n++) {
		slot->lock = lock_take(slot->directory, n);
		if (slot->lock != -EBUSY)
			break;
	}
	if (slot->lock >= 0) {
		slot->number = n;
		return 0;
	}
	n = (unsigned int)-slot->lock;
	slot_release(slot);
	return -(int)n;
}

void slot_release(struct slot *slot)
{
	if (slot->lock >= 0)
		close(slot->lock);
	if (slot->directory >= 0)
		close(slot->directory);
	slot->directory = slot->lock = -1;
}
