/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * traps.c: a stand-in for the emulator, run under the preload library: each trap is a way in which
 * a program may use its descriptors, and in which a library in between may go wrong.
 *
 *   traps NAME...    runs these; exit status 0, or 1 after a line that says what was wrong
 *
 * Built and run by tests/net/test_shim_preload.py. It uses the calls as the emulator does: by
 * libc's names, so that the preload library is what answers.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
		size_t room);

#define CARD "/dev/sheep_net"
#define LINK "auto-p2p"

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			printf("%s:%d: not true: %s (errno %d)\n", __func__, __LINE__, #what,      \
			       errno);                                                             \
			fflush(stdout);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static uint8_t mac[6];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void join(int fd)
{
	CHECK(fd >= 0);
	CHECK(ioctl(fd, SIOCSIFLINK, LINK) == 0);
	CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
	CHECK(ioctl(fd, SIOCGIFADDR, mac) == 0);
	CHECK(mac[0] == 0xb2);
}

static int card(void)
{
	int fd = open(CARD, O_RDWR);

	join(fd);
	return fd;
}

/* It is the card: it takes a frame, and has none or gives one. */
static bool works(int fd)
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

static int open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += syscall(SYS_fcntl, fd, F_GETFD) >= 0;
	return count;
}

/* ---- ways to open ---- */

static void variants(void)
{
	int (*const opens[])(const char *, int) = { __open_2, __open64_2 };
	int (*const openats[])(int, const char *, int) = { __openat_2, __openat64_2 };
	int before = open_files(), fd;

	for (int i = 0; i < 2; i++) {
		join(fd = opens[i](CARD, O_RDWR));
		CHECK(works(fd) && close(fd) == 0);
		join(fd = openats[i](AT_FDCWD, CARD, O_RDWR));
		CHECK(works(fd) && close(fd) == 0);
	}
	join(fd = open64(CARD, O_RDWR));
	CHECK(works(fd) && close(fd) == 0);
	join(fd = openat(AT_FDCWD, CARD, O_RDWR));
	CHECK(works(fd) && close(fd) == 0);
	join(fd = openat64(AT_FDCWD, CARD, O_RDWR));
	CHECK(works(fd) && close(fd) == 0);
	CHECK(open_files() == before);
}

static void errors(void)
{
	uint8_t frame[2000] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	int fd = open(CARD, O_RDWR);

	CHECK(fd >= 0);
	CHECK(ioctl(fd, SIOCSIFLINK, "eth0") < 0 && errno == ENODEV);
	CHECK(ioctl(fd, SIOCSIFLINK, "auto/slot=99") < 0 && errno == EINVAL);
	CHECK(ioctl(fd, SIOCGIFADDR, mac) < 0);
	CHECK(write(fd, frame, 60) < 0 && errno == ENODEV);
	join(fd);
	CHECK(ioctl(fd, SIOCSIFLINK, LINK) < 0 && errno == EBUSY);
	CHECK(open(CARD, O_RDWR) < 0 && errno == EBUSY);
	CHECK(write(fd, frame, 13) < 0 && errno == EINVAL);
	CHECK(write(fd, frame, 1515) < 0 && errno == EMSGSIZE);
	CHECK(ioctl(fd, SIOCADDMULTI, frame) == 0 && ioctl(fd, SIOCDELMULTI, frame) == 0);
	CHECK(works(fd));
	CHECK(close(fd) == 0);
	CHECK(close(fd) < 0 && errno == EBADF);
}

/* ---- poll and signals ---- */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void *signal_often(void *target)
{
	for (int i = 0; i < 20; i++) {
		struct timespec t = { .tv_nsec = 10000000 };

		nanosleep(&t, NULL);
		pthread_kill(*(pthread_t *)target, SIGUSR1);
	}
	return NULL;
}

