/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel.c: see tunnel.h.
 */
#include "tunnel.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "control.h"
#include "frame.h"
#include "standard.h"
#include "txt.h"

#define PORTS_TRIED 1000

/*
 * A frame over Ethernet's usual 1,500 bytes of datagram travels in fragments: path MTU discovery
 * would refuse it. And a burst of full frames should fit while the emulated Mac is busy.
 */
static const int receive_bytes = 1 << 20;

static int option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int socket_new(int family)
{
	int fd = standard_avoid(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	int err = 0;

	if (fd < 0)
		return -errno;
	if (family == AF_INET6) {
		err = option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
		option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	}
	option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	option(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int socket_bind(const struct tunnel *tunnel, int fd, uint16_t port)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int err;

	if (tunnel->family == AF_INET6)
		err = bind(fd, (const struct sockaddr *)&any6, sizeof(any6));
	else
		err = bind(fd, (const struct sockaddr *)&any4, sizeof(any4));
	return err < 0 ? -errno : 0;
}

static int bind_data(struct tunnel *tunnel, uint16_t wanted)
{
	uint16_t port = wanted ? wanted : TXT_PORT;
	int err, left = wanted ? 1 : PORTS_TRIED;

	do {
		err = socket_bind(tunnel, tunnel->data, port);
		tunnel->port = port++;
	} while (err == -EADDRINUSE && --left);
	return err;
}

/*
 * As control_is() decides: confirmation frames to member 1 of the group, the rest to 0. The
 * datagram's data begin at offset 0 here, and a load beyond their end returns 0.
 */
static int steer(int fd)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 2 * MAC_LEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FRAME_ETHERTYPE_CONTROL, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FRAME_MIN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CONTROL_MAGIC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	static const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0 ?
		       -errno :
		       0;
}

int tunnel_open(struct tunnel *tunnel, uint16_t port)
{
	int err;

	*tunnel = (struct tunnel){ .data = -1, .control = -1, .family = AF_INET6 };
	tunnel->data = socket_new(tunnel->family);
	if (tunnel->data == -EAFNOSUPPORT) {
		tunnel->family = AF_INET;
		tunnel->data = socket_new(tunnel->family);
	}
	if (tunnel->data < 0)
		return tunnel->data;
	tunnel->control = socket_new(tunnel->family);
	if (tunnel->control < 0) {
		err = tunnel->control;
		goto out;
	}
	/*
	 * The first is bound alone, so that a port in use is noticed, by another of ours too; only
	 * then may the second join it.
	 */
	err = bind_data(tunnel, port);
	if (!err)
		err = option(tunnel->data, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err)
		err = option(tunnel->control, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err)
		err = socket_bind(tunnel, tunnel->control, tunnel->port);
	if (!err)
		err = steer(tunnel->data);
out:
	if (err)
		tunnel_close(tunnel);
	return err;
}

void tunnel_close(struct tunnel *tunnel)
{
	if (tunnel->data >= 0)
		close(tunnel->data);
	if (tunnel->control >= 0)
		close(tunnel->control);
	tunnel->data = tunnel->control = -1;
}

union any {
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Fills *@any for the kernel; its length, or 0 where our socket cannot send there. */
static socklen_t to_kernel(const struct tunnel *tunnel, const struct tunnel_target *to,
			   union any *any)
{
	any->in6 = address_sockaddr(&to->address, to->port);
	if (tunnel->family == AF_INET6)
		return sizeof(any->in6);
	if (!address_is_ipv4(&to->address))
		return 0;
	any->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(to->port) };
	memcpy(&any->in.sin_addr, to->address.byte + 12, 4);
	return sizeof(any->in);
}

static void from_kernel(const union any *any, struct tunnel_target *from)
{
	struct sockaddr_in6 s = { .sin6_addr.s6_addr = { [10] = 0xff, [11] = 0xff } };

	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the kernel wrote it */
	if (any->in6.sin6_family == AF_INET6) {
		from->address = address_of(&any->in6);
		from->port = ntohs(any->in6.sin6_port);
		return;
	}
	memcpy(s.sin6_addr.s6_addr + 12, &any->in.sin_addr, 4);
	from->address = address_of(&s);
	from->port = ntohs(any->in.sin_port);
}

/* An IPv4 socket for an IPv4 peer: the other kind costs a tenth more. */
static int family_for(const struct tunnel_target *to)
{
	return address_is_ipv4(&to->address) ? AF_INET : AF_INET6;
}

int tunnel_socket(const struct tunnel_target *to)
{
	return socket_new(family_for(to));
}

int tunnel_connect(const struct tunnel *tunnel, int fd, const struct tunnel_target *to)
{
	const struct tunnel own = { .family = family_for(to) };
	union any any;
	socklen_t size = to_kernel(&own, to, &any);
	int err = option(fd, SOL_SOCKET, SO_REUSEPORT, 1);

	if (!err)
		err = socket_bind(&own, fd, tunnel->port);
	if (!err && connect(fd, (const struct sockaddr *)&any, size) < 0)
		err = -errno;
	return err;
}

ssize_t tunnel_receive(int fd, void *buffer, size_t size, struct tunnel_target *from)
{
	union any any;
	socklen_t len = sizeof(any);
	ssize_t n = raw_recvfrom(fd, buffer, size, TUNNEL_RECEIVE, (struct sockaddr *)&any, &len);

	n = tunnel_received(n, size);
	if (n >= 0)
		from_kernel(&any, from);
	return n;
}

int tunnel_send(const struct tunnel *tunnel, const struct tunnel_target *to, const void *frame,
		size_t len)
{
	union any any;
	socklen_t size = to_kernel(tunnel, to, &any);
	ssize_t sent;

	if (!size)
		return -EAFNOSUPPORT;
	sent = raw_sendto(tunnel->data, frame, len, TUNNEL_SEND, (const struct sockaddr *)&any,
			  size);
	return sent < 0 ? (int)sent : 0;
}

unsigned int tunnel_send_all(const struct tunnel *tunnel, const struct tunnel_target *to,
			     unsigned int count, const void *frame, size_t len, int *error)
{
	struct iovec data = { (void *)(uintptr_t)frame, len };
	struct mmsghdr message[TUNNEL_BATCH];
	union any any[TUNNEL_BATCH];
	unsigned int failed = 0, n = 0;
	int sent;

	for (unsigned int i = 0; i < count; i++) {
		socklen_t size = to_kernel(tunnel, &to[i], &any[n]);

		if (!size) {
			failed++;
			*error = EAFNOSUPPORT;
			continue;
		}
		message[n] = (struct mmsghdr){ .msg_hdr = { .msg_name = &any[n],
							    .msg_namelen = size,
							    .msg_iov = &data,
							    .msg_iovlen = 1 } };
		n++;
	}
	/* sendmmsg() ends at the first that fails: leave that one out and go on */
	for (unsigned int i = 0; i < n; i += (unsigned int)sent) {
		sent = raw_sendmmsg(tunnel->data, message + i, n - i, TUNNEL_SEND);
		if (sent <= 0) {
			*error = -sent;
			failed++;
			sent = 1;
		}
	}
	return failed;
}
