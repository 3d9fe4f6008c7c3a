/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread.h: a thread of ours in somebody else's process: no signal of the program's is ever
 * delivered to it, but those of a crash; it has a small stack and no real-time priority.
 */
#ifndef BASILISK_TAP_SHIM_THREAD_H
#define BASILISK_TAP_SHIM_THREAD_H

#include <pthread.h>

/* Starts @run with @argument under @name, of at most 15 letters. 0 or a negative errno. */
int thread_start(const char *name, void *(*run)(void *argument), void *argument, pthread_t *thread);

#endif
