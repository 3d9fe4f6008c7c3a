/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers.h: the other emulators: a table by MAC address, whose look-up takes as long with 10,000
 * as with one. 128 bytes each, bucket included. It knows nothing of sockets, clocks or threads: the
 * caller locks, and tells the time in milliseconds that may wrap round.
 *
 * A peer has a set of addresses at one port. Those confirmed answered a HELLO; the others were
 * only announced.
 */
#ifndef BASILISK_TAP_SHIM_PEERS_H
#define BASILISK_TAP_SHIM_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "attach.h"
#include "mac.h"

#define PEER_ADDRESSES 6
#ifndef PEERS_MAX	       /* a fuzzer fills smaller tables, with bounds of its own */
#define PEERS_MAX	 16384 /* in all */
#define PEERS_UNPROVEN	 1024  /* that never answered; the least recently heard goes first */
#define PEERS_BY_ADDRESS 16    /* MACs behind one address and port */
#endif

enum peer_reach {
	PEER_REACH_GUESS,  /* not measured: by what both sides say of themselves */
	PEER_REACH_TAP,	   /* it answered by the TAP */
	PEER_REACH_TUNNEL, /* it answered by the tunnel alone */
};

/*
 * The table's. Pointers are valid until the next peers_add(). What each frame needs comes first, to
 * be in one line of the processor's cache.
 */
struct peer {
	struct mac mac;
	uint16_t port;
	uint32_t next;	    /* index + 1 of the next in its bucket, or in the free list; 0: none */
	uint32_t heard;	    /* last sign of life */
	uint32_t tap_heard; /* last frame by the TAP; only with .on_tap */
	uint32_t asked;	    /* last round of HELLOs */
	unsigned int used : 1;
	unsigned int count : 3;	     /* of addresses */
	unsigned int sending : 3;    /* index of the one to send to; PEER_ADDRESSES: none */
	unsigned int confirmed : 6;  /* bit by address */
	unsigned int attach : 3;     /* enum attach, as the peer says */
	unsigned int reach : 2;	     /* enum peer_reach */
	unsigned int on_tap : 1;     /* tap_heard counts */
	unsigned int tries : 4;	     /* rounds of HELLOs since the last answer */
	unsigned int tap_tries : 2;  /* HELLOs by the TAP without an answer, up to 3 */
	unsigned int tap_rounds : 2; /* of those, all in vain, up to 3 */
	unsigned int announced : 1;  /* the discovery still lists it */
	unsigned int spoke : 1;	     /* it sent a frame from an announced address */
	unsigned int silent : 1;     /* it answered once, and then no more: gets no frames */
	unsigned int sent : 1;	     /* a datagram went to it since it was heard from there */
	unsigned int unheard : 1;    /* that was so a while ago, too */
	struct address address[PEER_ADDRESSES];
};

struct peers {
	struct peer *slab;
	uint32_t *bucket; /* index + 1 into slab */
	uint32_t size;	  /* of the slab: a power of two */
	uint32_t high;	  /* entries of slab ever used */
	uint32_t free;	  /* index + 1 of the first unused one below high; 0: none */
	uint32_t count;
	uint32_t unproven;
	uint64_t multiplier; /* of the hash: secret, odd */
};

/* Starts with no peers; @secret is 8 random bytes. 0 or -ENOMEM. peers_free() ends it. */
int peers_init(struct peers *peers, uint64_t secret);
void peers_free(struct peers *peers);

/* The peer, or NULL. */
struct peer *peers_find(const struct peers *peers, const struct mac *mac);

/*
 * A new entry for @mac, which must not be there yet: no addresses, heard of at @now. At a bound
 * the unproven peer that was heard of least recently makes room. NULL without memory or room.
 */
struct peer *peers_add(struct peers *peers, const struct mac *mac, uint32_t now);

void peers_remove(struct peers *peers, struct peer *peer);

/* The next one after @peer (NULL: the first), in no order; NULL at the end. Removing is allowed. */
struct peer *peers_next(const struct peers *peers, const struct peer *peer);

/* How many there are, but for those given up. Looks at all of them. */
unsigned int peers_present(const struct peers *peers);

/* How many peers have @address at @port. Looks at all of them. */
unsigned int peers_at(const struct peers *peers, const struct address *address, uint16_t port);

/* The index of @address in the peer's set, or -1. */
int peer_address(const struct peer *peer, const struct address *address, uint16_t port);

/*
 * Adds @address, which is not there yet, to the set, and returns its index. In a full set it
 * takes the place of an unconfirmed one; -1 if there is none.
 */
int peer_address_add(struct peer *peer, const struct address *address);

/*
 * Puts @address, which is not there yet and has just answered, into a set that is full of confirmed
 * ones, and returns its index. The oldest goes that is not sent to: it may have gone long since.
 */
int peer_address_replace(struct peer *peer, const struct address *address);

/* Notes that the address with @index answered: the peer is proven. */
void peer_confirm(struct peers *peers, struct peer *peer, int index);

/* No address counts as confirmed any more; the addresses stay. peers_trim() is due. */
void peer_disprove(struct peers *peers, struct peer *peer);

/* Where there are more than PEERS_UNPROVEN, those go that were heard of least recently. */
void peers_trim(struct peers *peers);

/* Forgets all addresses; the peer is unproven again. It gets @port. */
void peer_forget(struct peers *peers, struct peer *peer, uint16_t port);

static inline bool peer_is_proven(const struct peer *peer)
{
	return peer->confirmed != 0;
}

/*
 * A sign of life of it. @there: by the way that frames go to it; what came by another one does not
 * say that they arrive.
 */
static inline void peer_heard(struct peer *peer, bool there, uint32_t now)
{
	peer->heard = now;
	if (there)
		peer->sent = peer->unheard = 0;
}

/* True for one that is announced, but silent for so long that it is taken for gone. */
static inline bool peer_is_given_up(const struct peer *peer)
{
	return peer->silent && !peer_is_proven(peer);
}

/* True where @later is after @earlier by less than half the range of the clock. */
static inline bool time_after(uint32_t later, uint32_t earlier)
{
	return (int32_t)(later - earlier) > 0;
}

#endif
