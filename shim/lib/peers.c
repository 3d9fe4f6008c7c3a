/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers.c: see peers.h.
 *
 * Entries live in one array that grows by doubling and never shrinks; an entry keeps its index
 * for life, so that a walk over it may be interrupted. Those from .high on were never written, so
 * that the kernel gives memory only to peers that are there. Buckets are chains of indices, half as
 * many as there is room for entries: one or two in a chain, and two bytes for a place.
 */
#include "peers.h"

#include <errno.h>
#include <stdlib.h>

#include "bytes.h"

#define FIRST_SIZE 16

_Static_assert(sizeof(struct peer) + sizeof(uint32_t) <= 128, "a peer has outgrown its budget");

static uint32_t buckets(uint32_t size)
{
	return size / 2;
}

static uint32_t hash(const struct peers *peers, const struct mac *mac, uint32_t size)
{
	uint64_t x = (uint64_t)get_be16(mac->byte) << 32 | get_be32(mac->byte + 2);

	/* without the secret nobody can choose MACs that meet in one bucket */
	x *= peers->multiplier;
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15; /* 2^64 by the golden ratio: spreads what was close */
	return (uint32_t)(x >> 40) & (buckets(size) - 1);
}

int peers_init(struct peers *peers, uint64_t secret)
{
	*peers = (struct peers){ .size = FIRST_SIZE, .multiplier = secret | 1 };
	peers->slab = calloc(FIRST_SIZE, sizeof(*peers->slab));
	peers->bucket = calloc(buckets(FIRST_SIZE), sizeof(*peers->bucket));
	if (peers->slab && peers->bucket)
		return 0;
	peers_free(peers);
	return -ENOMEM;
}

void peers_free(struct peers *peers)
{
	free(peers->slab);
	free(peers->bucket);
	*peers = (struct peers){ 0 };
}

struct peer *peers_find(const struct peers *peers, const struct mac *mac)
{
	for (uint32_t i = peers->bucket[hash(peers, mac, peers->size)]; i;
	     i = peers->slab[i - 1].next)
		if (mac_equal(&peers->slab[i - 1].mac, mac))
			return &peers->slab[i - 1];
	return NULL;
}

static int grow(struct peers *peers)
{
	uint32_t size = peers->size * 2;
	struct peer *slab;
	uint32_t *bucket = calloc(buckets(size), sizeof(*bucket));

	if (!bucket)
		return -ENOMEM;
	slab = reallocarray(peers->slab, size, sizeof(*slab));
	if (!slab) {
		free(bucket);
		return -ENOMEM;
	}
	free(peers->bucket);
	peers->slab = slab;
	peers->bucket = bucket;
	peers->size = size;
	/* grown only when no entry is unused, so each of them goes back into a chain */
	for (uint32_t i = 0; i < peers->high; i++) {
		uint32_t *head = &bucket[hash(peers, &slab[i].mac, size)];

		slab[i].next = *head;
		*head = i + 1;
	}
	return 0;
}

static struct peer *oldest_unproven(const struct peers *peers)
{
	struct peer *oldest = NULL;

	for (struct peer *p = NULL; (p = peers_next(peers, p));)
		if (!peer_is_proven(p) && (!oldest || time_after(oldest->heard, p->heard)))
			oldest = p;
	return oldest;
}

struct peer *peers_add(struct peers *peers, const struct mac *mac, uint32_t now)
{
	struct peer *peer;
	uint32_t *head, index;

	if (peers->unproven >= PEERS_UNPROVEN || peers->count >= PEERS_MAX) {
		peer = oldest_unproven(peers);
		if (!peer)
			return NULL;
		peers_remove(peers, peer);
	}
	if (peers->free) {
		index = peers->free - 1;
		peers->free = peers->slab[index].next;
	} else {
		if (peers->high == peers->size && grow(peers))
			return NULL;
		index = peers->high++;
	}
	peer = &peers->slab[index];
	head = &peers->bucket[hash(peers, mac, peers->size)];
	*peer = (struct peer){
		.mac = *mac,
		.heard = now,
		.next = *head,
		.used = 1,
		.sending = PEER_ADDRESSES,
	};
	*head = index + 1;
	peers->count++;
	peers->unproven++;
	return peer;
}

void peers_remove(struct peers *peers, struct peer *peer)
{
	uint32_t index = (uint32_t)(peer - peers->slab);
	uint32_t *link = &peers->bucket[hash(peers, &peer->mac, peers->size)];

	while (*link != index + 1)
		link = &peers->slab[*link - 1].next;
	*link = peer->next;
	peers->count--;
	if (!peer_is_proven(peer))
		peers->unproven--;
	*peer = (struct peer){ .next = peers->free };
	peers->free = index + 1;
}

void peers_trim(struct peers *peers)
{
	struct peer *oldest;

	while (peers->unproven > PEERS_UNPROVEN && (oldest = oldest_unproven(peers)))
		peers_remove(peers, oldest);
}

struct peer *peers_next(const struct peers *peers, const struct peer *peer)
{
	uint32_t i = peer ? (uint32_t)(peer - peers->slab) + 1 : 0;

	for (; i < peers->high; i++)
		if (peers->slab[i].used)
			return &peers->slab[i];
	return NULL;
}

unsigned int peers_present(const struct peers *peers)
{
	unsigned int count = 0;

	for (const struct peer *p = NULL; (p = peers_next(peers, p));)
		count += !peer_is_given_up(p);
	return count;
}

unsigned int peers_at(const struct peers *peers, const struct address *address, uint16_t port)
{
	unsigned int count = 0;

	for (const struct peer *p = NULL; (p = peers_next(peers, p));)
		count += peer_address(p, address, port) >= 0;
	return count;
}

int peer_address(const struct peer *peer, const struct address *address, uint16_t port)
{
	if (peer->port == port)
		for (unsigned int i = 0; i < peer->count; i++)
			if (address_equal(&peer->address[i], address))
				return (int)i;
	return -1;
}

int peer_address_add(struct peer *peer, const struct address *address)
{
	unsigned int i = peer->count;

	if (i == PEER_ADDRESSES) {
		for (i = 0; i < PEER_ADDRESSES; i++)
			if (!(peer->confirmed & 1u << i))
				break;
		if (i == PEER_ADDRESSES)
			return -1;
		if (peer->sending == i)
			peer->sending = PEER_ADDRESSES;
	} else {
		peer->count++;
	}
	peer->address[i] = *address;
	return (int)i;
}

int peer_address_replace(struct peer *peer, const struct address *address)
{
	const unsigned int last = PEER_ADDRESSES - 1, oldest = peer->sending == 0;

	for (unsigned int i = oldest; i < last; i++)
		peer->address[i] = peer->address[i + 1];
	if (peer->sending > oldest && peer->sending < PEER_ADDRESSES)
		peer->sending--;
	peer->address[last] = *address;
	return (int)last;
}

void peer_confirm(struct peers *peers, struct peer *peer, int index)
{
	if (!peer_is_proven(peer))
		peers->unproven--;
	peer->confirmed |= 1u << index;
}

void peer_disprove(struct peers *peers, struct peer *peer)
{
	if (peer_is_proven(peer))
		peers->unproven++;
	peer->confirmed = 0;
}

void peer_forget(struct peers *peers, struct peer *peer, uint16_t port)
{
	peer_disprove(peers, peer);
	peer->count = 0;
	peer->sending = PEER_ADDRESSES;
	peer->port = port;
}
