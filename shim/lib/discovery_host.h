/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_host.h: the hosts that announced guests are on, each with its addresses, asked for once
 * however many guests it has.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_HOST_H
#define BASILISK_TAP_SHIM_DISCOVERY_HOST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery_question.h"

struct host {
	struct host *next;
	unsigned int users; /* host_get() less host_release() */
	struct question a;
	struct question aaaa;
	char name[]; /* as text */
};

/* All of them; owned by whoever declared it, all zero but for the questions to ask by. */
struct hosts {
	struct questions *questions;
	struct host *first;
};

/* The host of that name, asked for its addresses from now on; NULL: no memory. */
struct host *host_get(struct hosts *hosts, const char *name);

/* Gives it back. NULL is nothing. */
void host_release(struct hosts *hosts, struct host *host);

bool host_has_address(const struct host *host);

/*
 * Adds the host's addresses, with @port, to the @n of KNOWN_ADDRESSES that are there, those that
 * are not there yet and fit. Returns how many there are then.
 */
size_t host_addresses(const struct host *host, uint16_t port, struct sockaddr_in6 *addresses,
		      size_t n);

#endif
