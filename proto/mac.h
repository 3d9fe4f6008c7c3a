/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mac.h: the MAC addresses of the guests, B2:hh:hh:hh:ii:ii.
 *
 * hh:hh:hh  24 bits of a keyed hash of what identifies the host: one prefix for all its guests
 * ii:ii     the low 12 bits of the user id, then 4 bits of slot
 * B2        locally administered, unicast (IEEE 802-2014, 8.4)
 */
#ifndef BASILISK_TAP_PROTO_MAC_H
#define BASILISK_TAP_PROTO_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MAC_LEN	     6
#define MAC_TEXT_LEN 18 /* "b2:00:11:22:33:44" and the final NUL */
#define MAC_SLOTS    16 /* of each user */

struct mac {
	uint8_t byte[MAC_LEN];
};

/* How much of @len bytes of /etc/machine-id is the identity: up to white space; 0 where none. */
size_t mac_identity_len(const char *machine_id, size_t len);

/*
 * The host's 24 bits. @identity is the content of /etc/machine-id without its line end, or the
 * host name where there is none; the hash is one-way, as machine-id(5) asks of what is shown
 * to a network.
 */
uint32_t mac_host(const void *identity, size_t len);

/* The address of the guest in @slot (below MAC_SLOTS) of user @uid on host @host. */
struct mac mac_make(uint32_t host, uint32_t uid, unsigned int slot);

/* The address the TAP itself wears: fe:hh:hh:hh:ii:ii, so that it is never its guest's. */
struct mac mac_of_tap(struct mac guest);

/* True for an address that one of our guests may have: it begins with B2. */
static inline bool mac_is_guest(const struct mac *mac)
{
	return mac->byte[0] == 0xb2;
}

/* True where @a and @b are guests of one host (as far as the prefix can tell). */
bool mac_same_host(const struct mac *a, const struct mac *b);

static inline bool mac_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a->byte, b->byte, MAC_LEN) == 0;
}

/* Lower-case hex, with colons; @text gets MAC_TEXT_LEN bytes. Returns @text. */
char *mac_format(const struct mac *mac, char *text);

/* Twelve hex digits, with five colons or with none. 0, or -EINVAL and *@mac untouched. */
int mac_parse(const char *text, size_t len, struct mac *mac);

#endif
