/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waits.c: waiting for the card, with signals, with other descriptors, in threads that are
 * cancelled.
 */
#include "traps.h"

#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
		size_t room);

enum { WAYS = 6 };

/* By way number @way for the card in @p. */
static int wait_150_ms(int way, struct pollfd *p)
{
	struct timespec ts = { .tv_nsec = 150000000 };
	struct timeval tv = { .tv_usec = 150000 };
	fd_set set;
	int n;

	p->revents = 0;
	FD_ZERO(&set);
	FD_SET(p->fd, &set);
	switch (way) {
	case 0:
		return poll(p, 1, 150);
	case 1:
		return __poll_chk(p, 1, 150, sizeof(*p));
	case 2:
		return ppoll(p, 1, &ts, NULL);
	case 3:
		return __ppoll_chk(p, 1, &ts, NULL, sizeof(*p));
	case 4:
		n = select(p->fd + 1, &set, NULL, NULL, &tv);
		CHECK(tv.tv_sec == 0 && tv.tv_usec == 0); /* what is left of it */
		return n;
	default:
		return pselect(p->fd + 1, &set, NULL, NULL, &ts, NULL);
	}
}

/* Interrupted all the time, each of these waits its 150 ms and then says "nothing". */
static void interrupted(void)
{
	int fd = card(), pipes[2];
	struct pollfd p = { fd, POLLIN, 0 };
	struct interrupter interrupter;
	sigset_t none;

	for (int i = 0; i < WAYS; i++) {
		interrupter_start(&interrupter);
		do { /* until it was interrupted, which a busy machine may put off */
			double start = now();
			int n = wait_150_ms(i, &p);

			if (n < 0 || (n > 0 && p.revents & ~POLLIN))
				printf("way %d: %d, errno %d, revents %x\n", i, n, errno,
				       p.revents);
			CHECK(n == 0 && p.revents == 0);
			CHECK(now() - start >= 0.149);
		} while (signals < 4);
		interrupter_stop(&interrupter);
	}
	/* who waits for something else is interrupted as ever */
	CHECK(pipe(pipes) == 0);
	p.fd = pipes[0];
	interrupter_start(&interrupter);
	CHECK(poll(&p, 1, -1) < 0 && errno == EINTR);
	/* and who gives a signal mask wants to be interrupted */
	sigemptyset(&none);
	p.fd = fd;
	CHECK(ppoll(&p, 1, NULL, &none) < 0 && errno == EINTR);
	interrupter_stop(&interrupter);
	close(fd);
}

static void writable(void)
{
	int fd = card(), pipes[2];
	struct pollfd p[2] = { { fd, POLLIN | POLLOUT, 0 }, { -1, POLLIN, 0 } };
	fd_set in, out;

	CHECK(poll(p, 2, 1000) == 1 && p[0].revents == POLLOUT);
	CHECK(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
	p[1].fd = pipes[0];
	CHECK(poll(p, 2, 1000) == 2 && p[1].revents == POLLIN);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd, &out);
	FD_SET(pipes[0], &in);
	CHECK(select(pipes[1] + 1, &in, &out, NULL, NULL) == 2);
	CHECK(FD_ISSET(fd, &out) && FD_ISSET(pipes[0], &in));
	/* with a signal mask, too */
	sigset_t none;

	sigemptyset(&none);
	CHECK(ppoll(p, 2, NULL, &none) == 2 && p[0].revents == POLLOUT && p[1].revents == POLLIN);
	FD_ZERO(&in);
	CHECK(pselect(pipes[1] + 1, &in, &out, NULL, NULL, &none) == 1 && FD_ISSET(fd, &out));
	close(fd);
}

/* More descriptors than an fd_set of libc's has room for: Linux takes longer ones. */
static void writable_among_many(void)
{
	struct rlimit limit = { 4096, 4096 };
	union {
		fd_set first;
		uint8_t bytes[4096 / 8];
	} out;
	int fd = card(), pipes[2];
	const int high = 3000;

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(pipe(pipes) == 0 && dup2(pipes[1], high) == high);
	for (int i = FD_SETSIZE; i < high; i++) /* all are asked for, whatever lies behind a set */
		CHECK(dup2(pipes[1], i) == i);
	memset(&out, 0xff, sizeof(out));
	memset(&out, 0, FD_SETSIZE / 8);
	FD_SET(fd, &out.first);
	CHECK(select(high + 1, NULL, &out.first, NULL, NULL) == high + 1 - FD_SETSIZE + 1);
	CHECK(FD_ISSET(fd, &out.first));
	closefrom(FD_SETSIZE);
	close(fd);
}

