/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uplink.c: see uplink.h. Reads links, routes and nl80211; never changes anything. Names come
 * from the policy or the kernel; all decisions are made on the kernel's numbers.
 */
#include "uplink.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/nl80211.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "hub.h"

struct route {
	int index;
	uint32_t metric;
};

/* Default routes of the main table; the lowest metric counts, IPv4 before IPv6. */
static int on_route(const struct nlmsghdr *message, void *user)
{
	const struct rtmsg *header = nl_payload(message, sizeof(*header));
	struct route *best = user, found = { 0 };
	const struct rtnexthop *hop;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWROUTE || !header || header->rtm_dst_len != 0 ||
	    header->rtm_table != RT_TABLE_MAIN || header->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*header)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			found.index = (int)nl_number(attr);
			break;
		case RTA_PRIORITY:
			found.metric = nl_number(attr);
			break;
		case RTA_MULTIPATH:
			hop = mnl_attr_get_payload(attr);
			if (mnl_attr_get_payload_len(attr) >= sizeof(*hop))
				found.index = hop->rtnh_ifindex;
			break;
		}
	}
	if (found.index && (!best->index || found.metric < best->metric))
		*best = found;
	return MNL_CB_OK;
}

static int default_route(struct nl *nl, int *index)
{
	static const unsigned char families[] = { AF_INET, AF_INET6 };
	struct route best = { 0 };

	for (size_t i = 0; i < sizeof(families) && !best.index; i++) {
		const struct rtmsg header = { .rtm_family = families[i] };
		int err;

		nl_begin(nl, RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));
		err = nl_ask(nl, on_route, &best);
		if (err && err != -EAFNOSUPPORT && err != -EOPNOTSUPP)
			return err;
	}
	*index = best.index;
	return 0;
}

/* 1 where nl80211 knows the interface, 0 where not, or a negative errno. */
static int is_wireless(struct nl *nl, int index)
{
	const struct genlmsghdr ask_interface = { .cmd = NL80211_CMD_GET_INTERFACE };
	struct nlmsghdr *message;
	uint16_t family;
	int err = nl_find_family(nl, NL80211_GENL_NAME, &family);

	if (err == -ENOENT)
		return 0; /* a kernel without any wireless card */
	if (err)
		return err;
	message = nl_begin(nl, family, 0, &ask_interface, sizeof(ask_interface));
	mnl_attr_put_u32(message, NL80211_ATTR_IFINDEX, (uint32_t)index);
	err = nl_ask(nl, NULL, NULL);
	return err == -ENODEV || err == -EINVAL || err == -ENOENT ? 0 : err ? err : 1;
}

static bool is_ethernet(const struct link *link)
{
	return link->hardware == ARPHRD_ETHER && !(link->flags & IFF_LOOPBACK);
}

/* A device of the helper's: attached to itself, the hub would send its frames round for ever. */
static bool is_own(const struct link *link)
{
	return hub_has_note(link) || strcmp(link->name, HUB_NAME) == 0 ||
	       strcmp(link->name, HUB_LAN_NAME) == 0;
}

/*
 * What may be chosen without being named: hardware, or what stands for it; not the Ethernet of a
 * VPN (kinds tun, vxlan, gretap, …), which also can have the default route.
 */
static bool is_card(const struct link *link)
{
	static const char *const kinds[] = {
		"", "bond", "team", "vlan", "bridge", "veth", "macvlan"
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(link->kind, kinds[i]) == 0)
			return is_ethernet(link);
	return false;
}

/* What may be chosen without even a default route: free hardware, or a container's own card. */
static bool is_idle_card(const struct link *link)
{
	return is_card(link) && !link->master && link->carrier &&
	       (!link->kind[0] || strcmp(link->kind, "bond") == 0 ||
		(strcmp(link->kind, "veth") == 0 && link->elsewhere));
}

struct candidates {
	struct link link[16];
	size_t count;
};

static int collect_card(const struct link *link, void *user)
{
	struct candidates *c = user;

	if (is_idle_card(link) && c->count < sizeof(c->link) / sizeof(c->link[0]))
		c->link[c->count++] = *link;
	return 0;
}

/* The uplink by 'uplink auto'; link->index 0 where there is none. */
static int find_card(struct nl *route, struct nl *generic, struct link *link, const char **why,
		     bool *wired)
{
	struct candidates cards = { .count = 0 };
	int index = 0, err = default_route(route, &index);

	memset(link, 0, sizeof(*link));
	if (!err && index)
		err = link_find(route, NULL, index, link);
	if (err && err != -ENODEV)
		return err;
	*why = "it has the default route";
	*wired = link->index && is_card(link) && is_wireless(generic, link->index) == 0;
	if (*wired)
		return 0;
	err = link_each(route, NULL, collect_card, &cards);
	for (size_t i = 0; !err && i < cards.count; i++) {
		if (is_wireless(generic, cards.link[i].index))
			continue;
		*link = cards.link[i];
		*wired = true;
		*why = "it is wired and has a carrier";
		return 0;
	}
	/* a tunnel with the default route is no card; a wireless card still serves this host */
	if (link->index && !is_card(link))
		memset(link, 0, sizeof(*link));
	return err;
}

