/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * address.h: an IP address in 16 bytes: IPv6, or IPv4 mapped into it. For a link-local address
 * bytes 4 to 7, which are zero on every wire, hold the interface's index, so that one comparison
 * of 16 bytes decides. The port is kept elsewhere. Pure: no I/O, no globals, no allocation.
 */
#ifndef BASILISK_TAP_SHIM_ADDRESS_H
#define BASILISK_TAP_SHIM_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ADDRESS_TEXT_SIZE 72 /* "[fe80::…%4294967295]:65535" and the final NUL */

struct address {
	uint8_t byte[16];
};

static inline bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

/* From what a socket or the discovery tells; scopes of other than link-local ones are dropped. */
struct address address_of(const struct sockaddr_in6 *sockaddr);

/* As a socket wants it; @port in host byte order. */
struct sockaddr_in6 address_sockaddr(const struct address *address, uint16_t port);

bool address_is_ipv4(const struct address *address);
bool address_is_link_local(const struct address *address); /* fe80::/10; not 169.254/16 */
bool address_is_loopback(const struct address *address);

/* False for what no peer can have: unspecified, multicast, broadcast, link-local of no link. */
bool address_is_unicast(const struct address *address);

/* True where the first @bits bits are equal. */
bool address_in_prefix(const struct address *address, const struct address *prefix,
		       unsigned int bits);

/* For people, into @text of ADDRESS_TEXT_SIZE bytes. Returns @text. */
char *address_format(const struct address *address, uint16_t port, char *text);

#endif
