/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.h: how a guest reaches the LAN, as the policy, the helper's reply, the TXT record and
 * the confirmation frame all name it.
 */
#ifndef BASILISK_TAP_PROTO_ATTACH_H
#define BASILISK_TAP_PROTO_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

/* The values are on the wire: never renumber. */
enum attach {
	ATTACH_NO = 0,	   /* no TAP at all: tunnel only */
	ATTACH_PATCH = 1,  /* the patch port beside the host's own stack */
	ATTACH_JOIN = 2,   /* a port of the administrator's bridge */
	ATTACH_BRIDGE = 3, /* br-basilisk over a spare NIC */
	ATTACH_HOST = 4,   /* this host and its guests, not the LAN */
	ATTACH_NONE = 5,   /* the guests of this host among themselves */
	ATTACH_COUNT
};

/* The word for @attach ("patch", …; "no" for ATTACH_NO), or NULL beyond ATTACH_COUNT. */
const char *attach_name(unsigned int attach);

/* The value for the @len characters at @text, or -EINVAL. */
int attach_parse(const char *text, size_t len);

/* True where frames of the guest reach the LAN. */
bool attach_is_bridged(enum attach attach);

#endif
