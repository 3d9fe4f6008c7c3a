/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * patch_port.c: see patch_port.h. Never touches anything of the NIC but two preferences of its
 * clsact, the list of addresses it accepts, and allmulticast or promiscuous mode where they were
 * off. Other people's filters see every frame that is only copied.
 */
#include "patch_port.h"

#include <errno.h>
#include <net/if.h>

#include "wiring.h"

/*
 * Not at each run: an address that no guest has now is harmless, and its guest may be on its way
 * back in another helper.
 */
static int forget_addresses(struct nl *nl, int index, uint32_t host)
{
	const struct mac like = mac_make(host, 0, 0);
	struct mac list[TAPS_MAX];
	int count, err = 0;

	do { /* each user who ever had a TAP has left some */
		count = link_list_accepted(nl, index, &like, list, TAPS_MAX);
		for (int i = 0; !err && i < count; i++) {
			err = link_accept(nl, index, &list[i], false);
			if (err == -ENOENT || err == -ENODEV) /* another was faster */
				err = 0;
		}
	} while (!err && count == TAPS_MAX);
	return count < 0 ? count : err;
}

/* Sets a flag of the NIC's if it is clear, and remembers that it was us before it is. */
static int set_flag(struct nl *nl, struct hub *hub, const struct link *uplink, unsigned int flag,
		    unsigned int did)
{
	int err;

	hub->flags |= flag;
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
	struct tc_filters filters;
	int err;

	if (plan->attach == ATTACH_JOIN || plan->attach == ATTACH_BRIDGE)
		return link_ensure(nl, &hub->far,
				   &(struct link_change){ .move = true, .master = hub->uplink });
	if (plan->attach == ATTACH_NONE)
		return 0;
	wiring_card(&filters, hub);
	/* where our filter stands, clsact does too */
	err = tc_stands(nl, &filters.filter[0]);
	if (err == 0)
		err = tc_has_clsact(nl, hub->uplink);
	if (err == 0 || (err > 0 && plan->made_clsact)) {
		err = hub_remember(nl, hub, HUB_DID_CLSACT);
		if (!err)
			err = tc_ensure_clsact(nl, hub->uplink);
	}
	if (err >= 0)
		err = tc_each_of(nl, &filters, tc_ensure);
	return err || plan->attach == ATTACH_HOST ? err : accept_guest(nl, hub, plan, tap);
}

int patch_port_disconnect(struct nl *nl, const struct hub *hub)
{
	const unsigned int ours = (hub->done & HUB_DID_ALLMULTI ? IFF_ALLMULTI : 0) |
				  (hub->done & HUB_DID_PROMISC ? IFF_PROMISC : 0);
	struct tc_filters filters;
	int err;

	if (hub->attach == ATTACH_JOIN || hub->attach == ATTACH_BRIDGE)
		return link_set(nl, hub->lan, &(struct link_change){ .move = true });
	if (hub->attach != ATTACH_PATCH && hub->attach != ATTACH_HOST)
		return 0;
	wiring_card(&filters, hub);
	err = tc_remove_all(nl, &filters);
	if (!err)
		err = forget_addresses(nl, hub->uplink, hub->host);
	if (!err && ours)
		err = link_set(nl, hub->uplink, &(struct link_change){ .mask = ours });
	if (!err && hub->done & HUB_DID_CLSACT)
		err = tc_remove_empty_clsact(nl, hub->uplink);
	return err == -ENODEV || err == -EINVAL ? 0 : err; /* the card was pulled out */
}

int patch_port_sweep(struct nl *nl, int index, uint32_t host)
{
	const struct hub gone = { .uplink = index, .host = host, .attach = ATTACH_PATCH };
	struct tc_filters filters;
	int found = 0, err = 0;

	wiring_card(&filters, &gone);
	for (size_t i = filters.count; err >= 0 && i-- > 0;) {
		err = tc_stands(nl, &filters.filter[i]);
		if (err <= 0)
			continue;
		/* before the filters: when they are gone nothing tells that there are any */
		err = found ? 0 : forget_addresses(nl, index, host);
		if (!err)
			err = tc_remove(nl, filters.filter[i].place);
		found = 1;
	}
	return err ? err : found;
}
