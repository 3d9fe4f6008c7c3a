/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel.h: frames in UDP datagrams, one each, with nothing around them.
 *
 * Two sockets share one port: the kernel steers the confirmation frames (EtherType 0x88B6) to
 * the second, so that they are answered while nobody reads the first. Both take IPv6 and, mapped
 * into it, IPv4. A third one may be connected to the peer that most frames go to: the kernel then
 * looks no route up for each, and what that peer sends has a queue of its own.
 * No call blocks; none allocates. What arrives is as the network sent it:
 * only its length has been looked at.
 */
#ifndef BASILISK_TAP_SHIM_TUNNEL_H
#define BASILISK_TAP_SHIM_TUNNEL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"
#include "raw.h"

#define TUNNEL_BATCH 64 /* destinations of one tunnel_send_all() */

/* MSG_TRUNC: the length of all of it, whatever there was room for */
#define TUNNEL_RECEIVE (MSG_DONTWAIT | MSG_TRUNC)
#define TUNNEL_SEND    (MSG_DONTWAIT | MSG_NOSIGNAL)

/* Owned by whoever declared it; closed by tunnel_close(). */
struct tunnel {
	int data;    /* frames */
	int control; /* confirmation frames */
	int family;  /* AF_INET6; AF_INET where the kernel has no IPv6 at all */
	uint16_t port;
};

struct tunnel_target {
	struct address address;
	uint16_t port;
};

static inline bool tunnel_target_equal(const struct tunnel_target *a, const struct tunnel_target *b)
{
	return a->port == b->port && address_equal(&a->address, &b->address);
}

/* What tunnel_receive() says where the kernel says @n for a buffer of @size bytes. */
static inline ssize_t tunnel_received(ssize_t n, size_t size)
{
	if (n < 0)
		return n == -EINTR ? -EAGAIN : n;
	return (size_t)n > size ? -EMSGSIZE : n;
}

/*
 * Opens the tunnel on @port; if that is 0 on TXT_PORT or the next free one. 0, or a negative
 * errno: -EADDRINUSE if the port (or each of a thousand) is taken.
 */
int tunnel_open(struct tunnel *tunnel, uint16_t port);
void tunnel_close(struct tunnel *tunnel);

/* A socket for tunnel_connect() to @to, by which nothing comes yet: its descriptor or -errno. */
int tunnel_socket(const struct tunnel_target *to);

/*
 * Gives the tunnel's port to that socket and connects it. What comes from there comes to it alone
 * from now on, confirmation frames too. 0 or a negative errno.
 */
int tunnel_connect(const struct tunnel *tunnel, int fd, const struct tunnel_target *to);

/*
 * Takes the next datagram of @fd, one of the tunnel's sockets. Its length, and *@from; -EAGAIN
 * where there is none; -EMSGSIZE if it was longer than @size, or another negative errno, each of
 * which has used it up.
 */
ssize_t tunnel_receive(int fd, void *buffer, size_t size, struct tunnel_target *from);

/* The same of a connected socket. Here, as the next one, because each frame goes by it. */
static inline ssize_t tunnel_receive_connected(int fd, void *buffer, size_t size)
{
	ssize_t n = raw_recvfrom(fd, buffer, size, TUNNEL_RECEIVE, NULL, NULL);

	return tunnel_received(n, size);
}

/* Sends one frame by a connected socket. 0 or a negative errno. */
static inline int tunnel_send_connected(int fd, const void *frame, size_t len)
{
	ssize_t n = raw_sendto(fd, frame, len, TUNNEL_SEND, NULL, 0);

	return n < 0 ? (int)n : 0;
}

/* Sends one frame. 0 or a negative errno. */
int tunnel_send(const struct tunnel *tunnel, const struct tunnel_target *to, const void *frame,
		size_t len);

/*
 * Sends one frame to @count targets, at most TUNNEL_BATCH. How many failed; *@error is the last
 * failure's errno.
 */
unsigned int tunnel_send_all(const struct tunnel *tunnel, const struct tunnel_target *to,
			     unsigned int count, const void *frame, size_t len, int *error);

#endif
