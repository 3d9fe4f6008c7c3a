/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frames.c: frames; the test on the other side sends them.
 */
#include "traps.h"

#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>

ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);

/* Without O_NONBLOCK read() waits, signals or not, as the driver does. */
static void blocking(void)
{
	struct interrupter interrupter;
	uint8_t frame[1514];
	int fd = open(CARD, O_RDWR);
	ssize_t n;

	CHECK(fd >= 0 && ioctl(fd, SIOCSIFLINK, LINK) == 0);
	interrupter_start(&interrupter);
	n = read(fd, frame, sizeof(frame));
	CHECK(n >= 14 && n <= 1514);
	interrupter_stop(&interrupter);
	n = __read_chk(fd, frame, sizeof(frame), sizeof(frame));
	CHECK(n >= 14 && n <= 1514);
	/* a small buffer gets as much as it takes */
	CHECK(read(fd, frame, 20) == 20);
	int on = 1;

	CHECK(ioctl(fd, FIONBIO, &on) == 0);
	while (read(fd, frame, sizeof(frame)) >= 0)
		;
	CHECK(errno == EAGAIN);
	close(fd);
}

__thread long allocations;
static long frames;

/* The preload library asks by these as well. Not where a sanitizer has taken these places. */
#ifdef COUNT_ALLOCATIONS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	allocations++;
	return __libc_realloc(old, size);
}
#endif

static void on_usr2(int number)
{
	(void)number;
	/* NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c): it only interrupts poll() */
	dprintf(STDOUT_FILENO, "%ld allocations in %ld frames\n", allocations, frames);
}

/*
 * Opens the card on SIGUSR1, then sends back what comes, as long as it is let. On SIGUSR2 it says
 * how often memory was asked for since then, for how many frames.
 */
static void patient(void)
{
	uint8_t frame[1514], sender[6];
	struct pollfd card_ready;
	ssize_t n;

	await_the_test();
	card_ready = (struct pollfd){ .fd = open(CARD, O_RDWR), .events = POLLIN };
	CHECK(ioctl(card_ready.fd, SIOCSIFLINK, "auto") == 0);
	CHECK(fcntl(card_ready.fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
	CHECK(ioctl(card_ready.fd, SIOCGIFADDR, mac) == 0);
	printf("open %02x%02x%02x%02x%02x%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	fflush(stdout);
	allocations = 0;
	signal(SIGUSR2, on_usr2);
	while (poll(&card_ready, 1, -1) == 1) {
		while ((n = read(card_ready.fd, frame, sizeof(frame))) >= 14) {
			memcpy(sender, frame + 6, 6);
			memcpy(frame + 6, mac, 6);
			memcpy(frame, sender, 6);
			CHECK(write(card_ready.fd, frame, (size_t)n) == n);
			frames++;
		}
	}
	CHECK(!"poll() ended");
}

const struct trap traps_of_frames[] = {
	{ "blocking", blocking },
	{ "patient", patient },
	{ NULL, NULL },
};
