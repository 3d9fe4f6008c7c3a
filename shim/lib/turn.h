/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * turn.h: which source bt_receive() asks for a frame, and when it need not ask. Pure: a state in
 * one word, so that threads share it without a lock; if two change it at once, one change is lost,
 * which costs a system call and no frame.
 *
 * In the word: which source is looked at first; whether it has given frames since the last "there
 * is none", one or more; how often in a row it was one alone; and how many frames in a row.
 *
 * A source that has given frames is drained and the others are not looked at in vain: if they have
 * something, the descriptor says so at once, and as nothing was given the second time, all are
 * looked at. A busy source gives way after TURN_FRAMES.
 *
 * Who drains the descriptor asks twice for each lone frame. After LONE_SURE of them in a row "there
 * is none" is said without asking the kernel; should there be one, the next poll() returns at once.
 * Each eighth time the kernel is asked, so that bursts are soon seen for what they are.
 */
#ifndef BASILISK_TAP_SHIM_TURN_H
#define BASILISK_TAP_SHIM_TURN_H

#include <stdbool.h>

#define TURN_FRAMES 32 /* from one source before another one is looked at */
#define LONE_SURE   8u
#define LONE_ASK    15u

#define TURN_SOURCE 3u
#define TURN_GAVE   4u
#define TURN_MORE   8u
#define TURN_LONE   16u	 /* times 0 to LONE_ASK */
#define TURN_COUNT  256u /* and up */

static inline unsigned int turn_source(unsigned int turn)
{
	return turn & TURN_SOURCE;
}

static inline unsigned int turn_lone(unsigned int turn)
{
	return turn / TURN_LONE & LONE_ASK;
}

/* On to the next of @sources, of which nothing is known yet. */
static inline unsigned int turn_next(unsigned int turn, unsigned int sources)
{
	return (turn_source(turn) + 1) % sources | (turn & LONE_ASK * TURN_LONE);
}

/* One more from the source: a frame for the guest, or another (@given false). */
static inline unsigned int turn_took(unsigned int turn, bool given, unsigned int sources)
{
	if (given && turn & TURN_GAVE)
		turn = (turn | TURN_MORE) & ~(LONE_ASK * TURN_LONE);
	if (given)
		turn |= TURN_GAVE;
	turn += TURN_COUNT;
	return turn / TURN_COUNT < TURN_FRAMES ? turn : turn_next(turn, sources);
}

/* True where the source has given some: when it has no more, the caller is told of that. */
static inline bool turn_gave(unsigned int turn)
{
	return turn & TURN_GAVE;
}

/* The source is drained, as the kernel (@asked) or turn_guess() says. */
static inline unsigned int turn_drained(unsigned int turn, bool asked)
{
	unsigned int lone = turn_lone(turn);

	if (!(turn & TURN_MORE)) {
		lone = asked && lone >= LONE_SURE ? LONE_SURE : lone + 1;
		turn = (turn & ~(LONE_ASK * TURN_LONE)) | lone * TURN_LONE;
	}
	return turn & ~(TURN_GAVE | TURN_MORE);
}

/* True where the source is taken for drained without asking it. */
static inline bool turn_guess(unsigned int turn)
{
	return (turn & (TURN_GAVE | TURN_MORE)) == TURN_GAVE && turn_lone(turn) >= LONE_SURE &&
	       turn_lone(turn) < LONE_ASK;
}

#endif
