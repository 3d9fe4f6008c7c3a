/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tc.h: traffic control by rtnetlink: clsact, and cls_bpf filters with mirred actions.
 * Source: <linux/pkt_sched.h>, <linux/pkt_cls.h>, <linux/tc_act/tc_mirred.h>.
 */
#ifndef BASILISK_TAP_HOST_TC_H
#define BASILISK_TAP_HOST_TC_H

#include <stdint.h>

#include "nl.h"
#include "program.h"

enum tc_direction { TC_INGRESS, TC_EGRESS };

/* Where a filter stands: the four together name it. */
struct tc_place {
	int index; /* of the interface */
	enum tc_direction direction;
	uint16_t preference;
	uint32_t handle;
};

/* What happens to a frame that matches. */
struct tc_action {
	enum tc_kind {
		TC_END = 0,   /* closes a list */
		TC_MIRROR,    /* a copy there, then the next action */
		TC_MIRROR_ON, /* a copy there, then the next filter, an administrator's too */
		TC_MIRROR_IN, /* a copy there, and the frame itself to this interface's stack */
		TC_REDIRECT,  /* there, and nowhere else */
	} kind;
	int index; /* there */
	enum tc_direction direction;
};

/* A filter that is to be, or (@absent) that is not to be. */
struct tc_filter {
	struct tc_place place;
	enum program_name program;
	struct mac mac;		     /* for the program: see program_make() */
	struct tc_action actions[4]; /* up to TC_END; none: the program's verdict */
	bool absent;
};

/* Owned by whoever declared it. */
struct tc_filters {
	size_t count;
	struct tc_filter filter[8];
};

/*
 * 1 where the interface has clsact, 0 where its place is free, -EEXIST where another qdisc is in
 * it (which would take egress filters without ever running them), -EOPNOTSUPP where it shares its
 * filters with other interfaces, or another negative errno.
 */
int tc_has_clsact(struct nl *nl, int index);

/* Ensures that the interface has clsact. 0, or as tc_has_clsact(). */
int tc_ensure_clsact(struct nl *nl, int index);

/*
 * Ensures that the filter stands at its place: what stands there otherwise, or points to an
 * interface that is gone, is replaced in one step; what is right is left alone. 0 or a negative
 * errno.
 */
typedef int tc_filter_fn(struct nl *nl, const struct tc_filter *filter);
tc_filter_fn tc_ensure;

/* The same without a look at what stands there, where that is known to be nothing. */
tc_filter_fn tc_put;

/* 1 where it stands as tc_ensure() would leave it, 0 where not, or a negative errno. */
tc_filter_fn tc_stands;

/* Calls @function for each in its turn, up to the first that fails. 0 or its negative errno. */
int tc_each_of(struct nl *nl, const struct tc_filters *filters, tc_filter_fn *function);

/* Removes them all, the last first. 0 or a negative errno. */
int tc_remove_all(struct nl *nl, const struct tc_filters *filters);

/* Removes the filter, and its preference with the last one. 0 also where there was none. */
int tc_remove(struct nl *nl, struct tc_place place);

/* Calls @each with the place of every filter of a direction; a result other than 0 ends it. */
typedef int tc_each_fn(const struct tc_place *place, void *user);
int tc_each(struct nl *nl, int index, enum tc_direction direction, tc_each_fn *each, void *user);

/* Lists the interfaces that have clsact, up to @max of them. How many, or a negative errno. */
int tc_list_clsact(struct nl *nl, int *list, size_t max);

/*
 * Removes clsact if it holds no filter at all, anybody's. 0 also where there is none; -EAGAIN where
 * somebody keeps it in use; or another negative errno.
 */
int tc_remove_empty_clsact(struct nl *nl, int index);

#endif
