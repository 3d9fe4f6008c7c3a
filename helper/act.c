/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * act.c: stage 6 of the timeline: attach, repair or release. What is done, in order, and nothing of
 * how: that is in the files it calls.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "patch_port.h"
#include "run.h"
#include "say.h"
#include "tc.h"

#define CONNECT_TRIES 3
#define CARDS_MAX     1024

/* A host has one hub, so one LAN: whoever asks for another while TAPs are alive is refused. */
static int check_other(struct run *run, struct hub *hub)
{
	static struct taps taps;
	const bool asked = run->request.br[0];
	bool same, renamed;
	int err;

	if (hub_find(&run->route, run->host, hub, &run->outcome))
		return -1;
	same = hub->attach == run->plan.attach && hub->uplink == run->plan.uplink.index;
	renamed = hub->index && hub->host != run->host;
	if (!renamed && (hub->attach == ATTACH_NO || same || (!asked && !hub->asked)))
		return 0;
	err = taps_list(&run->route, run->host, &taps);
	if (outcome_set_errno(&run->outcome, err, "listing TAPs"))
		return -1;
	if (taps.count == 0)
		return 0;
	if (renamed)
		return outcome_set(
			&run->outcome, OUTCOME_OTHER_ATTACHMENT,
			"%zu TAPs have MACs of another machine-id or host name than this",
			taps.count);
	return outcome_set(&run->outcome, OUTCOME_OTHER_ATTACHMENT,
			   "%zu TAPs of this host are attached by %s to another interface",
			   taps.count, attach_name(hub->attach));
}

/* The kernel does not let us connect the card: 'attach auto' can do without. 0 or -1. */
static int fall_back(struct run *run, int err)
{
	char why[OUTCOME_WHAT_SIZE];

	if (run->policy.attach_auto && !run->plan.asked &&
	    (err == -EEXIST || err == -EOPNOTSUPP || err == -EINVAL)) {
		snprintf(why, sizeof(why),
			 err == -EEXIST ? "an 'ingress' qdisc is in the way on %s" :
					  "%s takes no traffic control filters",
			 run->plan.uplink.name);
		uplink_fall_back(&run->plan, ATTACH_NONE, why);
		return 0;
	}
	return outcome_set(&run->outcome, OUTCOME_UPLINK_UNFIT, "connecting to %s: %s",
			   run->plan.uplink.name,
			   err == -EEXIST ? "an 'ingress' qdisc is in the way" : strerror(-err));
}

/* Before what stands is built over: the frames of others would go the way that ends there. */
static int check_card(struct run *run, const struct hub *hub)
{
	const struct plan *plan = &run->plan;
	int err = 0;

	if (plan->attach != hub->attach &&
	    (plan->attach == ATTACH_PATCH || plan->attach == ATTACH_HOST))
		err = tc_has_clsact(&run->route, plan->uplink.index);
	return err < 0 ? fall_back(run, err) : 0;
}

/* From the TAP to the NIC, the NIC last. */
/* NOLINTNEXTLINE(misc-no-recursion): once, without the NIC */
static int connect_tap(struct run *run, struct hub *hub)
{
	struct nl *nl = &run->route;
	int err;

	if (hub_ensure(nl, run->host, &run->plan, run->policy.serve, hub, &run->outcome))
		return -1;
	err = hub_finish_frames(nl, &run->generic, hub);
	if (outcome_set_errno(&run->outcome, err, "offloads of %s", HUB_NAME))
		return -1;
	err = tap_configure(nl, &run->tap, &run->caller, hub->index);
	if (!err)
		err = hub_add(nl, hub, &run->tap);
	if (!err)
		err = hub_sweep(nl, run->host, hub, &run->tap);
	if (outcome_set_errno(&run->outcome, err, "the filters of %s", run->tap.name))
		return -1;
	err = patch_port_connect(nl, hub, &run->plan, &run->tap);
	if (!err)
		return 0;
	return fall_back(run, err) ? -1 : connect_tap(run, hub);
}

/* What was built may have been taken down meanwhile, by --release or with the card. */
static bool is_standing(struct run *run, const struct hub *hub)
{
	struct link link = { .index = 0 };

	if (!hub_stands(&run->route, hub))
		return false;
	if (hub->uplink && link_find(&run->route, NULL, hub->uplink, &link))
		return false;
	if (hub->flags & ~link.flags) { /* found there, and undone since: it is not there now */
		run->plan.uplink.flags &= link.flags;
		return false;
	}
	return link_find(&run->route, NULL, run->tap.index, &link) == 0 && (link.flags & IFF_UP);
}

static int connect_and_check(struct run *run, struct hub *hub)
{
	struct hub made;

	for (int tries = 0; tries < CONNECT_TRIES; tries++) {
		if (connect_tap(run, hub))
			return -1;
		if (is_standing(run, hub))
			return 0;
		made = *hub;
		run->plan.made_clsact |= made.done & HUB_DID_CLSACT;
		if (hub_find(&run->route, run->host, hub, &run->outcome))
			return -1;
	}
	/* what is connected now is so by whoever was faster */
	if (hub->uplink != made.uplink &&
	    (made.attach == ATTACH_PATCH || made.attach == ATTACH_HOST))
		patch_port_disconnect(&run->route, &made);
	return outcome_set(&run->outcome, OUTCOME_SYSTEM,
			   "the attachment of %s changed while it was made", run->tap.name);
}

