/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * traps.h: what the traps share: a stand-in for the emulator, run under the preload library. Each
 * trap is a way in which a program may use its descriptors, and in which a library in between may
 * go wrong.
 *
 * They use the calls as the emulator does: by libc's names, so that the preload library is what
 * answers. What is not true ends the program, with a line that says what it was.
 */
#ifndef BASILISK_TAP_TESTS_TRAPS_H
#define BASILISK_TAP_TESTS_TRAPS_H

#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CARD "/dev/sheep_net"
#define LINK "auto-p2p"

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			printf("%s:%d: not true: %s (errno %d)\n", __func__, __LINE__, #what,      \
			       errno);                                                             \
			fflush(stdout);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

struct trap {
	const char *name;
	void (*run)(void);
};

/* Each ends with an entry without a name. */
extern const struct trap traps_of_numbers[], traps_of_waits[], traps_of_children[],
	traps_of_processes[], traps_of_frames[], traps_of_sends[];

extern uint8_t mac[6]; /* of the card that was joined last */

/* Seconds of a clock that nobody sets. */
double now(void);

/* The descriptor becomes a card on a network of peers. */
void join(int fd);

/* A new one that has been joined. */
int card(void);

/* It is the card: it takes a frame, and has none or gives one. */
bool works(int fd);

int open_files(void);

/* Counts what comes as signal @number in .signals, from 0, and does nothing else. */
void count_signals(int number);
extern volatile _Atomic int signals;

/* A thread that sends SIGUSR1, which is counted, to the calling one every 10 ms. */
struct interrupter {
	pthread_t target, thread;
	_Atomic bool over;
};
void interrupter_start(struct interrupter *interrupter);
void interrupter_stop(struct interrupter *interrupter);

/* How often this thread has asked for memory, where -DCOUNT_ALLOCATIONS is given; else 0. */
extern __thread long allocations;

/* Says that the program is ready, and goes on when the test has sent SIGUSR1. */
void await_the_test(void);

#endif
