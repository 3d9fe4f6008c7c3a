/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers.c: the library's table of peers as it grows:  peers COUNT
 *
 * Prints three numbers: nanoseconds for a look-up among so many, where frames come from BUSY of
 * them and where they come from each in turn (the best of several rounds); and the bytes of memory
 * of this process's own that each peer takes.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bytes.h"
#include "peers.h"

#define LOOK_UPS 100000
#define ROUNDS	 20
#define BUSY	 16

static struct mac mac_number(uint32_t n)
{
	struct mac mac = { { 0xb2 } };

	put_be32(mac.byte + 2, n * 2654435761u);
	return mac;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static long private_bytes(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	long part, sum = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Anonymous: %ld", &part) == 1)
			sum = part;
	if (file)
		fclose(file);
	return sum * 1024;
}

static double look_up(const struct peers *peers, uint32_t count, uint32_t busy)
{
	double start = now();
	uint32_t found = 0;

	for (uint32_t i = 0; i < LOOK_UPS; i++) {
		struct mac mac = mac_number(i % busy * 7919 % count);

		found += peers_find(peers, &mac) != NULL;
	}
	if (found != LOOK_UPS)
		exit(1);
	return (now() - start) / LOOK_UPS;
}

int main(int argc, char **argv)
{
	uint32_t count = argc == 2 ? (uint32_t)atoi(argv[1]) : 0;
	double best[2] = { 1e9, 1e9 }, one;
	struct peers peers;
	long before;

	if (!count || peers_init(&peers, 0x123456789abcdef1) < 0)
		return 2;
	malloc_trim(0);
	before = private_bytes();
	for (uint32_t n = 0; n < count; n++) {
		struct mac mac = mac_number(n);
		struct peer *peer = peers_add(&peers, &mac, 0);

		if (!peer)
			return 1;
		peer->port = 6066;
		peer_confirm(&peers, peer, peer_address_add(peer, &(struct address){ { 0 } }));
	}
	malloc_trim(0);
	before = private_bytes() - before;
	for (int i = 0; i < 2 * ROUNDS; i++) {
		one = look_up(&peers, count, i % 2 || count < BUSY ? count : BUSY);
		if (one < best[i % 2])
			best[i % 2] = one;
	}
	printf("%.1f %.1f %.1f\n", best[0], best[1], (double)before / count);
	return 0;
}
