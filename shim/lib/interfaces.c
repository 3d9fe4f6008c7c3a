/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interfaces.c: see interfaces.h.
 *
 * What there is, is asked anew at each change, so that no lost or misread message leaves us with an
 * old picture.
 */
#include "interfaces.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "link_news.h"
#include "mac.h"
#include "siphash.h"

#define PREFIXES_MAX 64
#define QUIET_MS     100 /* changes come in groups: one answer for each group */

struct prefix {
	struct address address;
	unsigned int bits;
};

struct interfaces {
	struct interfaces_events events;
	void *user;
	struct link_news *news;
	unsigned int count;
	struct prefix prefix[PREFIXES_MAX];
};

static unsigned int bits_of(const struct sockaddr *mask)
{
	const uint8_t *byte;
	unsigned int bits = 0, len;

	if (mask->sa_family == AF_INET6) {
		byte = ((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr.s6_addr;
		len = 16;
	} else {
		byte = (const uint8_t *)&((const struct sockaddr_in *)(const void *)mask)->sin_addr;
		len = 4;
		bits = 96;
	}
	for (unsigned int i = 0; i < len; i++)
		bits += (unsigned int)__builtin_popcount(byte[i]);
	return bits;
}

static void read_prefixes(struct interfaces *in)
{
	struct ifaddrs *list;

	in->count = 0;
	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *i = list; i && in->count < PREFIXES_MAX; i = i->ifa_next) {
		struct sockaddr_in6 s = { .sin6_addr.s6_addr = { [10] = 0xff, [11] = 0xff } };
		struct prefix *p = &in->prefix[in->count];

		if (!i->ifa_addr || !i->ifa_netmask || !(i->ifa_flags & IFF_UP))
			continue;
		if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(&s, i->ifa_addr, sizeof(s));
		else if (i->ifa_addr->sa_family == AF_INET)
			memcpy(s.sin6_addr.s6_addr + 12,
			       &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr,
			       4);
		else
			continue;
		/* a zero may also be an interface that is being changed: everything would match */
		p->address = address_of(&s);
		p->bits = bits_of(i->ifa_netmask);
		if (p->bits > (address_is_ipv4(&p->address) ? 96 : 0))
			in->count++;
	}
	freeifaddrs(list);
}

static void on_news(void *user)
{
	struct interfaces *in = user;

	read_prefixes(in);
	if (in->events.changed)
		in->events.changed(in->user);
}

int interfaces_start(const AvahiPoll *poll, const struct interfaces_events *events, void *user,
		     struct interfaces **interfaces)
{
	struct interfaces *in = calloc(1, sizeof(*in));
	int err;

	if (!in)
		return -ENOMEM;
	in->events = *events;
	in->user = user;
	err = link_news_start(poll, QUIET_MS, on_news, in, &in->news);
	if (err) {
		free(in);
		return err;
	}
	read_prefixes(in);
	*interfaces = in;
	return 0;
}

void interfaces_stop(struct interfaces *interfaces)
{
	if (!interfaces)
		return;
	link_news_stop(interfaces->news);
	free(interfaces);
}

bool interfaces_on_link(const struct interfaces *interfaces, const struct address *address)
{
	if (address_is_link_local(address) || address_is_loopback(address))
		return true;
	for (unsigned int i = 0; i < interfaces->count; i++)
		if (address_in_prefix(address, &interfaces->prefix[i].address,
				      interfaces->prefix[i].bits))
			return true;
	return false;
}

uint64_t interfaces_signature(void)
{
	static const struct siphash_key key = { 0 }; /* no secret: who changes links changes it */
	struct ifaddrs *list;
	uint64_t sum = 0;

	if (getifaddrs(&list) < 0)
		return 0;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		const struct sockaddr_ll *link = (const void *)i->ifa_addr;
		uint8_t look[4 + 1 + MAC_LEN] = { 0 };

		if (!link || link->sll_family != AF_PACKET || strncmp(i->ifa_name, "btap", 4) == 0)
			continue;
		put_be32(look, (uint32_t)link->sll_ifindex);
		look[4] = (uint8_t)((i->ifa_flags & IFF_UP ? 1 : 0) |
				    (i->ifa_flags & IFF_RUNNING ? 2 : 0));
		memcpy(look + 5, link->sll_addr, MAC_LEN);
		sum += siphash(&key, look, sizeof(look)); /* in whatever order they are listed */
	}
	freeifaddrs(list);
	return sum;
}
