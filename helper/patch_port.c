/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * patch_port.c: see patch_port.h. Never touches anything of the NIC but two preferences of its
 * clsact, the list of addresses it accepts, and allmulticast or promiscuous mode where they were
 * off. Other people's filters see every frame that is only copied.
 */
#include "patch_port.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "tc.h"

/* High numbers: the administrator's own filters come first. */
static const struct {
	uint16_t preference;
	enum program_name program;
	enum tc_kind kind;
} filters[] = {
	{ 24701, PROGRAM_OUTSIDE_TO_GROUP, TC_MIRROR_ON },
	{ 24700, PROGRAM_OUTSIDE_TO_GUEST, TC_REDIRECT },
};
enum { GROUP, UNICAST, FILTERS };

static struct tc_place place_of(int index, enum tc_direction direction, int n)
{
	return (struct tc_place){ index, direction, filters[n].preference, 1 };
}

/* tc_ensure() or tc_stands() of filter @n on card @index, which leads to @lan. */
static int with_filter(struct nl *nl, tc_filter_fn *function, struct tc_place place, int n,
		       const struct mac *guest, int lan)
{
	const struct tc_action actions[] = { { filters[n].kind, lan, TC_EGRESS },
					     { TC_END, 0, 0 } };

	return function(nl, place, filters[n].program, guest, actions);
}

static int put_filters(struct nl *nl, const struct hub *hub, enum tc_direction direction,
		       const struct mac *guest)
{
	int err = 0;

	for (int n = 0; !err && n < FILTERS; n++)
		err = with_filter(nl, tc_ensure, place_of(hub->uplink, direction, n), n, guest,
				  hub->lan);
	return err;
}

static int remove_filters(struct nl *nl, int index, enum tc_direction direction)
{
	int err = 0;

	for (int n = FILTERS; n-- > 0;) {
		int err2 = tc_remove(nl, place_of(index, direction, n));

		err = err ? err : err2;
	}
	return err;
}

/* The addresses with our prefix that the NIC accepts. */
struct accepted {
	struct mac prefix, mac[TAPS_MAX];
	size_t count;
};

static int collect_accepted(const struct mac *mac, void *user)
{
	struct accepted *a = user;

	if (mac_same_host(mac, &a->prefix) && a->count < TAPS_MAX)
		a->mac[a->count++] = *mac;
	return 0;
}

/*
 * Not at each run: an address that no guest has now is harmless, and its guest may be on its way
 * back in another helper.
 */
static int forget_addresses(struct nl *nl, int index, struct mac prefix)
{
	struct accepted accepted = { .prefix = prefix };
	int err;

	do { /* each user who ever had a TAP has left some */
		accepted.count = 0;
		err = link_accepted_each(nl, index, collect_accepted, &accepted);
		for (size_t i = 0; !err && i < accepted.count; i++) {
			err = link_accept(nl, index, &accepted.mac[i], false);
			if (err == -ENOENT) /* another helper was faster */
				err = 0;
		}
	} while (!err && accepted.count == TAPS_MAX);
	return err;
}

/* Sets a flag of the NIC's if it is clear, and remembers that it was us before it is. */
static int set_flag(struct nl *nl, struct hub *hub, const struct link *uplink, unsigned int flag,
		    unsigned int did)
{
	int err;

	if (uplink->flags & flag)
		return 0;
	err = hub_remember(nl, hub, did);
	return err ? err :
		     link_set(nl, uplink->index,
			      &(struct link_change){ .flags = flag, .mask = flag });
}

static int accept_guest(struct nl *nl, struct hub *hub, const struct plan *plan,
			const struct tap *tap)
{
	int err = link_accept(nl, hub->uplink, &tap->guest, true);

	if (err == -EOPNOTSUPP) /* the driver keeps no list: it has to take everything */
		err = set_flag(nl, hub, &plan->uplink, IFF_PROMISC, HUB_DID_PROMISC);
	if (!err)
		err = set_flag(nl, hub, &plan->uplink, IFF_ALLMULTI, HUB_DID_ALLMULTI);
	return err;
}

