/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appletalk_zones.h: the zone information protocol: what a router tells of the network, and its
 * list of zones, which comes by a transaction (ATP) for each part of it.
 *
 * Pure: buffers in, buffers out; no I/O, no allocation. All that is read is untrusted.
 *
 * Source: Inside AppleTalk, second edition, chapter 8 (ZIP), 9 (ATP).
 */
#ifndef BASILISK_TAP_CLI_APPLETALK_ZONES_H
#define BASILISK_TAP_CLI_APPLETALK_ZONES_H

#include "appletalk.h"

#define ZIP_NETINFO_MAX (7 + APPLETALK_TEXT_MAX) /* bytes of a request */
#define ZIP_ZONES_LEN	8			 /* bytes of a request */
#define ZIP_ZONES_MAX	289			 /* of a reply: as many as fit */

struct zip_netinfo {
	uint16_t first, last; /* the networks of this cable */
	struct at_text zone;  /* the one that was asked for, or the cable's own instead of it */
};

/* Asks for the network and for @zone, which may be empty. Returns the length. */
size_t zip_netinfo_request(uint8_t *data, const struct at_text *zone);

/* 0, or -EINVAL where it is no reply to that, or makes no sense. */
int zip_netinfo_decode(const uint8_t *data, size_t len, struct zip_netinfo *info);

struct zip_zones {
	bool last; /* nothing comes behind these */
	unsigned int n;
	struct at_text zone[ZIP_ZONES_MAX];
};

/* Asks for the zones from number @first on, which is 1 at first. Returns ZIP_ZONES_LEN. */
size_t zip_zones_request(uint8_t *data, uint16_t transaction, uint16_t first);

/* 0, or -EINVAL where it is not the reply to that transaction. */
int zip_zones_decode(const uint8_t *data, size_t len, uint16_t transaction,
		     struct zip_zones *zones);

#endif
