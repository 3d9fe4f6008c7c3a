/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.h: the guest's frames in a file that Wireshark opens, for whoever looks for a fault.
 * Source: the pcap format as in draft-ietf-opsawg-pcap (nanosecond magic, LINKTYPE_ETHERNET).
 */
#ifndef BASILISK_TAP_SHIM_CAPTURE_H
#define BASILISK_TAP_SHIM_CAPTURE_H

#include <stddef.h>

/*
 * A new capture file at @path, replacing what was there, or a pipe: a descriptor or a negative
 * errno. -EPERM where the name is that of a link, or of something that is not this user's alone.
 */
int capture_open(const char *path);

/* Appends one frame. Several threads may; what cannot be written is left out. @fd -1 is nothing. */
void capture_frame(int fd, const void *frame, size_t len);

#endif
