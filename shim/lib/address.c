/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * address.c: see address.h.
 */
#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "bytes.h"

enum { AT_SCOPE = 4, AT_IPV4 = 12 };

static const uint8_t mapped[AT_IPV4] = { [10] = 0xff, [11] = 0xff };

bool address_is_ipv4(const struct address *address)
{
	return memcmp(address->byte, mapped, sizeof(mapped)) == 0;
}

bool address_is_link_local(const struct address *address)
{
	return address->byte[0] == 0xfe && (address->byte[1] & 0xc0) == 0x80;
}

bool address_is_loopback(const struct address *address)
{
	static const struct address one = { { [15] = 1 } };

	return address_equal(address, &one) ||
	       (address_is_ipv4(address) && address->byte[AT_IPV4] == 127);
}

bool address_is_unicast(const struct address *address)
{
	static const struct address zero;
	const uint8_t *b = address->byte;

	if (address_is_ipv4(address))
		return b[AT_IPV4] != 0 && b[AT_IPV4] < 224; /* RFC 1122, 3.2.1.3; 5735, 3 */
	if (address_is_link_local(address))
		return get_be32(b + AT_SCOPE) != 0;
	return b[0] != 0xff && !address_equal(address, &zero);
}

struct address address_of(const struct sockaddr_in6 *sockaddr)
{
	struct address a;

	memcpy(a.byte, &sockaddr->sin6_addr, sizeof(a.byte));
	if (address_is_link_local(&a))
		put_be32(a.byte + AT_SCOPE, sockaddr->sin6_scope_id);
	return a;
}

struct sockaddr_in6 address_sockaddr(const struct address *address, uint16_t port)
{
	struct sockaddr_in6 s = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memcpy(&s.sin6_addr, address->byte, sizeof(address->byte));
	if (address_is_link_local(address)) {
		s.sin6_scope_id = get_be32(address->byte + AT_SCOPE);
		memset(s.sin6_addr.s6_addr + AT_SCOPE, 0, 4);
	}
	return s;
}

bool address_in_prefix(const struct address *address, const struct address *prefix,
		       unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	if (memcmp(address->byte, prefix->byte, whole) != 0)
		return false;
	return rest == 0 ||
	       ((address->byte[whole] ^ prefix->byte[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

char *address_format(const struct address *address, uint16_t port, char *text)
{
	struct sockaddr_in6 s = address_sockaddr(address, port);
	char host[INET6_ADDRSTRLEN];

	if (address_is_ipv4(address)) {
		inet_ntop(AF_INET, address->byte + AT_IPV4, host, sizeof(host));
		snprintf(text, ADDRESS_TEXT_SIZE, "%s:%u", host, port);
		return text;
	}
	inet_ntop(AF_INET6, &s.sin6_addr, host, sizeof(host));
	if (s.sin6_scope_id)
		snprintf(text, ADDRESS_TEXT_SIZE, "[%s%%%u]:%u", host, s.sin6_scope_id, port);
	else
		snprintf(text, ADDRESS_TEXT_SIZE, "[%s]:%u", host, port);
	return text;
}
