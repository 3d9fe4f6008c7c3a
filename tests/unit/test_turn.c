/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_turn.c: how often a source is asked for frames, which is what bt_receive() costs.
 */
#include <check.h>

#include "suite.h"
#include "turn.h"

#define SOURCES 3

/*
 * One pass of who drains the descriptor, with @waiting frames at the source whose turn it is:
 * receives until told "none". Returns how often the source was asked; *@waiting is what is left.
 */
static int drain(unsigned int *turn, int *waiting)
{
	int asked = 0;

	while (!turn_guess(*turn)) {
		asked++;
		if (!*waiting) {
			*turn = turn_gave(*turn) ? turn_drained(*turn, true) : *turn;
			return asked;
		}
		--*waiting;
		*turn = turn_took(*turn, true, SOURCES);
		if (!turn_gave(*turn)) /* another source's turn: the rest another time */
			return asked;
	}
	*turn = turn_drained(*turn, false);
	return asked;
}

START_TEST(test_turn_lone_frames_soon_cost_one_call_each)
{
	unsigned int turn = 0;
	int asked = 0, frames, waiting;

	for (frames = 0; frames < 1000; frames++) {
		waiting = 1;
		asked += drain(&turn, &waiting);
		ck_assert_int_eq(waiting, 0);
	}
	ck_assert_int_ge(asked, 1000 + 1000 / 8 - 40); /* it does look again */
	ck_assert_int_le(asked, 1000 + 1000 / 8 + 10);
}
END_TEST

/* Each wrong guess costs a poll(): a few of them, then none any more. */
START_TEST(test_turn_bursts_are_seen_soon_and_drained_whole)
{
	unsigned int turn = 0;
	int waiting, polls = 0;

	for (int i = 0; i < 100; i++) {
		waiting = 1;
		drain(&turn, &waiting);
	}
	for (int burst = 0; burst < 100; burst++)
		for (waiting = 4; waiting; polls++)
			drain(&turn, &waiting);
	/* 400 frames: a turn ends after each TURN_FRAMES of them */
	ck_assert_int_le(polls, 100 + 8 + 400 / TURN_FRAMES + 1);
}
END_TEST

START_TEST(test_turn_pairs_are_never_taken_for_lone)
{
	unsigned int turn = 0;
	int waiting, left = 0;

	for (int i = 0; i < 1000; i++) {
		waiting = 2;
		do
			drain(&turn, &waiting);
		while (waiting && ++left);
	}
	ck_assert_int_le(left, 2 * 1000 / TURN_FRAMES);
}
END_TEST

START_TEST(test_turn_busy_source_gives_way)
{
	unsigned int turn = 1;

	for (int i = 0; i < TURN_FRAMES - 1; i++) {
		turn = turn_took(turn, true, SOURCES);
		ck_assert_uint_eq(turn_source(turn), 1);
	}
	turn = turn_took(turn, true, SOURCES);
	ck_assert_uint_eq(turn_source(turn), 2);
	ck_assert(!turn_gave(turn)); /* all sources are looked at */
}
END_TEST

/* What was not the guest's (@given false) does not make a source one that is drained. */
START_TEST(test_turn_dropped_frames_do_not_count_as_given)
{
	unsigned int turn = turn_took(0, false, SOURCES);

	ck_assert(!turn_gave(turn));
	ck_assert(!turn_guess(turn));
	ck_assert_uint_eq(turn_source(turn_next(turn, SOURCES)), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("turn");
	TCase *t = tcase_create("turn");

	suite_add_tcase(s, t);
	tcase_add_test(t, test_turn_lone_frames_soon_cost_one_call_each);
	tcase_add_test(t, test_turn_bursts_are_seen_soon_and_drained_whole);
	tcase_add_test(t, test_turn_pairs_are_never_taken_for_lone);
	tcase_add_test(t, test_turn_busy_source_gives_way);
	tcase_add_test(t, test_turn_dropped_frames_do_not_count_as_given);
	return run_suite(s);
}
