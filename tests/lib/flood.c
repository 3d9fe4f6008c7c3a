/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flood.c: datagrams, as many a second as are asked for:  flood ADDRESS PORT RATE SECONDS
 *
 * Sends those that it reads from standard input, each after its length in two bytes, round and
 * round. Prints how many a second it was.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST  1024
#define BATCH 64

static uint8_t data[MOST][2048];
static struct iovec part[MOST];
static struct mmsghdr message[MOST];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int read_all(void)
{
	uint8_t head[2];
	int n = 0;

	while (n < MOST && fread(head, 1, 2, stdin) == 2) {
		part[n].iov_base = data[n];
		part[n].iov_len = (size_t)head[0] << 8 | head[1];
		if (part[n].iov_len > sizeof(data[n]) ||
		    fread(data[n], 1, part[n].iov_len, stdin) != part[n].iov_len)
			return 0;
		message[n].msg_hdr.msg_iov = &part[n];
		message[n].msg_hdr.msg_iovlen = 1;
		n++;
	}
	return n - n % BATCH;
}

int main(int argc, char *argv[])
{
	const struct timespec moment = { .tv_nsec = 100000 };
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), n, sent;
	double start, end, rate;
	long total = 0;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	rate = atof(argv[3]);
	n = read_all();
	if (!n || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return 1;
	start = now();
	end = start + atof(argv[4]);
	while (now() < end) {
		while ((double)total > (now() - start) * rate)
			nanosleep(&moment, NULL);
		sent = sendmmsg(fd, message + total % n / BATCH * BATCH, BATCH, 0);
		total += sent > 0 ? BATCH : 0; /* refused, or no room: once more */
	}
	printf("%.0f\n", (double)total / (now() - start));
	return 0;
}
