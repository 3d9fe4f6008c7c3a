/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * costs.c: what a process pays for its network card beside frames.
 *
 *   costs others [ETHER]  what read(), write() and poll() of /dev/null cost, in nanoseconds; with
 *                         ETHER in a process that has a card by the preload library
 *   costs idle [ETHER]    loads the library, opens a device and waits; without ETHER only waits
 *   costs first ETHER     sends one broadcast as soon as it can
 *
 * The library is loaded by name, so that without a device nothing of it is in the process.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <basilisk-tap.h>

enum { CALLS = 2000, ROUNDS = 200, KINDS = 3 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int call(int kind, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	char byte = 0;

	switch (kind) {
	case 0:
		return (int)read(fd, &byte, 1);
	case 1:
		return (int)write(fd, &byte, 1);
	default:
		return poll(&p, 1, 0);
	}
}

/* The best of several rounds: what else the machine does only adds. */
static void others(void)
{
	double best[KINDS] = { 1, 1, 1 }, start, spent;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int round = 0; round < ROUNDS; round++)
		for (int kind = 0; kind < KINDS; kind++) {
			start = now();
			for (int i = 0; i < CALLS; i++)
				if (call(kind, fd) < 0)
					exit(1);
			spent = (now() - start) / CALLS;
			if (spent < best[kind])
				best[kind] = spent;
		}
	printf("%.1f %.1f %.1f\n", best[0] * 1e9, best[1] * 1e9, best[2] * 1e9);
}

/* As an emulator does it. */
static void open_card(const char *ether)
{
	int fd = open("/dev/sheep_net", O_RDWR);

	if (fd < 0 || ioctl(fd, SIOCSIFLINK, ether) < 0) {
		perror(ether);
		exit(1);
	}
}

static void *function(const char *name)
{
	void *library = dlopen("/usr/local/lib/libbasilisk-tap.so.0", RTLD_NOW);
	void *found = library ? dlsym(library, name) : NULL;

	if (!found) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return found;
}

static struct bt_device *open_device(const char *ether)
{
	int (*open_it)(const char *ether, struct bt_device **device);
	struct bt_device *device;

	*(void **)&open_it = function("bt_open");
	if (open_it(ether, &device) < 0)
		exit(1);
	return device;
}

static void first(const char *ether)
{
	struct bt_device *device = open_device(ether);
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x88, [13] = 0xb5 };
	ssize_t (*send_it)(struct bt_device * device, const void *frame, size_t len);
	void (*mac)(const struct bt_device *device, uint8_t *mac);

	*(void **)&mac = function("bt_mac");
	*(void **)&send_it = function("bt_send");
	mac(device, frame + 6);
	send_it(device, frame, sizeof(frame));
}

static void *idle(void *nothing)
{
	pause();
	return nothing;
}

/* With a thread, as emulators have: libc's locks and allocator are not the same without. */
static void be_an_emulator(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, idle, NULL) != 0)
		exit(1);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "others") == 0) {
		be_an_emulator();
		if (argc == 3)
			open_card(argv[2]);
		others();
		return 0;
	}
	if (strcmp(what, "first") == 0 && argc == 3) {
		first(argv[2]);
	} else if (strcmp(what, "idle") == 0) {
		be_an_emulator();
		if (argc == 3)
			open_device(argv[2]);
	} else {
		return 2;
	}
	printf("ready\n");
	fflush(stdout);
	pause();
	return 0;
}
