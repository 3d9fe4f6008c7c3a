/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_addresses.c: see discovery_addresses.h. All is asked for anew at each change, so that a
 * message lost does no harm.
 */
#include "discovery_addresses.h"
#include "link_news.h"
#include "loop.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define QUIET_MS 20 /* addresses come in bursts */
#define RETRY_MS 1000

/* What was told of one interface. */
struct interface {
	struct interface *next;
	int index;
	bool seen; /* by the round that is running */
	size_t n;
	struct own_address address[ADDRESSES_MAX];
};

struct addresses {
	const AvahiPoll *poll;
	addresses_changed changed;
	void *user;
	struct link_news *news;
	AvahiTimeout *timer; /* when to look again without news */
	struct interface *told;
};

static bool is_usable(unsigned int flags)
{
	return (flags & IFF_UP) && !(flags & IFF_POINTOPOINT) &&
	       (flags & (IFF_MULTICAST | IFF_LOOPBACK));
}

/* The interface's entry in @list, new if need be; or NULL. */
static struct interface *get(struct interface **list, int index)
{
	struct interface *i;

	for (i = *list; i; i = i->next) {
		if (i->index == index)
			return i;
	}
	i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->index = index;
	i->next = *list;
	*list = i;
	return i;
}

static void add(struct interface *i, const struct sockaddr *address)
{
	struct own_address *new = &i->address[i->n];

	if (i->n == ADDRESSES_MAX)
		return;
	*new = (struct own_address){ .family = address->sa_family };
	if (address->sa_family == AF_INET)
		memcpy(new->byte, &((const struct sockaddr_in *)address)->sin_addr, 4);
	else
		memcpy(new->byte, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
	i->n++;
}

static void free_list(struct interface *list)
{
	while (list) {
		struct interface *i = list;

		list = i->next;
		free(i);
	}
}

/* What the kernel has now. 0 and *@list, or a negative errno. */
static int read_all(struct interface **list)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		struct interface *i;
		int index;

		if (!a->ifa_addr || !is_usable(a->ifa_flags) ||
		    (a->ifa_addr->sa_family != AF_INET && a->ifa_addr->sa_family != AF_INET6))
			continue;
		index = (int)if_nametoindex(a->ifa_name);
		i = index ? get(list, index) : NULL;
		if (i)
			add(i, a->ifa_addr);
	}
	freeifaddrs(all);
	return 0;
}

static void tell(struct addresses *a, struct interface *told, const struct interface *now)
{
	size_t n = now ? now->n : 0;

	told->seen = true;
	if (told->n == n && (!n || memcmp(told->address, now->address, sizeof(now->address)) == 0))
		return;
	told->n = n;
	if (n)
		memcpy(told->address, now->address, sizeof(now->address));
	a->changed(a->user, told->index, told->address, n);
}

/* Tells what has changed since the last time. */
static void on_news(void *user)
{
	struct addresses *a = user;
	struct interface *now = NULL;

	if (read_all(&now) < 0) {
		loop_set_timeout(a->poll, a->timer, RETRY_MS);
		free_list(now);
		return;
	}
	for (struct interface *i = a->told; i; i = i->next)
		i->seen = false;
	for (const struct interface *i = now; i; i = i->next) {
		struct interface *told = get(&a->told, i->index);

		if (told)
			tell(a, told, i);
	}
	for (struct interface **at = &a->told; *at;) {
		struct interface *i = *at;

		if (i->seen) {
			at = &i->next;
			continue;
		}
		tell(a, i, NULL);
		*at = i->next;
		free(i);
	}
	free_list(now);
}

static void on_timer(AvahiTimeout *timer, void *user)
{
	(void)timer;
	on_news(user);
}

int addresses_new(const AvahiPoll *poll, addresses_changed changed, void *user,
		  struct addresses **addresses)
{
	struct addresses *a = calloc(1, sizeof(*a));
	int error = -ENOMEM;

	if (!a)
		return error;
	a->poll = poll;
	a->changed = changed;
	a->user = user;
	a->timer = poll->timeout_new(poll, NULL, on_timer, a);
	if (a->timer)
		error = link_news_start(poll, QUIET_MS, on_news, a, &a->news);
	if (error < 0) {
		addresses_free(a);
		return error;
	}
	loop_set_timeout(a->poll, a->timer, 0);
	*addresses = a;
	return 0;
}

void addresses_again(struct addresses *addresses)
{
	free_list(addresses->told);
	addresses->told = NULL;
	loop_set_timeout(addresses->poll, addresses->timer, 0);
}

void addresses_free(struct addresses *addresses)
{
	if (!addresses)
		return;
	link_news_stop(addresses->news);
	if (addresses->timer)
		addresses->poll->timeout_free(addresses->timer);
	free_list(addresses->told);
	free(addresses);
}
