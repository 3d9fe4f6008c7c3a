/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * threads.c: a stand-in for an emulator, and said to be one, of which several threads send and
 * receive at once:  threads MAC THREADS FRAMES
 *
 * Opens a device, peer to peer, and waits for a peer. Each thread then sends so many frames to MAC
 * (12 hex digits), and takes what arrives meanwhile. Prints how many they sent and took, and then
 * what the library has counted.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "basilisk-tap.h"

#define THREADS_MAX 16

static struct bt_device *device;
static uint8_t frame[60] = { [12] = 0x88, [13] = 0xb5 };
static atomic_ulong sent, taken;
static atomic_int waiting; /* so that all begin at once */
static unsigned long frames;

static void *work(void *nothing)
{
	unsigned long own_sent = 0, own_taken = 0;
	uint8_t got[BT_FRAME_MAX];

	waiting--;
	while (waiting > 0)
		;
	for (unsigned long i = 0; i < frames; i++) {
		own_sent += bt_send(device, frame, sizeof(frame)) == sizeof(frame);
		while (bt_receive(device, got, sizeof(got)) >= BT_FRAME_MIN)
			own_taken++;
	}
	sent += own_sent;
	taken += own_taken;
	return nothing;
}

int main(int argc, char *argv[])
{
	const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };
	int count = argc == 4 ? atoi(argv[2]) : 0;
	struct bt_status status = { 0 };
	pthread_t thread[THREADS_MAX];
	unsigned int byte;

	if (count < 1 || count > THREADS_MAX || strlen(argv[1]) != 12)
		return 2;
	frames = strtoul(argv[3], NULL, 10);
	for (int i = 0; i < 6 && sscanf(argv[1] + 2 * i, "%2x", &byte) == 1; i++)
		frame[i] = (uint8_t)byte;
	if (bt_open("auto-p2p", &device) < 0)
		return 1;
	bt_mac(device, frame + 6);
	for (int i = 0; i < 500 && !status.peers; i++) {
		nanosleep(&moment, NULL);
		bt_get_status(device, &status, sizeof(status));
	}
	waiting = count;
	for (int i = 0; i < count; i++)
		if (pthread_create(&thread[i], NULL, work, NULL) != 0)
			return 1;
	for (int i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
	bt_get_status(device, &status, sizeof(status));
	printf("%lu sent, %lu taken; counted %llu, %llu\n", sent, taken,
	       (unsigned long long)status.sent, (unsigned long long)status.received);
	bt_close(device);
	return 0;
}
