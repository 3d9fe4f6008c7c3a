/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chooser_look.c: see chooser_look.h.
 */
#include "chooser_look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "clock.h"

#define ROUNDS	    3 /* of look-ups: some get lost, and some who hear many answer late */
#define PACE_MS	    4 /* between two zones */
#define ZONES_TRIES 3
#define ZONES_MS    500
#define ECHO_MS	    1000
#define ECHO_LEN    64

const struct at_text look_own_zone = { .len = 1, .byte = "*" };

void look_free(struct look *look)
{
	free(look->name);
}

/* ---- zones ---- */

/* One part of the list, from number @first on. -ETIMEDOUT where the router does not tell. */
static int ask_zones(struct node *node, uint16_t first, struct zip_zones *zones)
{
	uint8_t data[ZIP_ZONES_LEN];
	struct ddp question = { .type = DDP_ATP, .to = node->router, .data = data };
	struct node_news news = { 0 };
	int error = -ETIMEDOUT;

	question.to_socket = DDP_SOCKET_ZONES;
	question.len = zip_zones_request(data, first, first);
	for (int i = 0; i < ZONES_TRIES && error == -ETIMEDOUT; i++) {
		uint32_t deadline = clock_ms() + ZONES_MS;

		error = node_send(node, &node->router_mac, &question);
		if (error)
			return error;
		while ((error = node_receive(node, deadline, &news)) == 0) {
			if (news.is_ddp && news.ddp.type == DDP_ATP &&
			    zip_zones_decode(news.ddp.data, news.ddp.len, first, zones) == 0)
				return 0;
		}
	}
	return error;
}

int look_for_zones(struct look *look)
{
	struct zip_zones *zones;
	int error = 0;

	if (!look->node->routed) {
		look->zone[look->zones++] = look_own_zone;
		return 0;
	}
	zones = malloc(sizeof(*zones));
	if (!zones)
		return -ENOMEM;
	do {
		error = ask_zones(look->node, (uint16_t)(look->zones + 1), zones);
		if (error)
			break;
		for (unsigned int i = 0; i < zones->n && !look->cut; i++) {
			if (look->zones == LOOK_ZONES_MAX)
				look->cut = true;
			else
				look->zone[look->zones++] = zones->zone[i];
		}
	} while (!zones->last && zones->n && !look->cut);
	free(zones);
	if (!look->zones)
		look->zone[look->zones++] = look->node->info.zone;
	return error == -ETIMEDOUT ? 0 : error;
}

/* ---- names ---- */

static bool is_same(const struct nbp_tuple *a, const struct nbp_tuple *b)
{
	return at_address_equal(a->address, b->address) && a->socket == b->socket &&
	       at_text_equal(&a->object, &b->object) && at_text_equal(&a->type, &b->type);
}

/* Adds a name that is not known yet, found in @zone. */
static int add(struct look *look, const struct nbp_tuple *found, const struct at_text *zone)
{
	struct nbp_tuple *name;

	for (unsigned int i = 0; i < look->names; i++) {
		if (is_same(&look->name[i], found))
			return 0;
	}
	if (look->names == LOOK_NAMES_MAX) {
		look->cut = true;
		return 0;
	}
	if (!look->name)
		look->name = calloc(LOOK_NAMES_MAX, sizeof(*look->name));
	if (!look->name)
		return -ENOMEM;
	name = &look->name[look->names++];
	*name = *found;
	if (at_text_equal(&name->zone, &look_own_zone))
		name->zone = *zone;
	return 0;
}

/* Listens until @deadline. 0 when it has passed, or one is found and that is enough. */
static int listen_for_names(struct look *look, uint32_t deadline, bool first)
{
	struct node_news news = { 0 };
	struct nbp nbp;
	int error;

	while (!(first && look->names)) {
		error = node_receive(look->node, deadline, &news);
		if (error)
			return error == -ETIMEDOUT ? 0 : error;
		if (!news.is_ddp || news.ddp.type != DDP_NBP ||
		    nbp_decode(news.ddp.data, news.ddp.len, &nbp) < 0 ||
		    nbp.function != NBP_REPLY || !nbp.id || nbp.id > look->zones)
			continue;
		for (unsigned int i = 0; i < nbp.n; i++) {
			error = add(look, &nbp.tuple[i], &look->zone[nbp.id - 1]);
			if (error)
				return error;
		}
	}
	return 0;
}

