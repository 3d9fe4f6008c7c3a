/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * real.h: the functions that ours stand in front of: libc's, or those of another preloaded library.
 */
#ifndef BASILISK_TAP_SHIM_REAL_H
#define BASILISK_TAP_SHIM_REAL_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/types.h>
#include <time.h>

struct real {
	int (*open)(const char *path, int flags, ...);
	int (*open64)(const char *path, int flags, ...);
	int (*openat)(int directory, const char *path, int flags, ...);
	int (*openat64)(int directory, const char *path, int flags, ...);
	int (*open_2)(const char *path, int flags);
	int (*open64_2)(const char *path, int flags);
	int (*openat_2)(int directory, const char *path, int flags);
	int (*openat64_2)(int directory, const char *path, int flags);
	int (*close)(int fd);
	int (*close_range)(unsigned int first, unsigned int last, int flags);
	void (*closefrom)(int first);
	int (*dup)(int fd);
	int (*dup2)(int fd, int to);
	int (*dup3)(int fd, int to, int flags);
	int (*fcntl)(int fd, int command, ...);
	int (*fcntl64)(int fd, int command, ...);
	int (*ioctl)(int fd, unsigned long request, ...);
	ssize_t (*read)(int fd, void *buffer, size_t size);
	ssize_t (*read_chk)(int fd, void *buffer, size_t size, size_t room);
	ssize_t (*write)(int fd, const void *buffer, size_t size);
	int (*poll)(struct pollfd *fds, nfds_t n, int timeout);
	int (*poll_chk)(struct pollfd *fds, nfds_t n, int timeout, size_t room);
	int (*ppoll)(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		     const sigset_t *mask);
	int (*ppoll_chk)(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			 const sigset_t *mask, size_t room);
	int (*select)(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout);
	int (*pselect)(int n, fd_set *in, fd_set *out, fd_set *except,
		       const struct timespec *timeout, const sigset_t *mask);
	int (*epoll_ctl)(int set, int operation, int fd, struct epoll_event *event);
};

/* All of them; looked up at the first call, which may come before main(). */
const struct real *real(void);

#endif
