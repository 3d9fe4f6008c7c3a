/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ifname.h: names of network interfaces, before anyone asks the kernel about one.
 */
#ifndef BASILISK_TAP_PROTO_IFNAME_H
#define BASILISK_TAP_PROTO_IFNAME_H

#include <stddef.h>

#define IFNAME_SIZE 16 /* with the final NUL: IFNAMSIZ of <linux/if.h> */

/*
 * 0 where the @len characters at @name can name an interface; -ENAMETOOLONG over 15 bytes,
 * never cut; -EINVAL if empty, "." or "..", or with a byte other than printable ASCII, or with
 * '/', ':' or '%' (which the kernel refuses, or replaces by a number).
 */
int ifname_check(const char *name, size_t len);

#endif
