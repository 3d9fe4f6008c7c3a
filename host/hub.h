/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hub.h: the pair bthub and btlan, by which all guests of this host reach each other and the
 * uplink, as it stands. bthub fans out to the TAPs, btlan holds the small static switch: see
 * wiring.h for the filters that make it so.
 */
#ifndef BASILISK_TAP_HOST_HUB_H
#define BASILISK_TAP_HOST_HUB_H

#include "attach.h"
#include "link.h"
#include "outcome.h"
#include "taps.h"
#include "tc.h"

#define HUB_NAME     "bthub"
#define HUB_LAN_NAME "btlan"
#define HUB_ALIAS    "basilisk-tap"

/*
 * What was done to the NIC because it was not so before, and to bthub once for all. Each is
 * remembered by a filter on bthub that does nothing, its preference being the number, its handle
 * the NIC: set without what else is noted being read and written again, and by whoever was stopped
 * while another has connected bthub to another NIC.
 */
enum {
	HUB_DID_CLSACT = 1,
	HUB_DID_ALLMULTI = 2,
	HUB_DID_PROMISC = 4,
	HUB_DID_FINISH = 8,
	HUB_DID_ALL = 15
};

/* What stands; noted on bthub, in its alias and as above: the only memory between two runs. */
struct hub {
	int index, lan;	    /* ifindex of bthub and btlan; 0: there is none */
	uint32_t host;	    /* mac_host() of who built it */
	enum attach attach; /* ATTACH_NO: not connected to anything yet */
	int uplink;	    /* ifindex of the NIC or bridge, or 0 */
	unsigned int done;  /* HUB_DID_…: what release has to undo on the NIC */
	int stray;	    /* ifindex of another card to which something was done, or 0 */
	unsigned int flags; /* IFF_… that the NIC has to have; known once it is connected */
	/* bthub and btlan, as they were found */
	struct link near, far;
};

/*
 * Finds the pair and what it is connected to. 0, also where there is none, or -1 with
 * OUTCOME_FOREIGN_DEVICE or OUTCOME_SYSTEM.
 */
int hub_find(struct nl *nl, uint32_t host, struct hub *hub, struct outcome *outcome);

struct plan;

/*
 * A host has one hub, so one LAN: 0 where @plan fits to what those want who asked for a bridge by
 * name, by the notes of @taps, or -1 with OUTCOME_OTHER_ATTACHMENT. @others: how many TAPs there
 * are but the caller's.
 */
int hub_check_others(const struct hub *hub, uint32_t host, const struct taps *taps, size_t others,
		     const struct plan *plan, struct outcome *outcome);

/* Reads what was done to @hub->uplink, and whether there is a stray. 0 or a negative errno. */
int hub_read_memory(struct nl *nl, struct hub *hub);

/* Places of TAPs on bthub: filters of wiring_place(). Owned by whoever declared it. */
struct hub_places {
	size_t count;
	struct tc_place place[2 * TAPS_MAX];
};

/* Lists the places, but for those of @own. 0 or a negative errno. */
int hub_list_places(struct nl *nl, int hub, const struct tap *own, struct hub_places *places);

/*
 * 0 where the card that is noted in @hub by its number has gone, and a stranger has the number:
 * then there is nothing of ours on it. 1 otherwise, or a negative errno.
 */
int hub_has_card(struct nl *nl, const struct hub *hub);

/* True where the pair still is what @hub says. */
bool hub_stands(struct nl *nl, const struct hub *hub);

/*
 * The address that what a helper of @host makes wears from its creation to its alias: what was cut
 * off in between is still ours.
 */
struct mac hub_mark(uint32_t host);

/* True for a device of that kind that a helper of @host has made. */
bool hub_is_ours(const struct link *link, const char *kind, uint32_t host);

/* True where the alias is ours. */
bool hub_has_note(const struct link *link);

/* The number behind " @key=" in an alias of ours, or 0. */
uint32_t hub_noted(const char *alias, const char *key);

#endif
