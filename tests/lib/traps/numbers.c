/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * numbers.c: ways to open the card, and what becomes of the numbers that lead to it.
 */
#include "traps.h"

#include <linux/close_range.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);

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

/* Where no memory is, too: for the kernel to refuse, and for nobody to look at. */
static void unreadable_path(void)
{
	static const char *volatile nowhere = (const char *)1, *volatile nothing;

	CHECK(open(nowhere, O_RDWR) < 0 && errno == EFAULT);
	CHECK(open64(nowhere, O_RDWR) < 0 && errno == EFAULT);
	CHECK(openat(AT_FDCWD, nowhere, O_RDWR) < 0 && errno == EFAULT);
	CHECK(openat64(AT_FDCWD, nowhere, O_RDWR) < 0 && errno == EFAULT);
	CHECK(__open_2(nowhere, O_RDWR) < 0 && errno == EFAULT);
	CHECK(__open64_2(nowhere, O_RDWR) < 0 && errno == EFAULT);
	CHECK(__openat_2(AT_FDCWD, nowhere, O_RDWR) < 0 && errno == EFAULT);
	CHECK(__openat64_2(AT_FDCWD, nowhere, O_RDWR) < 0 && errno == EFAULT);
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): an emulator may do so */
	CHECK(open(nothing, O_RDWR) < 0 && errno == EFAULT);
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

/* By the name that a program has for it which was built for large files; and in an epoll set. */
static void large_files(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP };
	int before = open_files(), fd = card(), other, set = epoll_create1(EPOLL_CLOEXEC);

	CHECK(fcntl64(fd, F_SETFL, fcntl64(fd, F_GETFL) | O_NONBLOCK) == 0 && works(fd));
	CHECK((other = fcntl64(fd, F_DUPFD_CLOEXEC, 140)) == 140 && works(other));
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, other, &event) == 0);
	CHECK(epoll_wait(set, &event, 1, 20) == 0 || event.events == EPOLLIN);
	CHECK(close(set) == 0 && close(fd) == 0 && works(other) && close(other) == 0);
	CHECK(open_files() == before);
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

const struct trap traps_of_numbers[] = {
	{ "variants", variants },
	{ "unreadable_path", unreadable_path },
	{ "errors", errors },
	{ "duplicates", duplicates },
	{ "large_files", large_files },
	{ "numbers_reused", numbers_reused },
	{ "closed_by_range", closed_by_range },
	{ "high_number", high_number },
	{ "threads", threads },
	{ NULL, NULL },
};
