/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.h: network interfaces by rtnetlink: what they are, and the changes the helper makes to
 * its own. Source: <linux/if_link.h>, rtnetlink(7).
 */
#ifndef BASILISK_TAP_HOST_LINK_H
#define BASILISK_TAP_HOST_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "ifname.h"
#include "mac.h"
#include "nl.h"

#define LINK_ALIAS_SIZE 128 /* with the final NUL; a longer one is not ours */

/* A copy of the kernel's answer; owned by whoever declared it. */
struct link {
	int index; /* 0: no interface */
	char name[IFNAME_SIZE];
	char kind[IFNAME_SIZE];	   /* "" for real hardware */
	char port_of[IFNAME_SIZE]; /* the kind of the master: "bridge", "bond", …; or "" */
	char alias[LINK_ALIAS_SIZE];
	unsigned int hardware; /* ARPHRD_… */
	unsigned int flags;    /* IFF_… */
	int master;	       /* ifindex, or 0 */
	int peer;	       /* of a veth: the other end's ifindex */
	bool carrier;
	bool elsewhere; /* its lower device or peer is in another namespace */
	bool leftover;	/* a persistent TAP */
	bool speaks;	/* the kernel gives it IPv6 addresses by itself */
	struct mac mac;
};

/* What link_set() changes; everything else stays. */
struct link_change {
	const struct mac *mac; /* NULL: stays */
	const char *alias;     /* NULL: stays */
	bool move;	       /* to be a port of … */
	int master;	       /* … this bridge; 0: of none */
	unsigned int flags;    /* IFF_… as they are to be … */
	unsigned int mask;     /* … for the bits set here */
	bool quiet;	       /* no IPv6 address of its own, ever */
};

/* Looks @name up, or @index where @name is NULL. 0, -ENODEV, or another negative errno. */
int link_find(struct nl *nl, const char *name, int index, struct link *link);

/*
 * Calls @each for every interface; it ends the walk by a result other than 0, which is returned.
 * @kind: only of that kind, or NULL; a kernel that does not know the wish (before 4.6) names all.
 */
typedef int link_each_fn(const struct link *link, void *user);
int link_each(struct nl *nl, const char *kind, link_each_fn *each, void *user);

int link_set(struct nl *nl, int index, const struct link_change *change);

/* The same where *@link, as it was found, is not so already; then it is read anew. */
int link_ensure(struct nl *nl, struct link *link, const struct link_change *change);

/* A veth pair, both ends down, @name with the address @mark. -EEXIST if either name is taken. */
int link_create_pair(struct nl *nl, const char *name, const char *peer, const struct mac *mark);

/* A bridge, down, with the address @mark, without spanning tree or multicast snooping. */
int link_create_bridge(struct nl *nl, const char *name, const struct mac *mark);

int link_delete(struct nl *nl, int index);

/*
 * What is sent into the interface has its checksums written, and is cut into frames, before it
 * comes out of it. 0 or a negative errno.
 */
int link_finish_frames(struct nl *generic, int index);

/* Makes the NIC take frames for @mac, or no longer (@add false). -EOPNOTSUPP: the driver cannot. */
int link_accept(struct nl *nl, int index, const struct mac *mac, bool add);

/*
 * The addresses of @like's host that the NIC was told to accept, up to @max of them, into @list.
 * How many these are, or a negative errno.
 */
int link_list_accepted(struct nl *nl, int index, const struct mac *like, struct mac *list, int max);

/*
 * 1 where either interface (@other 0: none) has an address of somebody's, 0 where not, or a
 * negative errno. IPv6 link-local ones do not count: the kernel gives them to every card that is
 * up.
 */
int link_has_address(struct nl *nl, int index, int other);

#endif
