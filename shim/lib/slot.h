/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slot.h: which of a user's MAC_SLOTS places an emulator has, and with it its MAC: the lowest that
 * is free, held by a lock on a file for as long as the process lives, however it dies.
 *
 * The files are in /tmp/basilisk-tap-UID whatever the environment says, so that a start from a
 * desktop and one from a cron job see the same ones. Anyone may have made something of that
 * name before us: it is used only if it is a directory of ours that nobody else may enter;
 * otherwise there are no locks and no status sockets, and nothing there is touched. Neither is it
 * by a set-user-id program.
 */
#ifndef BASILISK_TAP_SHIM_SLOT_H
#define BASILISK_TAP_SHIM_SLOT_H

#include <sys/types.h>

#define SLOT_PATH_SIZE 48

/* Owned by whoever declared it; closed by slot_release(). */
struct slot {
	int directory; /* or -1: the directory cannot be used */
	int lock;      /* or -1 */
	unsigned int number;
};

/* The directory of @uid, for messages, into @path of SLOT_PATH_SIZE bytes. Returns @path. */
char *slot_path(uid_t uid, char *path);

/*
 * Opens @uid's directory; with @create to use it, making it if need be. A descriptor, or a negative
 * errno: -EPERM if it is not @uid's own, or with @create not the process's, -EACCES if others may
 * enter it.
 */
int slot_directory(uid_t uid, int create);

/*
 * Takes the lowest free slot from @first up to @last. 0 and *@slot; -EBUSY if all are taken.
 * Without a usable directory a slot that is as good as random is taken, unlocked, and
 * slot->directory is -1.
 */
int slot_take(unsigned int first, unsigned int last, struct slot *slot);

/* Gives the slot back. The lock file stays: removing it would race with who opens it. */
void slot_release(struct slot *slot);

#endif
