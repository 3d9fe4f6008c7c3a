/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: runs traps:  traps NAME...    exit status 0, or 1 after a line that says what was wrong
 *
 * Built and run by tests/net/test_shim_preload.py.
 */
#include "traps.h"

#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#define SECONDS 150 /* for what hangs */

uint8_t mac[6];
volatile _Atomic int signals;

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void join(int fd)
{
	CHECK(fd >= 0);
	CHECK(ioctl(fd, SIOCSIFLINK, LINK) == 0);
	CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
	CHECK(ioctl(fd, SIOCGIFADDR, mac) == 0);
	CHECK(mac[0] == 0xb2);
}

int card(void)
{
	int fd = open(CARD, O_RDWR);

	join(fd);
	return fd;
}

bool works(int fd)
{
	uint8_t frame[1514] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	ssize_t n;

	memcpy(frame + 6, mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	if (write(fd, frame, 60) != 60)
		return false;
	n = read(fd, frame, sizeof(frame));
	return n >= 14 || (n < 0 && errno == EAGAIN);
}

int open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += syscall(SYS_fcntl, fd, F_GETFD) >= 0;
	return count;
}

static void on_signal(int number)
{
	(void)number;
	signals++;
}

void count_signals(int number)
{
	const struct sigaction action = { .sa_handler = on_signal };

	signals = 0;
	CHECK(sigaction(number, &action, NULL) == 0);
}

static void *signal_often(void *argument)
{
	const struct timespec t = { .tv_nsec = 10000000 };
	struct interrupter *interrupter = argument;

	while (!interrupter->over) {
		nanosleep(&t, NULL);
		pthread_kill(interrupter->target, SIGUSR1);
	}
	return NULL;
}

void interrupter_start(struct interrupter *interrupter)
{
	count_signals(SIGUSR1);
	interrupter->target = pthread_self();
	interrupter->over = false;
	CHECK(pthread_create(&interrupter->thread, NULL, signal_often, interrupter) == 0);
}

void interrupter_stop(struct interrupter *interrupter)
{
	interrupter->over = true;
	CHECK(pthread_join(interrupter->thread, NULL) == 0);
}

void await_the_test(void)
{
	sigset_t usr1;
	int got;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CHECK(pthread_sigmask(SIG_BLOCK, &usr1, NULL) == 0);
	printf("ready\n");
	fflush(stdout);
	CHECK(sigwait(&usr1, &got) == 0);
}

int main(int argc, char **argv)
{
	static const struct trap *const traps[] = {
		traps_of_numbers,   traps_of_waits,  traps_of_children,
		traps_of_processes, traps_of_frames, traps_of_sends,
	};
	int done = 0;

	alarm(SECONDS);
	syscall(SYS_close_range, 3, ~0u, 0); /* what the test left open */
	for (int i = 1; i < argc; i++)
		for (size_t t = 0; t < sizeof(traps) / sizeof(traps[0]); t++)
			for (const struct trap *trap = traps[t]; trap->name; trap++)
				if (strcmp(argv[i], trap->name) == 0) {
					trap->run();
					done++;
				}
	return done == argc - 1 ? 0 : 2;
}
