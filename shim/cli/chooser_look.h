/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chooser_look.h: the questions that a Mac's Chooser asks, and the echo: which zones are there, who
 * is in them, is anyone there. Each ends in a bounded time. Relies on a node that has joined.
 */
#ifndef BASILISK_TAP_CLI_CHOOSER_LOOK_H
#define BASILISK_TAP_CLI_CHOOSER_LOOK_H

#include "chooser_node.h"

#define LOOK_ZONES_MAX 250  /* the eight bits of a look-up's number tell them apart */
#define LOOK_NAMES_MAX 4096 /* that are kept: whoever sends more is no network */

struct look {
	struct node *node;
	struct at_text zone[LOOK_ZONES_MAX]; /* where is looked: "*" is our own */
	unsigned int zones;
	bool cut; /* there are more zones or names than we hold */
	struct nbp_tuple *name;
	unsigned int names;
};

void look_free(struct look *look);

/* "*", the only zone without a router. */
extern const struct at_text look_own_zone;

/* Fills in the zones: the router's list, or our own alone. 0 or a negative errno. */
int look_for_zones(struct look *look);

/*
 * Looks for up to @ms milliseconds, in all of look's zones, for what matches @wanted ("=" matches
 * all); with @first only until one is found. Adds to look's names. 0 or a negative errno.
 */
int look_for_names(struct look *look, const struct nbp_tuple *wanted, unsigned int ms, bool first);

/* Sorts the names by type, zone, name, address. */
void look_sort(struct look *look);

/*
 * One echo of number @number to @address. The time it took in microseconds; -ETIMEDOUT after a
 * second; -EINTR; or another negative errno.
 */
int look_echo(struct node *node, struct at_address address, const struct mac *mac, uint32_t number);

#endif
