/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * data_path.c: one program for both sides of a measurement, so that only the way differs.
 *
 *   data_path echo WAY                       sends each test frame back, until it is ended
 *   data_path load WAY TARGET SOURCE SECONDS round trips and frames a second to an echo; MACs as
 *                                            12 hex digits, SOURCE "-" where the way has one
 *   data_path first WAY                      sends one broadcast as soon as it can
 *   data_path others                         what read(), write() and poll() of /dev/null cost
 *
 * WAY is fd:N (a TAP's descriptor), card:NAME (a packet socket), udp:PORT,ADDRESS,PORT (a connected
 * socket), or a value of `ether` for libbasilisk-tap. Each is used as the emulator uses its
 * descriptor: poll(), then frames until there is none. Results are lines of words and numbers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <basilisk-tap.h>

#define TRIPS_MAX 500000
#define WINDOW	  16
#define LOST_MS	  100

struct way {
	int fd;
	struct bt_device *device; /* or NULL: fd is read and written */
	uint8_t mac[6];
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static ssize_t receive(const struct way *way, void *frame)
{
	return way->device ? bt_receive(way->device, frame, 1514) : read(way->fd, frame, 1514);
}

static ssize_t transmit(const struct way *way, const void *frame, size_t len)
{
	return way->device ? bt_send(way->device, frame, len) : write(way->fd, frame, len);
}

static void parse_mac(const char *text, uint8_t *mac)
{
	unsigned int b[6];

	if (sscanf(text, "%2x%2x%2x%2x%2x%2x", b, b + 1, b + 2, b + 3, b + 4, b + 5) != 6)
		exit(2);
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
}

static int open_card(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(0x88b5),
				  .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(0x88b5)), size = 4 << 20;

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

static void open_way(const char *text, struct way *way)
{
	*way = (struct way){ .fd = -1 };
	if (strncmp(text, "fd:", 3) == 0) {
		way->fd = atoi(text + 3);
		fcntl(way->fd, F_SETFL, O_RDWR | O_NONBLOCK);
	} else if (strncmp(text, "card:", 5) == 0) {
		way->fd = open_card(text + 5);
	} else if (strncmp(text, "udp:", 4) == 0) {
		way->fd = open_udp(text + 4);
	} else if (bt_open(text, &way->device) == 0) {
		way->fd = bt_fd(way->device);
		bt_mac(way->device, way->mac);
		for (int i = 0; i < 6; i++)
			printf("%02x", way->mac[i]);
		printf(" is its MAC\n");
	}
	if (way->fd < 0) {
		perror(text);
		exit(1);
	}
	printf("ready\n");
	fflush(stdout);
}

static bool is_test(const uint8_t *frame, ssize_t n)
{
	return n >= 14 && frame[12] == 0x88 && frame[13] == 0xb5;
}

static void echo(const struct way *way)
{
	struct pollfd p = { .fd = way->fd, .events = POLLIN };
	uint8_t frame[1514], sender[6];
	ssize_t n;

	while (poll(&p, 1, -1) >= 0)
		while ((n = receive(way, frame)) >= 14)
			if (is_test(frame, n)) {
				memcpy(sender, frame + 6, 6);
				memcpy(frame + 6, frame, 6);
				memcpy(frame, sender, 6);
				transmit(way, frame, (size_t)n);
			}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void round_trips(const struct way *way, uint8_t *frame, size_t len, double seconds)
{
	static double trip[TRIPS_MAX];
	struct pollfd p = { .fd = way->fd, .events = POLLIN };
	double end = now() + seconds, start;
	uint32_t number = 0;
	uint8_t got[1514];
	size_t count = 0;
	bool back;

	while (now() < end && count < TRIPS_MAX) {
		number++;
		memcpy(frame + 14, &number, 4);
		start = now();
		transmit(way, frame, len);
		for (back = false; !back && poll(&p, 1, LOST_MS) > 0;) {
			ssize_t n;

			while ((n = receive(way, got)) >= 14)
				back |= n == (ssize_t)len && memcmp(got + 14, frame + 14, 4) == 0;
		}
		if (back)
			trip[count++] = now() - start;
	}
	qsort(trip, count, sizeof(trip[0]), by_value);
	printf("trip %zu %.3f\n", len, count ? trip[count / 2] * 1e6 : 0.0);
}

static void throughput(const struct way *way, const uint8_t *frame, size_t len, double seconds)
{
	struct pollfd p = { .fd = way->fd, .events = POLLIN };
	double start = now(), end = start + seconds;
	uint8_t got[1514];
	long back = 0;
	int flying = 0;

	while (now() < end) {
		for (; flying < WINDOW; flying++)
			transmit(way, frame, len);
		if (poll(&p, 1, LOST_MS) == 0)
			flying = 0; /* lost, all of them */
		for (ssize_t n; (n = receive(way, got)) >= 14;)
			if (is_test(got, n) && n == (ssize_t)len) {
				back++;
				flying--;
			}
		if (flying < 0)
			flying = 0;
	}
	printf("rate %zu %.0f\n", len, (double)back / (now() - start));
}

/* libbasilisk-tap first finds the other side; nobody else needs the time. */
static void settle(const struct way *way, const uint8_t *target)
{
	struct pollfd p = { .fd = way->fd, .events = POLLIN };
	double end = now() + (way->device ? 5 : 0.05);
	uint8_t frame[64] = { 0 }, got[1514];
	int back = 0;

	memcpy(frame, target, 6);
	memcpy(frame + 6, way->mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	/* enough of them that it has a socket of its own for that peer */
	while (now() < end && back < 200) {
		transmit(way, frame, sizeof(frame));
		poll(&p, 1, 10);
		while (receive(way, got) >= 14)
			back++;
	}
}

static void first(const struct way *way)
{
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	memcpy(frame + 6, way->mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	transmit(way, frame, sizeof(frame));
	pause();
}

/* Nanoseconds for each of many calls, the best of several rounds. */
static void others(void)
{
	enum { CALLS = 20000, ROUNDS = 50 };
	int fd = open("/dev/null", O_RDWR);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	double best[3] = { 1, 1, 1 };
	char byte = 0;

	for (int round = 0; round < ROUNDS; round++)
		for (int kind = 0; kind < 3; kind++) {
			double start = now(), spent;

			for (int i = 0; i < CALLS; i++)
				if ((kind == 0 && read(fd, &byte, 1) < 0) ||
				    (kind == 1 && write(fd, &byte, 1) < 0) ||
				    (kind == 2 && poll(&p, 1, 0) < 0))
					exit(1);
			spent = (now() - start) / CALLS;
			if (spent < best[kind])
				best[kind] = spent;
		}
	printf("others %.1f %.1f %.1f\n", best[0] * 1e9, best[1] * 1e9, best[2] * 1e9);
}

int main(int argc, char **argv)
{
	static const size_t lengths[] = { 64, 1514 };
	uint8_t frame[1514] = { [12] = 0x88, [13] = 0xb5 };
	struct way way;

	if (argc == 2 && strcmp(argv[1], "others") == 0) {
		others();
		return 0;
	}
	if (argc < 3)
		return 2;
	open_way(argv[2], &way);
	if (strcmp(argv[1], "first") == 0)
		first(&way);
	if (strcmp(argv[1], "echo") == 0)
		echo(&way);
	if (argc != 6)
		return 2;
	parse_mac(argv[3], frame);
	if (strcmp(argv[4], "-") != 0)
		parse_mac(argv[4], way.mac);
	memcpy(frame + 6, way.mac, 6);
	settle(&way, frame);
	for (int i = 0; i < 2; i++) {
		round_trips(&way, frame, lengths[i], atof(argv[5]));
		throughput(&way, frame, lengths[i], atof(argv[5]));
	}
	bt_close(way.device);
	return 0;
}
