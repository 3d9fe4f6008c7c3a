/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity.h: what this host is, for its guests' MAC addresses and its announcements.
 */
#ifndef BASILISK_TAP_SHIM_IDENTITY_H
#define BASILISK_TAP_SHIM_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

/* The host's 24 bits of MAC (mac.h) from /etc/machine-id, or its name where there is none. */
uint32_t identity_host(void);

/* The host's name without its domain, at most @size - 1 bytes, "" if it has none. */
void identity_name(char *name, size_t size);

#endif
