/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wait.h: how the emulator's threads wait for frames, which come from several descriptors.
 *
 * By wait_for() they wait for these sources themselves. For all other ways to wait there is the
 * set, an epoll descriptor over them. It makes each frame that arrives dearer, by some 70 ns, even
 * if nobody waits for it; so it stays empty until somebody asks for it.
 *
 * Who is in wait_for() does not see a source that is added meanwhile. So nothing may come by a new
 * one before wait_all_see() says that all have come round; or else wait_by_set() has to be called
 * before, and who waits then has to be woken.
 */
#ifndef BASILISK_TAP_SHIM_WAIT_H
#define BASILISK_TAP_SHIM_WAIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/*
 * In the order in which the kernel looks at them. Once it has found one that has something it does
 * not prepare to wait for those after it, which is 90 ns for each: so who brings most comes first.
 */
enum source { SOURCE_FAST, SOURCE_TAP, SOURCE_TUNNEL, SOURCES };

/* Part of the device. */
struct wait {
	/* what each wait_for() needs comes first, to be in one line of the processor's cache */
	_Atomic unsigned int round;  /* the next one begins where a source is added */
	_Atomic int waiting[2];	     /* threads in wait_for() since an even, an odd round */
	_Atomic int source[SOURCES]; /* + 1; 0: none */
	_Atomic bool by_set;	     /* wait_for(), too, waits for the set */
	_Atomic bool set_in_use;     /* the sources are in the set */
	int set;
	pthread_mutex_t lock; /* of what changes the sources and the set; held for microseconds */
};

/* 0 or a negative errno; wait_close() ends it. */
int wait_open(struct wait *wait);
void wait_close(struct wait *wait);

/* 0 or a negative errno. A source must be removed before its descriptor is closed. */
int wait_add(struct wait *wait, enum source source, int fd);
void wait_remove(struct wait *wait, enum source source);

/* From now on the set can be waited for. 0 or a negative errno. */
int wait_use_set(struct wait *wait);

/* From now on each wait_for() that begins sees at once what is added. */
void wait_by_set(struct wait *wait);

/*
 * After a source was added: begins to look whether all see it, and whether they do. Both are the
 * control thread's. The first is false where that of another source is not over yet.
 */
bool wait_begin_round(struct wait *wait);
bool wait_all_see(const struct wait *wait);

/*
 * Waits until a source may have something: 1; 0: @timeout has passed, in milliseconds (negative:
 * never); or a negative errno. The thread may be cancelled in it.
 */
int wait_for(struct wait *wait, int timeout);

/*
 * Nobody is to wait any more: wakes all by @tunnel, which is of no use then. False where one is
 * still there after a second.
 */
bool wait_end(struct wait *wait, int tunnel);

#endif
