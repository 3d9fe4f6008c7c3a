/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load.c: one program for both ends of every measured way, so that only the way differs.
 *
 *   load echo WAY                  sends each test frame back, until it is ended
 *   load ask WAY TARGET SOURCE     measures to an echo; MACs as 12 hex digits, SOURCE "-" for the
 *                                  way's own. Obeys lines of stdin, each answered by one number:
 *       trip LENGTH SECONDS        median round trip of single frames, in microseconds
 *       rate LENGTH SECONDS        frames echoed in a second, WINDOW of them always on their way:
 *                                  the median of batches, so that what else the machine does counts
 *                                  as little as it does for the round trip
 *       cast LENGTH SECONDS        median time to send a broadcast, in microseconds
 *
 * What comes before a line's measurement is warm-up: a tenth of its time.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "way.h"

#define FRAME	    1514
#define TRIPS_MAX   500000
#define WINDOW	    16
#define BATCH	    16
#define BATCHES_MAX 100000
#define LOST_MS	    100

static bool is_test(const uint8_t *frame, ssize_t n)
{
	return n >= 14 && frame[12] == 0x88 && frame[13] == 0xb5;
}

static void echo(const struct way *way)
{
	uint8_t frame[FRAME], sender[6];
	ssize_t n;

	while (way_wait(way, -1) >= 0)
		while ((n = way_receive(way, frame, sizeof(frame))) >= 14)
			if (is_test(frame, n)) {
				memcpy(sender, frame + 6, 6);
				memcpy(frame + 6, frame, 6);
				memcpy(frame, sender, 6);
				way_send(way, frame, (size_t)n);
			}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double round_trip(const struct way *way, uint8_t *frame, size_t len, double seconds)
{
	static double trip[TRIPS_MAX];
	double end = way_now() + seconds, start;
	static uint32_t number;
	uint8_t got[FRAME];
	size_t count = 0;
	bool back;

	while (way_now() < end && count < TRIPS_MAX) {
		number++;
		memcpy(frame + 14, &number, 4);
		start = way_now();
		way_send(way, frame, len);
		for (back = false; !back && way_wait(way, LOST_MS) > 0;) {
			ssize_t n;

			while ((n = way_receive(way, got, sizeof(got))) >= 14)
				back |= n == (ssize_t)len && memcmp(got + 14, frame + 14, 4) == 0;
		}
		if (back)
			trip[count++] = way_now() - start;
	}
	qsort(trip, count, sizeof(trip[0]), by_value);
	return count ? trip[count / 2] * 1e6 : 0;
}

static double throughput(const struct way *way, const uint8_t *frame, size_t len, double seconds)
{
	static double batch[BATCHES_MAX];
	double end = way_now() + seconds, start = 0;
	uint8_t got[FRAME];
	int flying = 0, back = 0;
	size_t count = 0;

	while (way_now() < end && count < BATCHES_MAX) {
		for (; flying < WINDOW; flying++)
			way_send(way, frame, len);
		if (way_wait(way, LOST_MS) == 0)
			flying = 0; /* lost, all of them */
		for (ssize_t n; (n = way_receive(way, got, sizeof(got))) >= 14;)
			if (is_test(got, n) && n == (ssize_t)len) {
				back++;
				flying -= flying > 0;
			}
		if (back < BATCH && start > 0)
			continue;
		if (start > 0)
			batch[count++] = (way_now() - start) / back;
		start = way_now();
		back = 0;
	}
	qsort(batch, count, sizeof(batch[0]), by_value);
	return count ? 1 / batch[count / 2] : 0;
}

/* What it takes to send one to all, as far as that happens before the call returns. */
static double cast(const struct way *way, uint8_t *frame, size_t len, double seconds)
{
	static double spent[TRIPS_MAX];
	double end = way_now() + seconds, start;
	uint8_t group[FRAME];
	size_t count = 0;

	memcpy(group, frame, sizeof(group));
	memset(group, 0xff, 6);
	group[13] = 0xb7; /* not to be echoed */
	while (way_now() < end && count < TRIPS_MAX) {
		start = way_now();
		way_send(way, group, len);
		spent[count++] = way_now() - start;
	}
	qsort(spent, count, sizeof(spent[0]), by_value);
	return count ? spent[count / 2] * 1e6 : 0;
}

/* Frames of the last measurement that are still on their way are not the next one's. */
static void drain(const struct way *way)
{
	uint8_t got[FRAME];

	while (way_wait(way, 2) > 0)
		while (way_receive(way, got, sizeof(got)) >= 14)
			;
}

/* Until the other side answers: each way takes its time to find it. */
static bool settle(const struct way *way, uint8_t *frame)
{
	double end = way_now() + 20;

	while (way_now() < end)
		if (round_trip(way, frame, 64, 0.05) > 0)
			return true;
	return false;
}

/*
 * An emulator has threads, whatever its network is; and the kernel and libc are a little slower in
 * a process that has. So there is one here in every way that is measured.
 */
static void *idle(void *nothing)
{
	pause();
	return nothing;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	uint8_t frame[FRAME] = { [12] = 0x88, [13] = 0xb5 };
	char what[8], line[80];
	double seconds, value;
	struct way way;
	size_t len;

	if (argc < 3 || pthread_create(&thread, NULL, idle, NULL) != 0)
		return 2;
	way_open(argv[2], &way);
	if (strcmp(argv[1], "echo") == 0)
		echo(&way);
	if (argc != 5 || strcmp(argv[1], "ask") != 0)
		return 2;
	way_parse_mac(argv[3], frame);
	if (strcmp(argv[4], "-") != 0)
		way_parse_mac(argv[4], way.mac);
	memcpy(frame + 6, way.mac, 6);
	printf("%s\n", settle(&way, frame) ? "settled" : "no answer");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%7s %zu %lf", what, &len, &seconds) != 3 || len < 18 ||
		    len > sizeof(frame))
			return 2;
		round_trip(&way, frame, len, seconds / 10);
		if (strcmp(what, "cast") == 0)
			value = cast(&way, frame, len, seconds);
		else if (strcmp(what, "rate") == 0)
			value = throughput(&way, frame, len, seconds);
		else
			value = round_trip(&way, frame, len, seconds);
		drain(&way);
		printf("= %.3f\n", value);
		fflush(stdout);
	}
	bt_close(way.device);
	return 0;
}