/* Interrupted every 10 ms, each of these waits its 150 ms and then says "nothing". */
static void interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct timespec ts = { .tv_nsec = 150000000 };
	struct timeval tv = { .tv_usec = 150000 };
	pthread_t self = pthread_self(), other;
	int fd = card(), pipes[2];
	struct pollfd p = { fd, POLLIN, 0 };
	double start;
	fd_set set;

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 6; i++) {
		int n = -1;

		signals = 0;
		p.revents = 0;
		FD_ZERO(&set);
		FD_SET(fd, &set);
		CHECK(pthread_create(&other, NULL, signal_often, &self) == 0);
		start = now();
		switch (i) {
		case 0:
			n = poll(&p, 1, 150);
			break;
		case 1:
			n = __poll_chk(&p, 1, 150, sizeof(p));
			break;
		case 2:
			n = ppoll(&p, 1, &ts, NULL);
			break;
		case 3:
			n = __ppoll_chk(&p, 1, &ts, NULL, sizeof(p));
			break;
		case 4:
			n = select(fd + 1, &set, NULL, NULL, &tv);
			break;
		case 5:
			n = pselect(fd + 1, &set, NULL, NULL, &ts, NULL);
			break;
		}
		if (n < 0 || (n > 0 && p.revents & ~POLLIN))
			printf("way %d: %d, errno %d, revents %x\n", i, n, errno, p.revents);
		CHECK(n == 0 && p.revents == 0);
		CHECK(now() - start >= 0.149 && now() - start < 0.4);
		CHECK(signals > 3);
		pthread_join(other, NULL);
	}
	CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
	/* who waits for something else is interrupted as ever */
	CHECK(pipe(pipes) == 0);
	p.fd = pipes[0];
	CHECK(pthread_create(&other, NULL, signal_often, &self) == 0);
	CHECK(poll(&p, 1, 1000) < 0 && errno == EINTR);
	pthread_join(other, NULL);
	/* and who gives a signal mask wants to be interrupted */
	sigset_t none;

	sigemptyset(&none);
	p.fd = fd;
	CHECK(pthread_create(&other, NULL, signal_often, &self) == 0);
	CHECK(ppoll(&p, 1, NULL, &none) < 0 && errno == EINTR);
	pthread_join(other, NULL);
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

/* The descriptor of a closed or never used card shows no error, and waits no less. */
static void quiet(void)
{
	int fd = card();
	struct pollfd p = { fd, POLLIN | POLLPRI, 0 };
	double start = now();

	while (now() - start < 0.5)
		if (poll(&p, 1, 50) > 0) {
			uint8_t frame[1514];

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

/* ---- numbers ---- */

static void duplicates(void)
{
	int fd = card(), before = open_files(), null, a, b, c, d;

	CHECK((a = dup(fd)) >= 0 && works(a));
	CHECK((b = fcntl(fd, F_DUPFD, 100)) == 100 && works(b));
	CHECK((c = fcntl(fd, F_DUPFD_CLOEXEC, 110)) == 110 && works(c));
	CHECK(fcntl(c, F_GETFD) & FD_CLOEXEC);
	CHECK((d = dup2(a, 120)) == 120 && works(d));
	CHECK(close(fd) == 0 && close(a) == 0 && works(b));
	CHECK(dup2(b, b) == b && works(b));
	CHECK(dup3(b, 130, O_CLOEXEC) == 130 && works(130));
	/* taken over by something else: ours no more, and it is nothing of ours */
	CHECK((null = open("/dev/null", O_RDWR)) >= 0);
	CHECK(dup2(null, b) == b && write(b, "x", 1) == 1 && read(b, mac, 6) == 0);
	CHECK(dup2(999, c) < 0 && errno == EBADF && works(c));
	CHECK(close(b) == 0 && close(null) == 0 && close(c) == 0 && close(130) == 0);
	CHECK(works(d));
	CHECK(dup2(STDIN_FILENO, d) == d && close(d) == 0);
	CHECK(open_files() < before); /* the last one closed the card */
	fd = card();
	CHECK(works(fd) && close(fd) == 0);
}

static void numbers_reused(void)
{
	int fd = card(), other;

	CHECK(close(fd) == 0);
	CHECK((other = open("/dev/null", O_RDWR)) == fd);
	CHECK(write(other, "x", 1) == 1 && read(other, mac, 6) == 0);
	CHECK(ioctl(other, SIOCGIFADDR, mac) < 0);
	close(other);
}

static void closed_by_range(void)
{
	int before = open_files(), fd = card();

	CHECK(close_range((unsigned int)fd, (unsigned int)fd, CLOSE_RANGE_CLOEXEC) == 0);
	CHECK(works(fd));
	CHECK(close_range((unsigned int)fd, (unsigned int)fd, 0) == 0);
	CHECK(open_files() == before);
	CHECK(card() >= 3);
	closefrom(3);
	CHECK(open_files() == 3);
	fd = card();
	CHECK(works(fd));
	close(fd);
}

static void high_number(void)
{
	struct rlimit limit = { 4096, 4096 };
	int fd = card(), high;
	fd_set set;
	struct timeval none = { 0 };

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 || getuid() != 0);
	high = fcntl(fd, F_DUPFD, 900);
	CHECK(high == 900 && works(high));
	FD_ZERO(&set);
	FD_SET(high, &set);
	CHECK(select(FD_SETSIZE, &set, NULL, NULL, &none) >= 0);
	close(fd);
	close(high);
}

static void *read_much(void *argument)
{
	int fd = *(int *)argument;
	uint8_t frame[1514];

	for (int i = 0; i < 20000; i++)
		if (read(fd, frame, sizeof(frame)) < 0 && errno != EAGAIN && errno != EBADF &&
		    errno != ENODEV && errno != EINVAL)
			return (void *)1;
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];
	int fd = card();
	void *result;

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&thread[i], NULL, read_much, &fd) == 0);
	for (int i = 0; i < 2000; i++)
		CHECK(works(fd));
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(thread[i], &result) == 0 && result == NULL);
	close(fd);
}

