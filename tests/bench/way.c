/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * way.c: see way.h.
 */
#include "way.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TEST_TYPE 0x88b5

/* libvdeplug's functions, loaded so that nobody needs its headers. */
struct vde {
	void *connection;
	ssize_t (*receive)(void *connection, void *frame, size_t size, int flags);
	ssize_t (*send)(void *connection, const void *frame, size_t len, int flags);
};

static int open_card(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(TEST_TYPE),
				  .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(TEST_TYPE)), size = 4 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ? -1 : fd;
}

static int open_udp(const char *text)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 1 << 20;
	unsigned int own, other;
	char address[32];

	if (sscanf(text, "%u,%31[^,],%u", &own, address, &other) != 3)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	at.sin_port = htons((uint16_t)own);
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return -1;
	at.sin_port = htons((uint16_t)other);
	inet_pton(AF_INET, address, &at.sin_addr);
	return connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ? -1 : fd;
}

static int open_vde(const char *url, struct way *way)
{
	void *library = dlopen("libvdeplug.so.2", RTLD_NOW);
	void *(*open_connection)(const char *url, const char *who, int version, void *options);
	int (*descriptor)(void *connection), fd;

	if (!library)
		return -1;
	way->vde = calloc(1, sizeof(*way->vde));
	*(void **)&open_connection = dlsym(library, "vde_open_real");
	*(void **)&descriptor = dlsym(library, "vde_datafd");
	*(void **)&way->vde->receive = dlsym(library, "vde_recv");
	*(void **)&way->vde->send = dlsym(library, "vde_send");
	way->vde->connection = open_connection(url, "bench", 1, NULL);
	if (!way->vde->connection)
		return -1;
	fd = descriptor(way->vde->connection);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

void way_open(const char *text, struct way *way)
{
	*way = (struct way){ .fd = -1 };
	if (strncmp(text, "fd:", 3) == 0) {
		way->fd = atoi(text + 3);
		fcntl(way->fd, F_SETFL, O_RDWR | O_NONBLOCK);
	} else if (strncmp(text, "card:", 5) == 0) {
		way->fd = open_card(text + 5);
		way->socket = true;
	} else if (strncmp(text, "udp:", 4) == 0) {
		way->fd = open_udp(text + 4);
		way->socket = true;
	} else if (strncmp(text, "vde:", 4) == 0) {
		way->fd = open_vde(text + 4, way);
	} else if (bt_open(text, &way->device) == 0) {
		bt_mac(way->device, way->mac);
	}
	if (way->fd < 0 && !way->device) {
		perror(text);
		exit(1);
	}
	for (int i = 0; i < 6; i++)
		printf("%02x", way->mac[i]);
	printf(" is its MAC\nready\n");
	fflush(stdout);
}

ssize_t way_receive(const struct way *way, void *frame, size_t size)
{
	if (way->device)
		return bt_receive(way->device, frame, size);
	if (way->vde)
		return way->vde->receive(way->vde->connection, frame, size, MSG_DONTWAIT);
	if (way->socket)
		return recv(way->fd, frame, size, MSG_DONTWAIT);
	return read(way->fd, frame, size);
}

ssize_t way_send(const struct way *way, const void *frame, size_t len)
{
	if (way->device)
		return bt_send(way->device, frame, len);
	if (way->vde)
		return way->vde->send(way->vde->connection, frame, len, MSG_DONTWAIT);
	if (way->socket)
		return send(way->fd, frame, len, MSG_DONTWAIT);
	return write(way->fd, frame, len);
}

int way_wait(const struct way *way, int ms)
{
	struct pollfd p = { .fd = way->fd, .events = POLLIN };

	return way->device ? bt_wait(way->device, ms) : poll(&p, 1, ms);
}

double way_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void way_parse_mac(const char *text, uint8_t *mac)
{
	unsigned int b[6];

	if (sscanf(text, "%2x%2x%2x%2x%2x%2x", b, b + 1, b + 2, b + 3, b + 4, b + 5) != 6)
		exit(2);
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
}