/* A router asks all networks of the zone for us; without one everybody is on our own. */
static int send_look_up(struct look *look, const struct nbp_tuple *wanted, unsigned int zone)
{
	struct node *node = look->node;
	struct nbp_tuple tuple = *wanted;
	uint8_t data[NBP_LOOKUP_MAX];
	struct ddp question = { .type = DDP_NBP, .data = data };

	tuple.address = node->address;
	tuple.socket = NODE_SOCKET;
	tuple.enumerator = 0;
	tuple.zone = look->zone[zone];
	question.to_socket = DDP_SOCKET_NAMES;
	question.len = nbp_encode(data, node->routed ? NBP_BROADCAST_REQUEST : NBP_LOOKUP,
				  (uint8_t)(zone + 1), &tuple);
	if (node->routed) {
		question.to = node->router;
		return node_send(node, &node->router_mac, &question);
	}
	question.to.node = APPLETALK_NODE_ALL;
	return node_send(node, NULL, &question);
}

int look_for_names(struct look *look, const struct nbp_tuple *wanted, unsigned int ms, bool first)
{
	uint32_t start = clock_ms();
	int error = 0;

	for (unsigned int round = 0; round < ROUNDS && !error; round++) {
		for (unsigned int zone = 0; zone < look->zones && !error; zone++) {
			if (first && look->names)
				return 0;
			error = send_look_up(look, wanted, zone);
			if (!error)
				error = listen_for_names(look, clock_ms() + PACE_MS, first);
		}
		if (!error)
			error = listen_for_names(look, start + ms * (round + 1) / ROUNDS, first);
	}
	return error;
}

static int compare_texts(const struct at_text *a, const struct at_text *b)
{
	int order = memcmp(a->byte, b->byte, a->len < b->len ? a->len : b->len);

	return order ? order : (int)a->len - (int)b->len;
}

static int compare_names(const void *one, const void *other)
{
	const struct nbp_tuple *a = one, *b = other;
	int order = compare_texts(&a->type, &b->type);

	if (!order)
		order = compare_texts(&a->zone, &b->zone);
	if (!order)
		order = compare_texts(&a->object, &b->object);
	if (!order)
		order = (int)a->address.net - (int)b->address.net;
	if (!order)
		order = (int)a->address.node - (int)b->address.node;
	return order ? order : (int)a->socket - (int)b->socket;
}

void look_sort(struct look *look)
{
	if (look->names)
		qsort(look->name, look->names, sizeof(*look->name), compare_names);
}

/* ---- echo ---- */

static uint32_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)((uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

int look_echo(struct node *node, struct at_address address, const struct mac *mac, uint32_t number)
{
	uint8_t data[ECHO_LEN] = { AEP_REQUEST };
	struct ddp question = { .type = DDP_AEP, .to = address, .data = data };
	struct node_news news = { 0 };
	uint32_t start = clock_us(), deadline = clock_ms() + ECHO_MS;
	int error;

	put_be32(data + 1, number);
	for (size_t i = 5; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	question.to_socket = DDP_SOCKET_ECHO;
	question.len = sizeof(data);
	error = node_send(node, mac, &question);
	if (error)
		return error;
	data[0] = AEP_REPLY;
	while ((error = node_receive(node, deadline, &news)) == 0) {
		if (news.is_ddp && news.ddp.type == DDP_AEP && news.ddp.len == sizeof(data) &&
		    at_address_equal(news.ddp.from, address) &&
		    memcmp(news.ddp.data, data, sizeof(data)) == 0)
			return (int)(clock_us() - start);
	}
	return error;
}
