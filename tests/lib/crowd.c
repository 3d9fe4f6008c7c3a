/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crowd.c: a stand-in for an emulator, and said to be one, so light that dozens can be started at
 * once:  crowd PEERS SECONDS
 *
 * Opens a device, peer to peer, and waits until it knows so many others. Prints, in seconds of
 * CLOCK_MONOTONIC, when the device was open and when it knew them all; or how many it knew in the
 * end. Then stays until it is ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "basilisk-tap.h"

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char *argv[])
{
	const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };
	unsigned int peers = argc > 2 ? (unsigned int)atoi(argv[1]) : 0;
	double end = now() + (argc > 2 ? atof(argv[2]) : 0);
	struct bt_device *device;
	struct bt_status status;

	if (bt_open("auto-p2p", &device) < 0)
		return 1;
	printf("open %.3f\n", now());
	do {
		nanosleep(&moment, NULL);
		bt_get_status(device, &status, sizeof(status));
	} while (status.peers < peers && now() < end);
	printf("%s %.3f %u\n", status.peers < peers ? "short" : "complete", now(), status.peers);
	fflush(stdout);
	pause();
	return 0;
}