/* What the kernel refuses is refused, and what it takes is taken. */
static void odd_words(void)
{
	const struct timespec negative = { -1, 0 }, long_second = { 0, 1000000000 };
	const struct timespec ages = { INT64_MAX / 2, 0 };
	struct timeval before = { -1, 0 }, much = { 0, 1100000 };
	int fd = card(), other = dup(STDOUT_FILENO);
	struct pollfd p = { fd, POLLOUT, 0 };
	fd_set out;

	CHECK(dup3(other, other + 1, O_NONBLOCK) < 0 && errno == EINVAL);
	CHECK(dup3(other, fd, O_NONBLOCK) < 0 && errno == EINVAL && works(fd));
	CHECK(dup3(fd, other, O_NONBLOCK) < 0 && errno == EINVAL && write(other, "", 0) == 0);
	CHECK(dup3(fd, fd, O_CLOEXEC) < 0 && errno == EINVAL && works(fd));
	CHECK(close_range((unsigned int)fd, (unsigned int)fd, 1 << 20) < 0 && errno == EINVAL);
	CHECK(works(fd));
	CHECK(ppoll(&p, 1, &negative, NULL) < 0 && errno == EINVAL);
	CHECK(ppoll(&p, 1, &long_second, NULL) < 0 && errno == EINVAL);
	CHECK(ppoll(&p, 1, &ages, NULL) == 1 && p.revents == POLLOUT);
	FD_ZERO(&out);
	FD_SET(fd, &out);
	CHECK(pselect(fd + 1, NULL, &out, NULL, &negative, NULL) < 0 && errno == EINVAL);
	CHECK(select(fd + 1, NULL, &out, NULL, &before) < 0 && errno == EINVAL);
	CHECK(pselect(fd + 1, NULL, &out, NULL, &ages, NULL) == 1 && FD_ISSET(fd, &out));
	CHECK(select(fd + 1, NULL, &out, NULL, &much) == 1 && FD_ISSET(fd, &out));
	CHECK(much.tv_sec == 1 && much.tv_usec <= 100000);
	close(fd);
}

/* The descriptor of a card to which nothing comes shows no error, and waits no less. */
static void quiet(void)
{
	int fd = card();
	struct pollfd p = { fd, POLLIN | POLLPRI, 0 };

	for (int i = 0; i < 10; i++) {
		double start = now();
		uint8_t frame[1514];

		if (poll(&p, 1, 50) == 0) {
			CHECK(now() - start >= 0.049);
			continue;
		}
		CHECK(p.revents == POLLIN);
		CHECK(read(fd, frame, sizeof(frame)) >= 14 || errno == EAGAIN);
	}
	close(fd);
}

static _Atomic pid_t waiting_thread;

/* True once the kernel has the thread in a poll: nothing done before can be what is tried here. */
static bool is_in_poll(pid_t thread)
{
	long number = -1;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", thread);
	file = fopen(path, "r");
	CHECK(file);
	if (fscanf(file, "%ld", &number) != 1)
		number = -1; /* "running" */
	fclose(file);
#ifdef SYS_poll
	if (number == SYS_poll)
		return true;
#endif
	return number == SYS_ppoll;
}

/* Since waiting_thread was made 0. There is no event for that: it is looked at each millisecond. */
static void await_poll(void)
{
	while (!waiting_thread || !is_in_poll(waiting_thread))
		usleep(1000);
}

static void *wait_for_ever(void *argument)
{
	struct pollfd p = { *(int *)argument, POLLIN, 0 };

	waiting_thread = (pid_t)syscall(SYS_gettid);
	for (;;)
		poll(&p, 1, -1);
	return NULL;
}

static void cancelled(void)
{
	int before = open_files();
	pthread_t thread;
	void *result;

	for (int i = 0; i < 20; i++) {
		int fd = card();

		waiting_thread = 0;
		CHECK(pthread_create(&thread, NULL, wait_for_ever, &fd) == 0);
		if (i % 2) /* else at any moment, on its way there, too */
			await_poll();
		CHECK(pthread_cancel(thread) == 0);
		CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
		CHECK(works(fd) && close(fd) == 0);
		CHECK(open_files() == before); /* nothing waits for that thread to come back */
	}
}

static void *wait_until_closed(void *argument)
{
	struct pollfd p = { *(int *)argument, POLLIN, 0 };

	waiting_thread = (pid_t)syscall(SYS_gettid);
	while (poll(&p, 1, -1) < 1 || p.revents == POLLIN)
		;
	return (void *)(intptr_t)p.revents;
}

/* The card is closed for all, also for who waits for it. */
static void closed_while_awaited(void)
{
	int before = open_files();
	pthread_t thread;
	void *result;

	for (int i = 0; i < 10; i++) {
		int fd = card();

		waiting_thread = 0;
		CHECK(pthread_create(&thread, NULL, wait_until_closed, &fd) == 0);
		await_poll();
		CHECK(close(fd) == 0 && open_files() == before);
		CHECK(pthread_join(thread, &result) == 0 && (intptr_t)result == POLLNVAL);
	}
}

const struct trap traps_of_waits[] = {
	{ "interrupted", interrupted },
	{ "writable", writable },
	{ "writable_among_many", writable_among_many },
	{ "odd_words", odd_words },
	{ "quiet", quiet },
	{ "cancelled", cancelled },
	{ "closed_while_awaited", closed_while_awaited },
	{ NULL, NULL },
};
