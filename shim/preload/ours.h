/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ours.h: which descriptors of the process are the emulator's network card, and the card's state:
 * from open("/dev/sheep_net") to the close() of the last of its numbers.
 *
 * Nothing here is seen by a child: after fork() the table reads as empty, so that all calls are
 * passed on; a child that shares our memory (vfork) is told by its pid.
 */
#ifndef BASILISK_TAP_SHIM_OURS_H
#define BASILISK_TAP_SHIM_OURS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "basilisk-tap.h"

#define OURS_NUMBERS 5 /* the one handed out, and four duplicates */

/* One page, zero in a child. */
struct ours {
	_Atomic int count;		  /* of numbers in use: 0 for who uses none of it */
	_Atomic int number[OURS_NUMBERS]; /* + 1; 0: none */
	struct bt_device *_Atomic device; /* NULL until SIOCSIFLINK */
	_Atomic bool nonblocking;
	_Atomic bool driver; /* undecided, and the number is a real driver's */
	_Atomic bool shared; /* see ours_share() */
};

/* Never NULL; all zero before the first ours_begin(). */
extern struct ours *_Atomic ours_table __attribute__((visibility("hidden")));

/* The card if @fd is one of its numbers, or else NULL. The one test in front of every call. */
static inline struct ours *ours(int fd)
{
	struct ours *t = atomic_load_explicit(&ours_table, memory_order_acquire);

	if (__builtin_expect(atomic_load_explicit(&t->count, memory_order_relaxed) == 0, 1))
		return NULL;
	for (int i = 0; i < OURS_NUMBERS; i++)
		if (atomic_load_explicit(&t->number[i], memory_order_relaxed) == fd + 1 && fd >= 0)
			return t;
	return NULL;
}

/* True in the process that opened it; false in a child that shares its memory. */
bool ours_is_owner(void);

/*
 * /dev/sheep_net is opened with @flags; @driver is the real driver's descriptor, or -1. Returns the
 * descriptor to hand out, which may be @driver; or -1 with errno set.
 */
int ours_begin(int driver, int flags);

/* ioctl(SIOCSIFLINK): 0, or -1 with errno set. A name that is not ours is the driver's. */
int ours_link(struct ours *card, int fd, unsigned long request, const char *name);

/* @fd is a duplicate of one of ours now. */
void ours_add(int fd);

/*
 * The numbers from @first to @last are about to be closed or taken for something else: they are
 * not ours any more. A device that has no number left is returned, to be given to bt_close()
 * after the real call.
 */
struct bt_device *ours_remove(unsigned int first, unsigned int last);

/*
 * As poll() for ours alone to be readable, but an error is the result: -ENODEV where there is no
 * device (any more), -EINTR.
 */
int ours_wait(struct ours *card, int timeout);

/*
 * @fd, which is ours, is about to be waited for in another way: from now on the kernel itself knows
 * when it is readable. Each frame costs a little more then.
 */
void ours_share(struct ours *card, int fd);

/* read(), write() on ours, as the driver would do it. */
ssize_t ours_read(struct ours *card, int fd, void *buffer, size_t size);
ssize_t ours_write(struct ours *card, int fd, const void *buffer, size_t size);

#endif
