/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * standard.h: a program may have closed its standard descriptors. None of ours may get such a
 * number for longer than a moment: what the program says on stderr would go into it.
 */
#ifndef BASILISK_TAP_SHIM_STANDARD_H
#define BASILISK_TAP_SHIM_STANDARD_H

#include <unistd.h>

/* Numbers that are held. Owned by whoever declared it. */
struct standard {
	int fd[STDERR_FILENO + 1];
	int count;
};

/* Holds all standard numbers that are free, so that nothing that is opened meanwhile gets one. */
void standard_hold(struct standard *standard);
void standard_release(struct standard *standard);

/* @fd, a descriptor just opened, or in its place a copy of another number; or -1, errno set. */
int standard_avoid(int fd);

#endif
