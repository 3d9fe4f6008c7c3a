/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flood.c: datagrams, as many a second as are asked for:  flood ADDRESS PORT RATE SECONDS
 *
 * Sends those that it reads from standard input, each after its length in two bytes, round and
 * round, those of a length together: the kernel makes many datagrams of one call's bytes then
 * (UDP_SEGMENT, udp(7)), for a fraction of the time. Prints how many it was, and how many a second.
 */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST	 1024 /* different datagrams */
#define TOGETHER 32   /* at once: fewer than a socket that is read now and then has room for */
#define LONGEST	 2048
#define ALL_MAX	 60000 /* bytes at once; the kernel takes 65,507 */

/* Datagrams of one length, that of .size, one behind the other. */
struct batch {
	uint16_t size;
	unsigned int n;
	uint8_t data[TOGETHER * LONGEST];
};

static struct batch batches[MOST];
static unsigned int count;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The one that has room for a datagram of @size bytes. */
static struct batch *batch_for(size_t size)
{
	for (unsigned int i = 0; i < count; i++)
		if (batches[i].size == size && batches[i].n < TOGETHER &&
		    (batches[i].n + 1) * size <= ALL_MAX)
			return &batches[i];
	if (count == MOST || size > LONGEST)
		return NULL;
	batches[count].size = (uint16_t)size;
	return &batches[count++];
}

static bool read_all(void)
{
	struct batch *batch;
	uint8_t head[2];
	size_t size;

	while (fread(head, 1, 2, stdin) == 2) {
		size = (size_t)head[0] << 8 | head[1];
		batch = batch_for(size);
		if (!batch || fread(batch->data + batch->n * size, 1, size, stdin) != size)
			return false;
		batch->n++;
	}
	return count > 0;
}

static bool send_batch(int fd, const struct batch *batch)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(batch->size))];
	} control = { .head = { .cmsg_level = SOL_UDP,
				.cmsg_type = UDP_SEGMENT,
				.cmsg_len = CMSG_LEN(sizeof(batch->size)) } };
	struct iovec data = { (void *)(uintptr_t)batch->data, batch->n * batch->size };
	const struct msghdr message = { .msg_iov = &data,
					.msg_iovlen = 1,
					.msg_control = &control,
					.msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.head), &batch->size, sizeof(batch->size));
	return sendmsg(fd, &message, 0) >= 0;
}

int main(int argc, char *argv[])
{
	const struct timespec moment = { .tv_nsec = 100000 };
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double start, end, rate;
	unsigned int next = 0;
	long total = 0;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	rate = atof(argv[3]);
	if (!read_all() || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return 1;
	start = now();
	end = start + atof(argv[4]);
	while (now() < end) {
		while ((double)total > (now() - start) * rate)
			nanosleep(&moment, NULL);
		if (send_batch(fd, &batches[next])) /* or refused, or no room: the next one */
			total += batches[next].n;
		next = (next + 1) % count;
	}
	printf("%ld %.0f\n", total, (double)total / (now() - start));
	return 0;
}
