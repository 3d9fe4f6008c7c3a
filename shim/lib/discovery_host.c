/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_host.c: see discovery_host.h.
 */
#include "discovery_host.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "discovery_known.h"

struct host *host_get(struct hosts *hosts, const char *name)
{
	struct host *host;

	for (host = hosts->first; host; host = host->next) {
		if (strcasecmp(host->name, name) == 0) {
			host->users++;
			return host;
		}
	}
	host = calloc(1, sizeof(*host) + strlen(name) + 1);
	if (!host)
		return NULL;
	strcpy(host->name, name);
	host->users = 1;
	host->next = hosts->first;
	hosts->first = host;
	question_open(hosts->questions, &host->a, host->name, RECORD_A, host);
	question_open(hosts->questions, &host->aaaa, host->name, RECORD_AAAA, host);
	return host;
}

void host_release(struct hosts *hosts, struct host *host)
{
	struct host **at = &hosts->first;

	if (!host || --host->users)
		return;
	while (*at != host)
		at = &(*at)->next;
	*at = host->next;
	question_close(hosts->questions, &host->a);
	question_close(hosts->questions, &host->aaaa);
	free(host);
}

bool host_has_address(const struct host *host)
{
	return host->a.seen || host->aaaa.seen;
}

static size_t add(const struct question *q, uint16_t port, struct sockaddr_in6 *addresses, size_t n)
{
	for (const struct seen *s = q->seen; s && n < KNOWN_ADDRESSES; s = s->next) {
		struct sockaddr_in6 *new = &addresses[n];
		size_t i = 0;

		if (record_read_address(q->type, s->data, s->len, s->interface, port, new) < 0)
			continue;
		while (i < n && memcmp(&addresses[i], new, sizeof(*new)) != 0)
			i++;
		if (i == n)
			n++;
	}
	return n;
}

size_t host_addresses(const struct host *host, uint16_t port, struct sockaddr_in6 *addresses,
		      size_t n)
{
	n = add(&host->a, port, addresses, n);
	return add(&host->aaaa, port, addresses, n);
}
