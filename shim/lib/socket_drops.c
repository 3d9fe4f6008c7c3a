/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socket_drops.c: see socket_drops.h.
 */
#include "socket_drops.h"

#include <linux/sock_diag.h>
#include <sys/socket.h>

uint32_t socket_drops(int fd)
{
	uint32_t about[SK_MEMINFO_VARS] = { 0 };
	socklen_t size = sizeof(about);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, about, &size) < 0 ? 0 :
									  about[SK_MEMINFO_DROPS];
}