static int join(const struct policy *policy, const struct link *bridge, struct plan *plan)
{
	if (strcmp(bridge->kind, "bridge") != 0 || !policy_may_join(policy, bridge->name))
		return -EPERM;
	plan->attach = ATTACH_JOIN;
	plan->uplink = *bridge;
	return 0;
}

static int plan_join(struct nl *route, const struct policy *policy, const char *name,
		     struct plan *plan, struct outcome *outcome)
{
	struct link bridge;
	int err = link_find(route, name, 0, &bridge);

	if (err)
		return outcome_set(outcome, OUTCOME_BRIDGE_REFUSED, "bridge %s: %s", name,
				   strerror(-err));
	if (join(policy, &bridge, plan))
		return outcome_set(outcome, OUTCOME_BRIDGE_REFUSED, "%s is %s", name,
				   strcmp(bridge.kind, "bridge") ? "no bridge" :
								   "named by no 'join' line");
	return 0;
}

static void fall_back(struct plan *plan, enum attach attach, const char *why)
{
	plan->attach = attach;
	snprintf(plan->why, sizeof(plan->why), "%s", why);
	if (attach == ATTACH_NONE)
		memset(&plan->uplink, 0, sizeof(plan->uplink));
}

/* What 'attach auto' gets from the uplink that was found. */
static int plan_auto(struct nl *route, struct nl *generic, const struct policy *policy,
		     struct plan *plan, struct outcome *outcome)
{
	const struct link *up = &plan->uplink;
	struct link bridge = *up;
	char why[OUTCOME_WHAT_SIZE];
	int wireless;

	if (!up->index) {
		fall_back(plan, ATTACH_NONE,
			  policy->uplink_none ?
				  "the policy says 'uplink none'" :
				  "there is no network card with a default route or a carrier");
		return 0;
	}
	if (up->master && link_find(route, NULL, up->master, &bridge))
		memset(&bridge, 0, sizeof(bridge));
	/* one of ours gives the card back as soon as the policy wants something else of it */
	if (strcmp(bridge.kind, "bridge") == 0 && !(up->master && hub_has_note(&bridge))) {
		if (join(policy, &bridge, plan) == 0)
			return 0;
		snprintf(why, sizeof(why), "%s is %s %s, which no 'join' line of %s names",
			 up->name, up->master ? "a port of bridge" : "the bridge", bridge.name,
			 POLICY_FILE);
		plan->uplink = bridge; /* where the host's own stack is */
		fall_back(plan, ATTACH_HOST, why);
		return 0;
	}
	if (strcmp(up->port_of, "bond") == 0 || strcmp(up->port_of, "team") == 0)
		return outcome_set(outcome, OUTCOME_UPLINK_UNFIT,
				   "%s is a part of %s %s: name that", up->name, up->port_of,
				   bridge.name);
	wireless = plan->wired ? 0 : is_wireless(generic, up->index);
	if (outcome_set_errno(outcome, wireless, "nl80211 about %s", up->name))
		return -1;
	plan->attach = ATTACH_PATCH;
	if (wireless) {
		snprintf(why, sizeof(why), "%s is wireless and cannot be bridged", up->name);
		fall_back(plan, ATTACH_HOST, why);
	}
	return 0;
}

/*
 * 'attach bridge' gives a card away as a whole, so it must be one that nobody uses, and one that
 * was named: a card that waits for its first address, at boot or after its cable was out, looks
 * just as spare.
 */
static int plan_bridge(struct nl *route, struct nl *generic, const struct policy *policy,
		       struct plan *plan, struct outcome *outcome)
{
	const struct link *up = &plan->uplink;
	struct link master = { .index = 0 };
	int used = link_has_address(route, up->index, 0);

	if (!policy->uplink[0])
		return outcome_set(outcome, OUTCOME_UPLINK_UNFIT,
				   "'attach bridge' in %s needs an 'uplink' line that names the "
				   "spare card",
				   POLICY_FILE);
	if (used > 0)
		return outcome_set(outcome, OUTCOME_UPLINK_UNFIT,
				   "'attach bridge' in %s is for a spare "
				   "card, and %s has addresses",
				   POLICY_FILE, up->name);
	if (up->master && link_find(route, NULL, up->master, &master) == 0 &&
	    strcmp(master.name, UPLINK_BRIDGE) != 0)
		return outcome_set(outcome, OUTCOME_UPLINK_UNFIT, "%s is a part of %s already",
				   up->name, master.name);
	if (outcome_set_errno(outcome, used, "the addresses of %s", up->name))
		return -1;
	if (is_wireless(generic, up->index))
		return outcome_set(outcome, OUTCOME_UPLINK_UNFIT,
				   "%s is wireless and cannot be bridged", up->name);
	plan->attach = ATTACH_BRIDGE;
	return 0;
}

