/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interface_look.c: see interface_look.h. One question to rtnetlink: of the older ways none tells
 * whose port an interface is, but for sysfs, which may be another network namespace's.
 */
#include "interface_look.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rtnetlink.h"

#define ANSWER_SIZE 16384 /* without statistics of virtual functions, which nobody asks for */

struct question {
	struct nlmsghdr header;
	struct ifinfomsg info;
	struct rtattr attribute;
	char name[IFNAMSIZ];
};

static void take(const struct rtattr *a, struct interface_look *look)
{
	if (a->rta_type == IFLA_MASTER && RTA_PAYLOAD(a) == sizeof(look->master))
		memcpy(&look->master, RTA_DATA(a), sizeof(look->master));
	else if (a->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(a) == MAC_LEN)
		memcpy(look->mac.byte, RTA_DATA(a), MAC_LEN);
}

/* @answer: @size bytes, of an answer that may be longer. */
static int read_answer(const struct nlmsghdr *answer, size_t size, struct interface_look *look)
{
	const struct ifinfomsg *info = NLMSG_DATA(answer);
	const struct nlmsgerr *error = NLMSG_DATA(answer);
	size_t left;

	if (size >= NLMSG_LENGTH(sizeof(*error)) && answer->nlmsg_type == NLMSG_ERROR)
		return error->error == -ENODEV ? 0 : error->error;
	if (size < NLMSG_LENGTH(sizeof(*info)) || answer->nlmsg_type != RTM_NEWLINK)
		return -EPROTO;
	look->index = info->ifi_index;
	look->up = info->ifi_flags & IFF_UP;
	look->running = info->ifi_flags & IFF_RUNNING;
	look->all_multicast = info->ifi_flags & IFF_ALLMULTI;
	left = size - NLMSG_LENGTH(sizeof(*info));
	for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
		take(a, look);
	return 0;
}

int interface_look(const char *name, struct interface_look *look)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct question q = {
		.header = { .nlmsg_len = sizeof(q),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		.attribute = { .rta_len = sizeof(q.attribute) + sizeof(q.name),
			       .rta_type = IFLA_IFNAME },
	};
	union {
		struct nlmsghdr header;
		char byte[ANSWER_SIZE];
	} answer;
	ssize_t n;
	int fd, err;

	memset(look, 0, sizeof(*look));
	if (!name[0])
		return 0;
	strncpy(q.name, name, sizeof(q.name) - 1);
	fd = rtnetlink_open(0);
	if (fd < 0)
		return fd;
	n = sendto(fd, &q, sizeof(q), 0, (const struct sockaddr *)&kernel, sizeof(kernel));
	if (n >= 0)
		n = recv(fd, &answer, sizeof(answer), 0); /* it is there already */
	err = n < 0 ? -errno : read_answer(&answer.header, (size_t)n, look);
	close(fd);
	return err;
}