/* ---- children ---- */

static int child_status(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A child sees a plain descriptor, and leaves the parent's card alone whatever it does. */
static void forked(void)
{
	int fd = card();
	uint8_t frame[60] = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		CHECK(read(fd, frame, sizeof(frame)) < 0 && errno == EINVAL);
		CHECK(write(fd, frame, sizeof(frame)) < 0 && errno == EINVAL);
		CHECK(close(fd) == 0);
		/* it may have a card of its own */
		fd = card();
		CHECK(works(fd) && (mac[5] & 15) == 1);
		CHECK(close(fd) == 0);
		exit(0); /* with the exit handlers */
	}
	CHECK(child_status(pid) == 0);
	CHECK(works(fd) && (mac[5] & 15) == 0);
	close(fd);
}

/* Whatever discovery has opened by then, no child has it. */
static void forked_for_long(void)
{
	int before = open_files(), fd = card();
	double end = now() + 3;

	printf("ready\n");
	fflush(stdout);
	/* a child of the very moment in which Avahi connects has that, unused, until it executes */
	usleep(500000);
	while (now() < end) {
		pid_t pid = fork();

		if (pid == 0) {
			CHECK(close(fd) == 0);
			CHECK(open_files() == before);
			_exit(0);
		}
		CHECK(child_status(pid) == 0);
		usleep(50000);
	}
	CHECK(works(fd) && close(fd) == 0);
}

/* A child that lives on holds neither the slot nor the port. */
static void outlived(void)
{
	int fd = card(), gate[2], ready[2];
	pid_t pid;

	CHECK(pipe(gate) == 0 && pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		CHECK(write(ready[1], "", 1) == 1);
		_exit(read(gate[0], mac, 1) != 0);
	}
	/* it gives up its copies when it first runs, which is not before fork() returns here */
	CHECK(read(ready[0], mac, 1) == 1);
	close(fd);
	fd = open(CARD, O_RDWR);
	CHECK(ioctl(fd, SIOCSIFLINK, "auto-p2p/slot=0,port=6066") == 0);
	close(fd);
	close(gate[1]);
	CHECK(child_status(pid) == 0);
}

static void vforked(void)
{
	int fd = card();
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		pid = vfork();
		if (pid == 0) {
			if (i == 0)
				close(fd);
			else if (i == 1)
				dup2(0, fd);
			else
				close_range(3, ~0u, 0);
			_exit(0);
		}
		CHECK(child_status(pid) == 0);
		CHECK(works(fd));
	}
	close(fd);
}