static int attach(struct run *run)
{
	const struct request *request = &run->request;
	const int slot = request->has_slot ? (int)request->slot : -1;
	struct hub hub;

	if (uplink_plan(&run->route, &run->generic, &run->policy, request->br, &run->plan,
			&run->outcome))
		return -1;
	if (request->verb == REQUEST_ATTACH)
		tap_sweep(&run->route, FD_TUN, run->host);
	if (check_other(run, &hub) || check_card(run, &hub))
		return -1;
	/* the TAP first, and down: who is over the quota has changed nothing */
	if (request->verb == REQUEST_REPAIR ?
		    tap_find(&run->route, FD_TUN, run->host, &run->caller, slot, &run->tap,
			     &run->outcome) :
		    tap_create(&run->route, FD_TUN, run->host, &run->caller, slot, &run->policy,
			       &run->tap, &run->outcome))
		return -1;
	run->plan.asked = request->br[0];
	return connect_and_check(run, &hub);
}

/* 0 where no TAP is alive; leftovers are removed. Or -1 with OUTCOME_IN_USE naming them. */
static int check_unused(struct run *run)
{
	static struct taps taps;
	char names[OUTCOME_WHAT_SIZE - 16] = "";
	size_t len = 0;
	int err = taps_list(&run->route, run->host, &taps);

	for (size_t i = 0; !err && i < taps.count; i++) {
		int alive = tap_is_alive(&run->route, FD_TUN, &taps.tap[i]);

		if (alive < 0)
			err = alive;
		else if (alive && len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len,
						"%s %s of user %u", len ? "," : "",
						taps.tap[i].name, taps.tap[i].uid);
	}
	if (outcome_set_errno(&run->outcome, err, "listing TAPs"))
		return -1;
	return names[0] ? outcome_set(&run->outcome, OUTCOME_IN_USE, "still alive:%s", names) : 0;
}

/*
 * Another helper has built anew what we were taking down, and may not see it any more if we took
 * off some of the card's filters after it had put them there: they are put back.
 */
static int give_way(struct run *run)
{
	static struct taps taps;
	struct nl *nl = &run->route;
	struct plan plan = { .attach = ATTACH_NO };
	struct hub hub;

	if (hub_find(nl, run->host, &hub, &run->outcome))
		return -1;
	plan.attach = hub.attach;
	if (hub.index && link_find(nl, NULL, hub.uplink, &plan.uplink) == 0 &&
	    taps_list(nl, run->host, &taps) == 0)
		for (size_t i = 0; i < taps.count; i++)
			patch_port_connect(nl, &hub, &plan, &taps.tap[i]);
	return check_unused(run) ?
		       -1 :
		       outcome_set(&run->outcome, OUTCOME_IN_USE, "a TAP was started meanwhile");
}

/* What a bthub that somebody has deleted knew of a card is lost, but our filters are known. */
static int sweep_cards(struct run *run)
{
	struct nl *nl = &run->route;
	int cards[CARDS_MAX], err = 0;
	const int count = tc_list_clsact(nl, cards, CARDS_MAX);

	for (int i = 0; err >= 0 && i < count; i++) {
		struct link card;

		err = patch_port_sweep(nl, cards[i], run->host);
		if (err > 0 && link_find(nl, NULL, cards[i], &card) == 0)
			say_line("%s: took off the filters that a deleted %s left; allmulticast "
				 "and clsact may be left too: if nothing else needs them, 'ip "
				 "link set %s allmulticast off' and 'tc qdisc del dev %s clsact'",
				 card.name, HUB_NAME, card.name, card.name);
	}
	return count < 0 ? count : err < 0 ? err : 0;
}

/*
 * A helper that makes a TAP meanwhile either has it before the second look, which then stops us, or
 * sees that we are at it: before, and says that we are not, or when it has connected the TAP, and
 * connects it once more.
 */
static int release(struct run *run)
{
	struct nl *nl = &run->route;
	struct hub hub;
	int err = 0;

	if (check_unused(run) || hub_find(nl, run->host, &hub, &run->outcome))
		return -1;
	if (hub.index)
		err = hub_set_releasing(nl, &hub, true);
	if (err == -ENODEV) /* another release was faster */
		err = 0;
	if (!err && check_unused(run)) {
		hub_set_releasing(nl, &hub, false);
		return -1;
	}
	/* anew: of one who came and went before our note, all that he did is remembered now */
	if (!err && hub_find(nl, run->host, &hub, &run->outcome))
		return -1;
	if (!err)
		err = hub_release(nl, run->host, &hub);
	if (err == -EBUSY)
		return give_way(run);
	if (err == -EAGAIN) /* its note stands until it is gone */
		return outcome_set(&run->outcome, OUTCOME_SYSTEM,
				   "somebody keeps the card's clsact in use by asking for its "
				   "filters: try again when that is over");
	if (!err)
		err = sweep_cards(run);
	return outcome_set_errno(&run->outcome, err, "releasing");
}

int act(struct run *run)
{
	return run->request.verb == REQUEST_RELEASE ? release(run) : attach(run);
}
