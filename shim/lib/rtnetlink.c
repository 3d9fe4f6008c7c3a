/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtnetlink.c: see rtnetlink.h.
 */
#include "rtnetlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "standard.h"

int rtnetlink_open(uint32_t groups)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = standard_avoid(
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}
