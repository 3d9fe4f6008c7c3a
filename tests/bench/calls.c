/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls.c: what the calls for a frame cost in themselves: both ends of a way in one thread, so that
 * no process wakes another one and the figure is a steady one.
 *
 *   calls MILLISECONDS A B SOURCE-A SOURCE-B [A B SOURCE-A SOURCE-B]...
 *
 * A and B are ways (way.h) whose ends reach each other; sources as 12 hex digits, "-" for the way's
 * own. Frames are sent from A to B and back: send, poll, receive, receive (there is none), poll
 * (there is none). All ways in turns. One line for each way and length, in the order given:
 * the best time for one frame, in nanoseconds.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "way.h"

#define FRAME	 1514
#define WAYS_MAX 4
#define BATCH	 64
#define LOST_MS	 100
#define KINDS	 4

static const struct {
	size_t len;
	int burst;
} kinds[KINDS] = { { 64, 1 }, { FRAME, 1 }, { 64, 16 }, { FRAME, 16 } };

struct end {
	struct way way;
	uint8_t frame[FRAME]; /* to the other end */
};

/* A burst of frames and all calls for it. True if all arrived. */
static bool pass(const struct end *from, const struct end *to, size_t len, int burst)
{
	uint8_t got[FRAME];
	int arrived = 0;

	for (int i = 0; i < burst; i++)
		way_send(&from->way, from->frame, len);
	while (way_wait(&to->way, arrived < burst ? LOST_MS : 0) > 0)
		while (way_receive(&to->way, got, sizeof(got)) >= 14)
			arrived += got[12] == 0x88 && got[13] == 0xb5;
	return arrived == burst;
}

static void open_end(struct end *end, const char *way, const char *source)
{
	way_open(way, &end->way);
	end->frame[12] = 0x88;
	end->frame[13] = 0xb5;
	if (strcmp(source, "-") != 0)
		way_parse_mac(source, end->way.mac);
	memcpy(end->frame + 6, end->way.mac, 6);
}

/* Until frames pass both ways; the library needs some for a socket of its own. */
static void settle(struct end *a, struct end *b)
{
	double end = way_now() + 20;
	int passed = 0;

	memcpy(a->frame, b->way.mac, 6);
	memcpy(b->frame, a->way.mac, 6);
	while (passed < 1000 && way_now() < end)
		passed += pass(a, b, 64, 1) && pass(b, a, 64, 1);
	if (passed < 1000) {
		fprintf(stderr, "%d of 1000 frames arrived\n", passed);
		exit(1);
	}
}

static double batch(const struct end *a, const struct end *b, size_t len, int burst)
{
	double start = way_now();

	for (int i = 0; i < BATCH; i += burst)
		if (!pass(a, b, len, burst) || !pass(b, a, len, burst))
			return 1;
	return (way_now() - start) / (2 * BATCH);
}

/* Emulators have threads, and their calls cost a little more for it. */
static void *idle(void *nothing)
{
	pause();
	return nothing;
}

int main(int argc, char **argv)
{
	static struct end end[WAYS_MAX][2];
	double best[WAYS_MAX][KINDS], until, one;
	int ways = (argc - 2) / 4;
	pthread_t thread;

	if (ways < 1 || ways > WAYS_MAX || pthread_create(&thread, NULL, idle, NULL) != 0)
		return 2;
	for (int i = 0; i < ways; i++) {
		char **word = argv + 2 + 4 * i;

		open_end(&end[i][0], word[0], word[2]);
		open_end(&end[i][1], word[1], word[3]);
		settle(&end[i][0], &end[i][1]);
		for (int k = 0; k < KINDS; k++)
			best[i][k] = 1;
	}
	until = way_now() + atof(argv[1]) / 1e3;
	while (way_now() < until)
		for (int i = 0; i < ways; i++)
			for (int k = 0; k < KINDS; k++) {
				one = batch(&end[i][0], &end[i][1], kinds[k].len, kinds[k].burst);
				if (one < best[i][k])
					best[i][k] = one;
			}
	for (int i = 0; i < ways; i++)
		for (int k = 0; k < KINDS; k++)
			printf("= %.1f\n", best[i][k] * 1e9);
	return 0;
}
