/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uplink.h: which card leads to the LAN, and what can be attached to it.
 */
#ifndef BASILISK_TAP_HOST_UPLINK_H
#define BASILISK_TAP_HOST_UPLINK_H

#include "link.h"
#include "policy.h"

#define UPLINK_BRIDGE "br-basilisk" /* what 'attach bridge' makes of a spare card */

/* What is to be built. Owned by whoever declared it. */
struct plan {
	enum attach attach;
	struct link uplink;	     /* the card, or the bridge for ATTACH_JOIN; index 0: none */
	bool wired;		     /* nl80211 was asked and does not know it */
	bool asked;		     /* the caller named the bridge */
	bool made_clsact;	     /* this run did, on the card; noted on a bthub that has gone */
	char chosen[48];	     /* why this uplink */
	char why[OUTCOME_WHAT_SIZE]; /* why not more; "" where there is no more */
};

/*
 * Finds the uplink and decides the attachment, by the policy and @bridge (a bridge's name that
 * the caller asks for, or ""). @generic asks nl80211. Changes nothing. 0, or -1 with @outcome.
 */
int uplink_plan(struct nl *route, struct nl *generic, const struct policy *policy,
		const char *bridge, struct plan *plan, struct outcome *outcome);

/*
 * The kernel does not let the plan's card be connected, with the negative errno @err: 'attach auto'
 * can do without. 0, or -1 with OUTCOME_UPLINK_UNFIT.
 */
int uplink_give_up(struct plan *plan, const struct policy *policy, int err,
		   struct outcome *outcome);

/*
 * The same, where the card can be seen to have no place for filters: before anything that stands,
 * connected as @attach to @uplink, is built over. 0, or -1 with @outcome.
 */
int uplink_check_card(struct nl *route, const struct policy *policy, enum attach attach, int uplink,
		      struct plan *plan, struct outcome *outcome);

#endif