/* As popen() and the network scripts: a program sees none of our descriptors. */
static void executed(void)
{
	int fd = card();
	char line[256] = "";
	FILE *list = popen("ls /proc/self/fd | tr '\\n' ' '", "r");

	CHECK(list && fgets(line, sizeof(line), list));
	CHECK(pclose(list) == 0);
	if (strcmp(line, "0 1 2 3 ") != 0)
		printf("the program sees %s\n", line);
	CHECK(strcmp(line, "0 1 2 3 ") == 0);
	CHECK(system("exit 7") >> 8 == 7);
	CHECK(works(fd));
	close(fd);
}

/* The helper that was asked is nobody's child: no signal, nothing to wait for. */
static void no_child(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	int fd;

	signals = 0;
	sigaction(SIGCHLD, &action, NULL);
	fd = open(CARD, O_RDWR);
	CHECK(fd >= 0 && ioctl(fd, SIOCSIFLINK, "auto") == 0);
	CHECK(signals == 0);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	CHECK(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
	close(fd);
}

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

/* The same, with the control threads at work for seconds: what they open gets no such number. */
static void without_standard_for_long(void)
{
	static const int closed[] = { STDIN_FILENO, STDERR_FILENO };
	int fd = card();
	struct stat st;

	printf("ready\n");
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		close(closed[i]);
	for (double end = now() + 6; now() < end; usleep(1000))
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

/* ---- frames; the test on the other side sends them ---- */

/* Without O_NONBLOCK read() waits, signals or not, as the driver does. */
static void blocking(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t self = pthread_self(), other;
	uint8_t frame[1514];
	int fd = open(CARD, O_RDWR);
	ssize_t n;

	sigaction(SIGUSR1, &action, NULL);
	CHECK(fd >= 0 && ioctl(fd, SIOCSIFLINK, LINK) == 0);
	CHECK(pthread_create(&other, NULL, signal_often, &self) == 0);
	n = read(fd, frame, sizeof(frame));
	CHECK(n >= 14 && n <= 1514);
	pthread_join(other, NULL);
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

/* Memory that this thread has asked for, how often: the preload library asks by these as well. */
static __thread long allocations;
static long frames;

#ifdef COUNT_ALLOCATIONS /* not where a sanitizer has taken these places */
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
	sigset_t usr1;
	ssize_t n;
	int got;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	printf("closed\n");
	fflush(stdout);
	sigwait(&usr1, &got);
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

static const struct {
	const char *name;
	void (*run)(void);
} traps[] = {
	{ "variants", variants },
	{ "errors", errors },
	{ "interrupted", interrupted },
	{ "writable", writable },
	{ "writable_among_many", writable_among_many },
	{ "odd_words", odd_words },
	{ "quiet", quiet },
	{ "cancelled", cancelled },
	{ "closed_while_awaited", closed_while_awaited },
	{ "duplicates", duplicates },
	{ "numbers_reused", numbers_reused },
	{ "closed_by_range", closed_by_range },
	{ "high_number", high_number },
	{ "threads", threads },
	{ "forked", forked },
	{ "forked_for_long", forked_for_long },
	{ "outlived", outlived },
	{ "vforked", vforked },
	{ "executed", executed },
	{ "no_child", no_child },
	{ "signal_masks", signal_masks },
	{ "without_standard", without_standard },
	{ "without_standard_for_long", without_standard_for_long },
	{ "exits_in_handler", exits_in_handler },
	{ "blocking", blocking },
	{ "patient", patient },
};

int main(int argc, char **argv)
{
	int done = 0;

	alarm(30);
	syscall(SYS_close_range, 3, ~0u, 0); /* what the test left open */
	for (int i = 1; i < argc; i++)
		for (size_t t = 0; t < sizeof(traps) / sizeof(traps[0]); t++)
			if (strcmp(argv[i], traps[t].name) == 0) {
				traps[t].run();
				done++;
			}
	return done == argc - 1 ? 0 : 2;
}