int patch_port_connect(struct nl *nl, struct hub *hub, const struct plan *plan,
		       const struct tap *tap)
{
	int err;

	if (plan->attach == ATTACH_JOIN || plan->attach == ATTACH_BRIDGE)
		return link_ensure(nl, &hub->far,
				   &(struct link_change){ .move = true, .master = hub->uplink });
	if (plan->attach == ATTACH_NONE)
		return 0;
	/* where our filter stands, clsact does too */
	err = with_filter(nl, tc_stands, place_of(hub->uplink, TC_EGRESS, GROUP), GROUP,
			  &tap->guest, hub->lan);
	if (err == 0)
		err = tc_has_clsact(nl, hub->uplink);
	if (err == 0 && (err = hub_remember(nl, hub, HUB_DID_CLSACT)) == 0)
		err = tc_ensure_clsact(nl, hub->uplink);
	if (err >= 0)
		err = put_filters(nl, hub, TC_EGRESS, &tap->guest);
	if (err || plan->attach == ATTACH_HOST)
		return err ? err : remove_filters(nl, hub->uplink, TC_INGRESS);
	err = put_filters(nl, hub, TC_INGRESS, &tap->guest);
	return err ? err : accept_guest(nl, hub, plan, tap);
}

/* Ours has the address that btlan wears; or another one now, and still our filter. */
int patch_port_is_there(struct nl *nl, const struct hub *hub)
{
	const struct mac prefix = mac_make(hub->host, 0, 0);
	struct link card, lan;
	int err;

	if (hub->attach != ATTACH_PATCH && hub->attach != ATTACH_HOST)
		return 1;
	err = link_find(nl, NULL, hub->uplink, &card);
	if (!err)
		err = link_find(nl, NULL, hub->lan, &lan);
	if (!err && !mac_equal(&card.mac, &lan.mac))
		return with_filter(nl, tc_stands, place_of(hub->uplink, TC_EGRESS, GROUP), GROUP,
				   &prefix, hub->lan);
	/* in doubt it is ours: of what has gone nothing can be taken off */
	return err && err != -ENODEV && err != -EINVAL ? err : 1;
}

int patch_port_disconnect(struct nl *nl, const struct hub *hub)
{
	const unsigned int ours = (hub->done & HUB_DID_ALLMULTI ? IFF_ALLMULTI : 0) |
				  (hub->done & HUB_DID_PROMISC ? IFF_PROMISC : 0);
	int err = 0;

	if (hub->attach == ATTACH_JOIN || hub->attach == ATTACH_BRIDGE)
		err = link_set(nl, hub->lan, &(struct link_change){ .move = true });
	if (hub->attach != ATTACH_PATCH && hub->attach != ATTACH_HOST)
		return err;
	for (enum tc_direction d = TC_INGRESS; !err && d <= TC_EGRESS; d++)
		err = remove_filters(nl, hub->uplink, d);
	if (!err)
		err = forget_addresses(nl, hub->uplink, mac_make(hub->host, 0, 0));
	if (!err && ours)
		err = link_set(nl, hub->uplink, &(struct link_change){ .mask = ours });
	if (!err && hub->done & HUB_DID_CLSACT)
		err = tc_remove_empty_clsact(nl, hub->uplink);
	return err == -ENODEV || err == -EINVAL ? 0 : err; /* the card was pulled out */
}

int patch_port_sweep(struct nl *nl, int index, uint32_t host)
{
	const struct mac prefix = mac_make(host, 0, 0);
	int found = 0, err = 0;

	for (enum tc_direction d = TC_INGRESS; d <= TC_EGRESS; d++)
		for (int n = 0; err >= 0 && n < FILTERS; n++) {
			err = with_filter(nl, tc_stands, place_of(index, d, n), n, &prefix, 0);
			found |= err > 0;
			if (err > 0)
				err = tc_remove(nl, place_of(index, d, n));
		}
	if (found && !err)
		err = forget_addresses(nl, index, prefix);
	return err ? err : found;
}
