/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confirm.h: who is really there. Announcements and sources of datagrams can be forged, so a
 * peer and an address belong together only once a HELLO to that address was answered with the
 * cookie in it; and whether the TAP reaches a peer is measured by the same frames.
 *
 * All decisions on who comes into the table of peers, who leaves it, and which of a peer's
 * addresses and ways is used, are made here. No sockets, no clock, no threads: the caller locks the
 * table, tells the time, and sends what is to be sent.
 *
 * Bounds: HELLOs are CONFIRM_RATE a second of each kind; a forged announcement gets a handful of
 * them in its first seconds, then one each 20 s; at most PEERS_BY_ADDRESS MACs behind one address.
 * Answers are never larger or more than what they answer, and keep no state.
 */
#ifndef BASILISK_TAP_SHIM_CONFIRM_H
#define BASILISK_TAP_SHIM_CONFIRM_H

#include "control.h"
#include "peers.h"
#include "tunnel.h"
#include "txt.h"

#define CONFIRM_RATE	   200 /* HELLOs a second; counted apart for those below */
#define CONFIRM_BURST	   400
#define CONFIRM_IDLE_MS	   25000 /* a proven peer that is silent for so long is asked */
#define CONFIRM_WATCH_MS   2000	 /* one that frames go to: after that to twice that */
#define CONFIRM_CHECK_MS   30000 /* the same, whatever is heard: its frames say little of ours */
#define CONFIRM_GONE_MS	   60000 /* and is gone when it has been silent for so long */
#define CONFIRM_LEAVING_MS 2000	 /* the same, after the discovery said goodbye */
#define CONFIRM_CLAIMS	   32	 /* places announced of proven peers that are remembered */

/* So that a flood of one kind leaves room for the others. */
enum confirm_kind {
	CONFIRM_TO_PROVEN,    /* peers that answered before */
	CONFIRM_TO_ANNOUNCED, /* those that the discovery tells of */
	CONFIRM_TO_UNKNOWN,   /* sources of datagrams: a quarter of the rate */
	CONFIRM_KINDS
};

enum confirm_news {
	CONFIRM_FOUND,	   /* announced for the first time */
	CONFIRM_PROVEN,	   /* answered for the first time */
	CONFIRM_MOVED,	   /* is sent to at another address now */
	CONFIRM_BY_TAP,	   /* measured: the TAP reaches it */
	CONFIRM_BY_TUNNEL, /* measured: only the tunnel does */
	CONFIRM_CHANGED,   /* says that its attachment has changed */
	CONFIRM_GONE,	   /* said goodbye, or is silent for too long */
	CONFIRM_TWIN,	   /* another emulator has our own MAC; the peer has only that */
};

/* The caller's part. */
struct confirm_calls {
	/* Sends CONTROL_LEN bytes to @to, or by the TAP where that is NULL. */
	void (*send)(void *user, const uint8_t *frame, const struct tunnel_target *to);
	/* True where @address is on one of our own links. */
	bool (*on_link)(void *user, const struct address *address);
	/* Something to tell about @peer, which is valid during the call. */
	void (*news)(void *user, enum confirm_news news, const struct peer *peer);
};

/* Owned by whoever declared it; not to be moved. */
struct confirm {
	struct peers *peers;
	struct mac mac;
	enum attach attach; /* our own */
	struct siphash_key key;
	struct confirm_calls calls;
	void *user;
	struct {
		int32_t tokens;	 /* HELLOs that may go now, in thousandths; or are owed */
		uint32_t filled; /* when they were counted */
	} bucket[CONFIRM_KINDS];
	/*
	 * Where proven peers were announced last, too. That they are there is not believed; but
	 * where nobody answers any more it is asked as well. Port 0: none.
	 */
	struct {
		struct mac mac;
		struct tunnel_target at;
	} claim[CONFIRM_CLAIMS];
	unsigned int next_claim; /* the oldest */
	bool farewell;		 /* ACKs are answered with BYE */
	unsigned int farewells;	 /* asked, and not told BYE yet */
};

void confirm_init(struct confirm *confirm, struct peers *peers, const struct mac *mac,
		  enum attach attach, const struct siphash_key *key,
		  const struct confirm_calls *calls, void *user, uint32_t now);

/* The discovery has found @txt at @at. False where there is no room for it (peers.h). */
bool confirm_found(struct confirm *confirm, const struct txt *txt, const struct tunnel_target *at,
		   uint32_t now);

/* The discovery has lost @mac. */
void confirm_lost(struct confirm *confirm, const struct mac *mac, uint32_t now);

/*
 * A frame that control_is(), from @from by the tunnel or, where that is NULL, by the TAP.
 * 0, or -EINVAL if it was not a valid one for us.
 */
int confirm_frame(struct confirm *confirm, const uint8_t *frame, size_t len,
		  const struct tunnel_target *from, uint32_t now);

/* A datagram with a frame of @mac came from @from, and is not known to belong there. */
void confirm_unknown(struct confirm *confirm, const struct mac *mac,
		     const struct tunnel_target *from, uint32_t now);

/* Sending to @peer's address failed, or the host's addresses have changed (@peer NULL: all). */
void confirm_doubt(struct confirm *confirm, struct peer *peer, uint32_t now);

/*
 * To be called each CONFIRM_WATCH_MS while frames are sent to peers (peer.sent): asks those that a
 * frame went to one such time ago and that were not heard of since. True where that is to go on.
 */
bool confirm_watch(struct confirm *confirm, uint32_t now);

/* Our own attachment is now @attach: everyone is told. */
void confirm_attach(struct confirm *confirm, enum attach attach, uint32_t now);

/* Does what is due. Milliseconds until it should be called again; -1: not before more happens. */
int confirm_tick(struct confirm *confirm, uint32_t now);

/*
 * Asks everyone once more, to say goodbye to whoever answers; confirm->farewells counts down to 0.
 * From now on nothing else is done.
 */
void confirm_farewell(struct confirm *confirm, uint32_t now);

#endif
