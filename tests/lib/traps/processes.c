/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * processes.c: what is a process's own and must stay so: its signal mask, its standard descriptors,
 * its end.
 */
#include "traps.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>

static void signal_masks(void)
{
	sigset_t before, after;
	int fd;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	fd = card();
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int s = 1; s < 32; s++)
		CHECK(sigismember(&after, s) == (s == SIGUSR2));
	close(fd);
}

/* Started without standard descriptors: none of ours takes their numbers. */
static void without_standard(void)
{
	char line[] = "this goes nowhere\n";
	int fd;

	close(STDIN_FILENO);
	close(STDERR_FILENO);
	fd = open(CARD, O_RDWR); /* number 0, as any program would get it */
	CHECK(fd == STDIN_FILENO);
	join(fd);
	CHECK(fcntl(STDERR_FILENO, F_GETFD) < 0 && errno == EBADF);
	CHECK(works(fd));
	for (int i = 0; i < 50; i++) { /* while the control thread is at work */
		usleep(10000);
		write(STDERR_FILENO, line, sizeof(line));
	}
	CHECK(works(fd) && close(fd) == 0);
}

/* The same, with the control threads at work for long: what they open gets no such number. */
static void without_standard_for_long(void)
{
	static const int closed[] = { STDIN_FILENO, STDERR_FILENO };
	int fd = card();
	struct stat st;

	count_signals(SIGUSR1);
	printf("ready\n");
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		close(closed[i]);
	for (; !signals; usleep(1000))	    /* until the test has done all it wants to */
		for (int i = 0; i < 2; i++) /* or /dev/null, for a moment */
			CHECK(fstat(closed[i], &st) < 0 || S_ISCHR(st.st_mode));
	CHECK(works(fd) && close(fd) == 0);
}

static void exit_now(int number)
{
	(void)number;
	exit(0); /* NOLINT(bugprone-signal-handler,cert-sig30-c): as emulators do */
}

static void *write_always(void *argument)
{
	for (;;)
		works(*(int *)argument);
	return NULL;
}

/* exit() where it must not be called: in a signal handler, in the middle of whatever. */
static void exits_in_handler(void)
{
	const struct itimerval soon = { .it_value = { .tv_usec = 100000 } };
	int fd = card();
	pthread_t other;

	signal(SIGALRM, exit_now);
	CHECK(pthread_create(&other, NULL, write_always, &fd) == 0);
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	write_always(&fd);
}

const struct trap traps_of_processes[] = {
	{ "signal_masks", signal_masks },
	{ "without_standard", without_standard },
	{ "without_standard_for_long", without_standard_for_long },
	{ "exits_in_handler", exits_in_handler },
	{ NULL, NULL },
};
