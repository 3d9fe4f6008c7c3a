/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * raw.h: the system calls of the data path, without libc's provisions for cancelling a thread in
 * them: these cost some 30 ns a call in a process with threads, and a thread must not end in the
 * midst of a frame. Results are as the kernel's: -errno on an error.
 *
 * On x86-64 without libc's syscall(), too: after the kernel's own calls the processor does not know
 * any more where each function of ours returns to, so that one function less is some 10 ns.
 */
#ifndef BASILISK_TAP_SHIM_RAW_H
#define BASILISK_TAP_SHIM_RAW_H

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The analyzer, which sees no further than a call, takes what it points to for written by that. */
static inline long raw_call(long number, long a, void *b, long c, long d, void *e, long f)
{
#if defined(__x86_64__) && defined(__LP64__) && !defined(__clang_analyzer__)
	register long r10 __asm__("r10") = d;
	register void *r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#else
	long result = syscall(number, a, b, c, d, e, f);

	return result < 0 ? -errno : result;
#endif
}

static inline ssize_t raw_read(int fd, void *data, size_t size)
{
	return raw_call(SYS_read, fd, data, (long)size, 0, NULL, 0);
}

static inline ssize_t raw_write(int fd, const void *data, size_t len)
{
	return raw_call(SYS_write, fd, (void *)(uintptr_t)data, (long)len, 0, NULL, 0);
}

static inline ssize_t raw_recvfrom(int fd, void *buffer, size_t size, int flags,
				   struct sockaddr *from, socklen_t *len)
{
	return raw_call(SYS_recvfrom, fd, buffer, (long)size, flags, from, (long)len);
}

static inline ssize_t raw_writev(int fd, const struct iovec *parts, unsigned long count)
{
	return raw_call(SYS_writev, fd, (void *)(uintptr_t)parts, (long)count, 0, NULL, 0);
}

static inline int raw_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	return (int)raw_call(SYS_sendmmsg, fd, messages, count, flags, NULL, 0);
}

/* @to NULL: to where the socket is connected. */
static inline ssize_t raw_sendto(int fd, const void *data, size_t len, int flags,
				 const struct sockaddr *to, socklen_t size)
{
	return raw_call(SYS_sendto, fd, (void *)(uintptr_t)data, (long)len, flags,
			(void *)(uintptr_t)to, size);
}

#endif
