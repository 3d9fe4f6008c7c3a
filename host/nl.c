/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nl.c: see nl.h. Relies on libmnl. Never decides anything; never retries.
 */
#include "nl.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_SECONDS 2 /* the kernel answers within the call; this is for bugs */

int nl_socket(int family)
{
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	return fd;
}

int nl_open(struct nl *nl, int fd)
{
	nl->socket = mnl_socket_fdopen(fd);
	return nl->socket ? 0 : -errno;
}

struct nlmsghdr *nl_begin(struct nl *nl, uint16_t type, uint16_t flags, const void *header,
			  size_t len)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(nl->request);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		message->nlmsg_flags |= NLM_F_ACK;
	message->nlmsg_seq = ++nl->sequence;
	memcpy(mnl_nlmsg_put_extra_header(message, len), header, len);
	return message;
}

/*
 * What was listed changed while it was listed. libmnl would give up in the middle; the rest has to
 * be read in any case, and most walks can do with it: the others ask again.
 */
static void note_interruption(struct nl *nl, int len)
{
	struct nlmsghdr *message = (struct nlmsghdr *)nl->answer;

	for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len)) {
		if (!(message->nlmsg_flags & NLM_F_DUMP_INTR))
			continue;
		nl->interrupted = true;
		message->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
	}
}

/* What libmnl has in errno is what an answer says, which need not be an error's number. */
static int answered_error(void)
{
	return errno > 0 ? -errno : -EIO;
}

/*
 * #syscall sendto fd=ROUTE|GENERIC
 * #syscall recvmsg fd=ROUTE|GENERIC
 */
int nl_ask(struct nl *nl, mnl_cb_t each, void *user)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)nl->request;
	unsigned int port = mnl_socket_get_portid(nl->socket);
	ssize_t len;
	int more;

	nl->interrupted = false;
	if (mnl_socket_sendto(nl->socket, message, message->nlmsg_len) < 0)
		return -errno;
	do {
		len = mnl_socket_recvfrom(nl->socket, nl->answer, sizeof(nl->answer));
		if (len < 0)
			return -errno;
		note_interruption(nl, (int)len);
		more = mnl_cb_run(nl->answer, (size_t)len, nl->sequence, port, each, user);
		/* an answer to a request of before, which timed out: not ours, read on */
		if (more < 0 && (errno == EPROTO || errno == ESRCH))
			more = MNL_CB_OK;
		else if (more < 0)
			return answered_error();
	} while (more != MNL_CB_STOP);
	return 0;
}

static int on_family(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			*(uint16_t *)user = (uint16_t)nl_number(attr);
	return MNL_CB_OK;
}

int nl_find_family(struct nl *generic, const char *name, uint16_t *family)
{
	const struct genlmsghdr header = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	struct nlmsghdr *message = nl_begin(generic, GENL_ID_CTRL, 0, &header, sizeof(header));
	int err;

	*family = 0;
	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, name);
	err = nl_ask(generic, on_family, family);
	return err ? err : *family ? 0 : -ENOENT;
}

const void *nl_payload(const struct nlmsghdr *message, size_t size)
{
	return mnl_nlmsg_get_payload_len(message) >= size ? mnl_nlmsg_get_payload(message) : NULL;
}

bool nl_is(const struct nlattr *attr, const char *text)
{
	const char *value = mnl_attr_get_payload(attr);
	size_t len = strnlen(value, mnl_attr_get_payload_len(attr));

	return len == strlen(text) && memcmp(value, text, len) == 0;
}

uint32_t nl_number(const struct nlattr *attr)
{
	switch (mnl_attr_get_payload_len(attr)) {
	case sizeof(uint8_t):
		return mnl_attr_get_u8(attr);
	case sizeof(uint16_t):
		return mnl_attr_get_u16(attr);
	case sizeof(uint32_t):
		return mnl_attr_get_u32(attr);
	default:
		return 0;
	}
}
