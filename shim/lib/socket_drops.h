/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socket_drops.h: what the kernel had for a socket, and did not keep.
 */
#ifndef BASILISK_TAP_SHIM_SOCKET_DROPS_H
#define BASILISK_TAP_SHIM_SOCKET_DROPS_H

#include <stdint.h>

/*
 * How many datagrams or messages for @fd the kernel has dropped since it was opened, modulo 2^32:
 * no room in the queue, for most. 0 for what is no socket. SO_MEMINFO of linux/sock_diag.h.
 */
uint32_t socket_drops(int fd);

#endif
