/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * act.c: stage 6 of the timeline: attach, repair or release. What is done, in order, and nothing of
 * how: that is in the files it calls.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patch_port.h"
#include "run.h"
#include "say.h"
#include "tc.h"

#define CONNECT_TRIES 3
#define CARDS_MAX     1024
#define MOMENT_NS     10000000 /* between two looks at who else is at work … */
#define MOMENTS	      50       /* … and how many there are */
#define SECONDS_ALONE 10       /* that others may be kept waiting */

static int make_plan(struct run *run)
{
	return uplink_plan(&run->route, &run->generic, &run->policy, run->request.br, &run->plan,
			   &run->outcome);
}

/*
 * Until no release is under way: a moment, for one that is stopped is none that others wait for.
 * #syscall ppoll
 */
static int await_release(struct run *run, struct taps *taps)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };

	for (int moments = 0; taps->releasing && moments < MOMENTS; moments++) {
		ppoll(NULL, 0, &moment, NULL);
		if (outcome_set_errno(&run->outcome, taps_list(&run->route, run->host, taps),
				      "listing TAPs"))
			return -1;
	}
	return taps->releasing ? outcome_set(&run->outcome, OUTCOME_SYSTEM,
					     "another run of the helper has not ended: it holds "
					     "%s",
					     TAPS_RELEASE) :
				 0;
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
	err = tap_configure(nl, &run->tap, &run->caller, &run->plan, hub->index);
	if (!err)
		err = hub_add(nl, hub, &run->tap);
	if (!err)
		err = hub_sweep(nl, run->host, hub, &run->tap);
	if (outcome_set_errno(&run->outcome, err, "the filters of %s", run->tap.name))
		return -1;
	err = patch_port_connect(nl, hub, &run->plan, &run->tap);
	if (!err)
		return 0;
	return uplink_give_up(&run->plan, &run->policy, err, &run->outcome) ? -1 :
									      connect_tap(run, hub);
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

/* Notes what is to be done where others look for it; and then, in @taps, all that there are. */
static int note(struct run *run, struct taps *taps, const struct link *repair)
{
	const int index = repair->index ? repair->index : run->tap.index;
	int err = tap_note(&run->route, index, &run->tap, &run->caller, &run->plan);

	if (!err)
		err = taps_list(&run->route, run->host, taps);
	return outcome_set_errno(&run->outcome, err, "beginning with %s", run->tap.name);
}

/* The TAP, down, or what shows a repair of it; and in @taps all that there are then. */
static int show(struct run *run, struct taps *taps, struct link *repair)
{
	const int slot = run->request.has_slot ? (int)run->request.slot : -1;
	struct nl *nl = &run->route;
	struct tap *tap = &run->tap;
	char name[IFNAME_SIZE + 1];
	int err;

	if (run->request.verb == REQUEST_ATTACH)
		return tap_create(nl, FD_TUN, run->host, &run->caller, slot, &run->policy, tap,
				  taps, &run->outcome);
	if (tap_find(nl, FD_TUN, run->host, &run->caller, slot, tap, &run->outcome))
		return -1;
	snprintf(name, sizeof(name), "%s" TAPS_REPAIR, tap->name);
	err = tap_hold(nl, FD_TUN, name, repair);
	if (!err)
		err = taps_list(nl, run->host, taps);
	return outcome_set_errno(&run->outcome, err, "repairing %s", tap->name);
}

/*
 * How runs that know nothing of each other, and may be stopped or ended between any two calls, keep
 * out of each other's way: whoever is about to change something first makes an interface that
 * shows it and goes when he does, then looks at those of others. So of any two at least one sees
 * the other.
 *
 * - An attach (its TAP) or a repair, and a --release: a release that sees one changes nothing. One
 *   that sees none may change all: who comes then sees the release, and waits until it has ended,
 *   or been ended, before he looks at anything that it can change. What he then finds half taken
 *   down he makes whole, as he would after a kill.
 * - Two that want different attachments, because one was asked for by name: each notes what his is
 *   to be before he looks. Both may see each other's note, and be refused; never neither. Who has
 *   not noted it yet will look afterwards, so he is not waited for, and may be stopped for ever. Of
 *   two plans that nobody asked for, which differ where policy or uplink have changed in between,
 *   that one stands which was connected last, until the next start or repair: to wait for who is
 *   stopped would let anybody keep everyone out. What was done to the other card is remembered.
 * - Two releases, two repairs of one TAP: there is one interface of that name.
 */
static int attach(struct run *run)
{
	static struct taps taps;
	struct link repair = { .index = 0 };
	const bool again = run->request.verb == REQUEST_REPAIR;
	struct hub hub;

	if (run->request.br[0] && make_plan(run)) /* a bridge that he may not join */
		return -1;
	tap_sweep(&run->route, FD_TUN, run->host);
	/* a plan that was made while a release was under way may be of what has gone */
	if (show(run, &taps, &repair) || await_release(run, &taps) || make_plan(run) ||
	    note(run, &taps, &repair) || hub_find(&run->route, run->host, &hub, &run->outcome) ||
	    hub_check_others(&hub, run->host, &taps, taps.count - !again, &run->plan,
			     &run->outcome) ||
	    uplink_check_card(&run->route, &run->policy, hub.attach, hub.uplink, &run->plan,
			      &run->outcome))
		return -1;
	if (connect_and_check(run, &hub))
		return -1;
	/* before the reply: the next repair of this TAP may come at once */
	if (repair.index)
		link_delete(&run->route, repair.index);
	return 0;
}

/* 0 where there is no TAP, and no other run; or -1 with OUTCOME_IN_USE naming them. */
static int check_unused(struct run *run)
{
	static struct taps taps;
	char names[OUTCOME_WHAT_SIZE - 16] = "";
	const struct link *link;
	size_t len = 0;
	int err = taps_list(&run->route, run->host, &taps);

	if (outcome_set_errno(&run->outcome, err, "listing TAPs"))
		return -1;
	for (size_t i = 0; len < sizeof(names) && (link = taps_each(&taps, i)); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s %s of user %u",
					len ? "," : "", link->name,
					(unsigned int)strtoul(link->name + 4, NULL, 16));
	return len ? outcome_set(&run->outcome, OUTCOME_IN_USE, "still alive:%s", names) : 0;
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
 * Who stops it for ever while it keeps others out has it end.
 * #syscall setitimer
 */
static int release(struct run *run)
{
	struct nl *nl = &run->route;
	struct link hold;
	struct hub hub;
	int err;

	/* while the descriptor is free for it, and it may take long */
	tap_sweep(nl, FD_TUN, run->host);
	early_live_for(SECONDS_ALONE);
	err = tap_hold(nl, FD_TUN, TAPS_RELEASE, &hold);
	if (err == -EBUSY)
		return outcome_set(&run->outcome, OUTCOME_SYSTEM, "another --release is under way");
	if (outcome_set_errno(&run->outcome, err, "making " TAPS_RELEASE) || check_unused(run) ||
	    hub_find(nl, run->host, &hub, &run->outcome))
		return -1;
	err = hub_release(nl, run->host, &hub);
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
