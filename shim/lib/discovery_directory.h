/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_directory.h: from DNS records to guests (RFC 6763): asks who offers the service (PTR),
 * of each instance where it is (SRV) and what it says (TXT), of each host its addresses (A, AAAA),
 * and puts together who can be reached where.
 *
 * The same instance shows up once for each interface and protocol: the MAC in its TXT record is
 * what makes it one guest. Questions stay open as long as the instance is announced, so that
 * changes are heard and nothing has to be retried, but where the driver refuses a question.
 *
 * No I/O. Bounded: DIRECTORY_MAX instances, of which the first DIRECTORY_BURST are looked at at
 * once, then DIRECTORY_RATE a second.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_DIRECTORY_H
#define BASILISK_TAP_SHIM_DISCOVERY_DIRECTORY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include <avahi-common/watch.h>

#include "discovery_counts.h"
#include "discovery_question.h"

#define DIRECTORY_MAX	250 /* up to four questions each; avahi-daemon grants a program 1,024 */
#define DIRECTORY_BURST 200
#define DIRECTORY_RATE	50

struct directory;

struct directory_events {
	struct question_events driver;

	/* True for an instance that is not to be looked at: we announce it ourselves. */
	bool (*is_own)(void *user, const char *name);

	/* The guest txt->mac is at these addresses now; @n 0: nowhere, only txt->mac is set. */
	void (*guest)(void *user, const struct txt *txt, const struct sockaddr_in6 *addresses,
		      size_t n);
};

/*
 * A directory that asks nothing yet, in *@directory, owned by the caller: 0 or -ENOMEM. @counts is
 * added to, and must outlive it.
 */
int directory_new(const AvahiPoll *poll, struct discovery_counts *counts,
		  const struct directory_events *events, void *user, struct directory **directory);

/* There is a driver: asks all questions. */
void directory_ask(struct directory *directory);

/* What the driver heard. */
void directory_record(struct directory *directory, struct question *question, bool present,
		      const struct sighting *sighting);

/* The driver has gone, with its handles: forgets everything without a word. */
void directory_clear(struct directory *directory);

/* Forgets its questions where they are asked. NULL is nothing. */
void directory_free(struct directory *directory);

#endif