/* What the policy asks for by name. */
static int plan_named(struct nl *route, struct nl *generic, const struct policy *policy,
		      struct plan *plan, struct outcome *outcome)
{
	const enum attach wanted = policy->attach;
	char why[OUTCOME_WHAT_SIZE];

	if (wanted == ATTACH_NONE || (wanted == ATTACH_HOST && plan->uplink.index)) {
		snprintf(why, sizeof(why), "the policy says 'attach %s'", attach_name(wanted));
		fall_back(plan, wanted, why);
		return 0;
	}
	if (!plan->uplink.index)
		return outcome_set(outcome, OUTCOME_NO_UPLINK,
				   "'attach %s' in %s needs an uplink, and "
				   "there is none",
				   attach_name(wanted), POLICY_FILE);
	if (wanted == ATTACH_BRIDGE)
		return plan_bridge(route, generic, policy, plan, outcome);
	if (plan_auto(route, generic, policy, plan, outcome))
		return -1;
	if (plan->attach != ATTACH_PATCH)
		return outcome_set(outcome, OUTCOME_UPLINK_UNFIT,
				   "'attach patch' in %s does not fit: %s", POLICY_FILE,
				   plan->attach == ATTACH_JOIN ?
					   "the uplink is a port of a bridge" :
					   plan->why);
	return 0;
}

int uplink_plan(struct nl *route, struct nl *generic, const struct policy *policy,
		const char *bridge, struct plan *plan, struct outcome *outcome)
{
	const char *why = "the policy names it";
	int err = 0;

	memset(plan, 0, sizeof(*plan));
	plan->asked = bridge[0];
	if (bridge[0])
		return plan_join(route, policy, bridge, plan, outcome);
	if (policy->uplink[0])
		err = link_find(route, policy->uplink, 0, &plan->uplink);
	else if (!policy->uplink_none)
		err = find_card(route, generic, &plan->uplink, &why, &plan->wired);
	if (err == -ENODEV)
		return outcome_set(outcome, OUTCOME_NO_UPLINK,
				   "'uplink %s' in %s: no such interface", policy->uplink,
				   POLICY_FILE);
	if (outcome_set_errno(outcome, err, "looking for the uplink"))
		return -1;
	if (plan->uplink.index && !is_ethernet(&plan->uplink))
		return outcome_set(outcome, OUTCOME_UPLINK_UNFIT, "%s is no Ethernet interface",
				   plan->uplink.name);
	if (policy->uplink[0] && is_own(&plan->uplink))
		return outcome_set(outcome, OUTCOME_UPLINK_UNFIT, "%s is a device of the helper's",
				   plan->uplink.name);
	snprintf(plan->chosen, sizeof(plan->chosen), "%s", plan->uplink.index ? why : "");
	return policy->attach_auto ? plan_auto(route, generic, policy, plan, outcome) :
				     plan_named(route, generic, policy, plan, outcome);
}

int uplink_give_up(struct plan *plan, const struct policy *policy, int err, struct outcome *outcome)
{
	char why[OUTCOME_WHAT_SIZE];

	if (policy->attach_auto && !plan->asked &&
	    (err == -EEXIST || err == -EOPNOTSUPP || err == -EINVAL)) {
		snprintf(why, sizeof(why),
			 err == -EEXIST ? "an 'ingress' qdisc is in the way on %s" :
					  "%s takes no traffic control filters",
			 plan->uplink.name);
		fall_back(plan, ATTACH_NONE, why);
		return 0;
	}
	return outcome_set(outcome, OUTCOME_UPLINK_UNFIT, "connecting to %s: %s", plan->uplink.name,
			   err == -EEXIST ? "an 'ingress' qdisc is in the way" : strerror(-err));
}

int uplink_check_card(struct nl *route, const struct policy *policy, enum attach attach, int uplink,
		      struct plan *plan, struct outcome *outcome)
{
	int err = 0;

	if ((plan->attach == ATTACH_PATCH || plan->attach == ATTACH_HOST) &&
	    (plan->attach != attach || plan->uplink.index != uplink))
		err = tc_has_clsact(route, plan->uplink.index);
	return err < 0 ? uplink_give_up(plan, policy, err, outcome) : 0;
}
