/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * raw.h: the system calls of the data path, without libc's provisions for cancelling a thread in
 * them: these cost some 30 ns a call in a process with threads, and a thread must not end in the
 * midst of a frame. Results are as the kernel's: -errno on an error.
 */
#ifndef BASILISK_TAP_SHIM_RAW_H
#define BASILISK_TAP_SHIM_RAW_H

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline ssize_t raw_result(long result)
{
	return result < 0 ? -errno : result;
}

static inline ssize_t raw_read(int fd, void *data, size_t size)
{
	return raw_result(syscall(SYS_read, fd, data, size));
}

static inline ssize_t raw_write(int fd, const void *data, size_t len)
{
	return raw_result(syscall(SYS_write, fd, data, len));
}

static inline ssize_t raw_recvfrom(int fd, void *buffer, size_t size, int flags,
				   struct sockaddr *from, socklen_t *len)
{
	return raw_result(syscall(SYS_recvfrom, fd, buffer, size, flags, from, len));
}

/* @to NULL: to where the socket is connected. */
static inline ssize_t raw_sendto(int fd, const void *data, size_t len, int flags,
				 const struct sockaddr *to, socklen_t size)
{
	return raw_result(syscall(SYS_sendto, fd, data, len, flags, to, size));
}

#endif
