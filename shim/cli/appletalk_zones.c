/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appletalk_zones.c: see appletalk_zones.h.
 */
#include "appletalk_zones.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

enum { ZIP_GET_NET_INFO = 5, ZIP_NET_INFO_REPLY = 6, ZIP_GET_ZONE_LIST = 8 };

#define ZIP_ZONE_INVALID 0x80 /* the zone that was asked for is not on this cable */
#define NETINFO_HEAD	 6    /* function, flags, first and last network */

enum { ATP_REQUEST = 0x40, ATP_RESPONSE = 0x80, ATP_FUNCTION = 0xc0 };

#define ATP_HEAD 8 /* control, bitmap or number, transaction, four bytes of the user's */

size_t zip_netinfo_request(uint8_t *data, const struct at_text *zone)
{
	memset(data, 0, NETINFO_HEAD);
	data[0] = ZIP_GET_NET_INFO;
	return (size_t)(at_text_put(data + NETINFO_HEAD, zone) - data);
}

int zip_netinfo_decode(const uint8_t *data, size_t len, struct zip_netinfo *info)
{
	const uint8_t *at = data + NETINFO_HEAD, *end = data + len;
	struct zip_netinfo result;
	struct at_text cables_own;

	if (len < NETINFO_HEAD || data[0] != ZIP_NET_INFO_REPLY)
		return -EINVAL;
	result.first = get_be16(data + 2);
	result.last = get_be16(data + 4);
	if (!result.first || result.last < result.first || result.last >= APPLETALK_STARTUP_FIRST)
		return -EINVAL;
	if (at_text_get(&at, end, &result.zone) < 0)
		return -EINVAL;
	if (data[1] & ZIP_ZONE_INVALID) {
		/* the zone's multicast address stands between */
		if (at >= end || *at > end - at - 1)
			return -EINVAL;
		at += 1 + *at;
		if (at_text_get(&at, end, &cables_own) < 0)
			return -EINVAL;
		result.zone = cables_own;
	}
	if (!result.zone.len)
		return -EINVAL;
	*info = result;
	return 0;
}

size_t zip_zones_request(uint8_t *data, uint16_t transaction, uint16_t first)
{
	data[0] = ATP_REQUEST;
	data[1] = 1; /* one packet is awaited */
	put_be16(data + 2, transaction);
	data[4] = ZIP_GET_ZONE_LIST;
	data[5] = 0;
	put_be16(data + 6, first);
	return ZIP_ZONES_LEN;
}

int zip_zones_decode(const uint8_t *data, size_t len, uint16_t transaction, struct zip_zones *zones)
{
	const uint8_t *at = data + ATP_HEAD, *end = data + len;
	uint16_t n;

	if (len < ATP_HEAD || (data[0] & ATP_FUNCTION) != ATP_RESPONSE || data[1] != 0 ||
	    get_be16(data + 2) != transaction)
		return -EINVAL;
	n = get_be16(data + 6);
	if (n > ZIP_ZONES_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < n; i++) {
		if (at_text_get(&at, end, &zones->zone[i]) < 0 || !zones->zone[i].len)
			return -EINVAL;
	}
	zones->n = n;
	zones->last = data[4] != 0;
	return 0;
}
