/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * quiet.h: writing to what the user names, a file or stderr, without the signal that may come of
 * it and that ends a program which did not think of it: SIGXFSZ at the limit of a file's size,
 * SIGPIPE where nobody reads any more, SIGTTOU at a terminal that is another's now. These are sent
 * to the thread that writes. May be called from any thread; is no point where one is cancelled.
 */
#ifndef BASILISK_TAP_SHIM_QUIET_H
#define BASILISK_TAP_SHIM_QUIET_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* One write() of all @parts. The number of bytes written, or a negative errno. */
ssize_t quiet_writev(int fd, const struct iovec *parts, unsigned long count);

#endif
