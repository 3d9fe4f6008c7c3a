/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper_reply.c: see helper_reply.h. Only the caller's socket and the descriptor that comes over
 * it are touched.
 */
#include "helper_reply.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int helper_reply_problem(struct reply *reply, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reply->text, sizeof(reply->text), format, args);
	va_end(args);
	return err;
}

/* Takes the one message: its length and *@fd (or -1); 0 at the end; a negative errno. */
static ssize_t take_message(int sock, uint8_t *message, size_t size, int *fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec data = { message, size };
	struct msghdr header = { .msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(sock, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	*fd = -1;
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0);
		     at += sizeof(int)) {
			int got;

			memcpy(&got, CMSG_DATA(c) + at, sizeof(got));
			if (*fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
	return n;
}

/* What came over is only believed to be a TAP once the kernel says so. */
static int tap_check(int fd)
{
	struct ifreq ifr;
	int flags;

	memset(&ifr, 0, sizeof(ifr));
	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return -errno;
	if ((ifr.ifr_flags & (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) !=
	    (IFF_TAP | IFF_NO_PI))
		return -EPROTO;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

/* What is wrong with the message of @n bytes and its descriptor, or 0. */
static int judge(const uint8_t *message, size_t n, const char *path, const struct request *request,
		 struct reply *reply, int *tap)
{
	int err;

	if (reply_decode(message, n, reply))
		return helper_reply_problem(reply, -EPROTO,
					    "the helper %s gave a reply that is not understood: "
					    "install the same version of helper and library",
					    path);
	if (reply->code != OUTCOME_OK || request->verb != REQUEST_ATTACH) {
		if (*tap >= 0)
			close(*tap);
		*tap = -1;
		return 0;
	}
	err = *tap < 0 ? -EPROTO : tap_check(*tap);
	if (err)
		return helper_reply_problem(reply, err,
					    "the helper %s handed over no usable TAP (%s): install "
					    "the same version of helper and library",
					    path, strerrordesc_np(-err));
	return 0;
}

int helper_reply_take(int sock, const char *path, const struct request *request,
		      struct reply *reply, int *tap)
{
	uint8_t message[REPLY_LEN + 1];
	ssize_t n = take_message(sock, message, sizeof(message), tap);
	int err = n <= 0 ? -ENOMSG : judge(message, (size_t)n, path, request, reply, tap);

	if (err && *tap >= 0) {
		close(*tap);
		*tap = -1;
	}
	return err;
}
