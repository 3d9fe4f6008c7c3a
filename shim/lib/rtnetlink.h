/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtnetlink.h: sockets by which the kernel tells of this host's links, addresses and filters, to
 * whoever asks. Change nothing.
 */
#ifndef BASILISK_TAP_SHIM_RTNETLINK_H
#define BASILISK_TAP_SHIM_RTNETLINK_H

#include <stdint.h>

/*
 * A socket that hears of what @groups (RTMGRP_… of linux/rtnetlink.h) are about. It never waits.
 * Owned by the caller; or a negative errno.
 */
int rtnetlink_open(uint32_t groups);

#endif
