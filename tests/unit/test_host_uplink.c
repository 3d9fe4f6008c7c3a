/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_host_uplink.c: which card becomes the uplink, and how guests get there: for wireless
 * cards, bonds and odd routes, of which machines that run tests have few.
 */
#include <linux/nl80211.h>

#include "hub.h"
#include "kernel.h"
#include "uplink.h"

enum { ETH = 2, WLAN = 3, OTHER = 4, BRIDGE = 5, WIRELESS_FAMILY = 30 };

static struct policy policy;
static struct plan plan;
static struct outcome outcome;

static struct nlmsghdr *tell_card(int index, const char *name, bool carrier)
{
	struct nlmsghdr *link = kernel_link(index, name, IFF_UP);

	mnl_attr_put_u8(link, IFLA_CARRIER, carrier);
	return link;
}

/* A default route; the caller may put more. */
static struct nlmsghdr *tell_route(int index, uint32_t metric)
{
	const struct rtmsg header = { .rtm_family = AF_INET,
				      .rtm_table = RT_TABLE_MAIN,
				      .rtm_type = RTN_UNICAST };
	struct nlmsghdr *route = kernel_tell(RTM_GETROUTE, RTM_NEWROUTE, &header, sizeof(header));

	if (index)
		mnl_attr_put_u32(route, RTA_OIF, (uint32_t)index);
	if (metric)
		mnl_attr_put_u32(route, RTA_PRIORITY, metric);
	return route;
}

/* nl80211 is there, and says that of every card: 0 it knows it, or an error. */
static void tell_wireless(int error)
{
	const struct genlmsghdr header = { .cmd = CTRL_CMD_NEWFAMILY };
	struct nlmsghdr *family = kernel_tell(GENL_ID_CTRL, GENL_ID_CTRL, &header, sizeof(header));

	mnl_attr_put_strz(family, CTRL_ATTR_FAMILY_NAME, NL80211_GENL_NAME);
	mnl_attr_put_u16(family, CTRL_ATTR_FAMILY_ID, WIRELESS_FAMILY);
	kernel_refuse(WIRELESS_FAMILY, error);
}

static void have(void)
{
	kernel_reset();
	policy = (struct policy){ .attach_auto = true };
}

static int make_plan(const char *bridge)
{
	outcome = (struct outcome){ .code = OUTCOME_OK };
	return uplink_plan(&kernel_nl, &kernel_generic, &policy, bridge, &plan, &outcome);
}

static void check_plan(enum attach attach, int index)
{
	ck_assert_msg(make_plan("") == 0, "%s", outcome.what);
	ck_assert_int_eq(plan.attach, attach);
	ck_assert_int_eq(plan.uplink.index, index);
}

static void check_refused(enum outcome_code code, const char *what)
{
	ck_assert_int_eq(make_plan(""), -1);
	ck_assert_int_eq(outcome.code, code);
	ck_assert_msg(strstr(outcome.what, what) != NULL, "%s", outcome.what);
}

START_TEST(test_lowest_metric_has_the_default_route)
{
	have();
	tell_card(ETH, "eth0", true);
	tell_card(OTHER, "eth1", true);
	tell_route(ETH, 200);
	tell_route(OTHER, 100);
	tell_route(ETH, 150);
	check_plan(ATTACH_PATCH, OTHER);
	ck_assert_str_eq(plan.chosen, "it has the default route");
	have();
	tell_card(ETH, "eth0", true);
	tell_card(OTHER, "eth1", true);
	tell_route(ETH, 0); /* none is the lowest, and the first of two counts */
	tell_route(OTHER, 0);
	check_plan(ATTACH_PATCH, ETH);
	have();
	tell_card(ETH, "eth0", true);
	tell_card(OTHER, "eth1", true);
	tell_route(ETH, 1);
	tell_route(OTHER, 0);
	check_plan(ATTACH_PATCH, OTHER);
}
END_TEST

START_TEST(test_default_route_may_have_several_ways)
{
	const struct rtnexthop hops[] = { { .rtnh_len = sizeof(hops[0]), .rtnh_ifindex = OTHER },
					  { .rtnh_len = sizeof(hops[0]), .rtnh_ifindex = ETH } };

	have();
	tell_card(ETH, "eth0", true);
	tell_card(OTHER, "eth1", true);
	mnl_attr_put(tell_route(0, 0), RTA_MULTIPATH, sizeof(hops), hops);
	check_plan(ATTACH_PATCH, OTHER);
	have();
	tell_card(ETH, "eth0", true);
	tell_card(OTHER, "eth1", true);
	mnl_attr_put(tell_route(0, 0), RTA_MULTIPATH, sizeof(hops[0]), hops);
	check_plan(ATTACH_PATCH, OTHER);
	have();
	tell_card(ETH, "eth0", true);
	tell_card(OTHER, "eth1", true);
	mnl_attr_put(tell_route(0, 0), RTA_MULTIPATH, sizeof(hops[0]) - 1, hops);
	check_plan(ATTACH_PATCH, ETH); /* the first with a carrier */
	ck_assert_str_eq(plan.chosen, "it is wired and has a carrier");
}
END_TEST

START_TEST(test_routes_that_are_no_default_route_do_not_count)
{
	struct rtmsg *header;

	have();
	tell_card(ETH, "eth0", true);
	tell_card(OTHER, "eth1", true);
	header = mnl_nlmsg_get_payload(tell_route(OTHER, 0));
	header->rtm_dst_len = 24;
	header = mnl_nlmsg_get_payload(tell_route(OTHER, 0));
	header->rtm_table = RT_TABLE_LOCAL;
	header = mnl_nlmsg_get_payload(tell_route(OTHER, 0));
	header->rtm_type = RTN_BLACKHOLE;
	tell_route(OTHER, 0)->nlmsg_type = RTM_DELROUTE;
	kernel_tell(RTM_GETROUTE, RTM_NEWROUTE, "cut", 4);
	tell_route(0, 0); /* nowhere */
	check_plan(ATTACH_PATCH, ETH);
	ck_assert_str_eq(plan.chosen, "it is wired and has a carrier");
	tell_route(OTHER, 0);
	check_plan(ATTACH_PATCH, OTHER);
}
END_TEST

START_TEST(test_kernel_without_a_family_has_no_route_of_it)
{
	static const int errors[] = { -EAFNOSUPPORT, -EOPNOTSUPP };

	for (size_t i = 0; i < COUNT(errors); i++) {
		have();
		tell_card(ETH, "eth0", true);
		kernel_refuse(RTM_GETROUTE, errors[i]);
		check_plan(ATTACH_PATCH, ETH);
	}
	have();
	kernel_refuse(RTM_GETROUTE, -EPERM);
	check_refused(OUTCOME_SYSTEM, "looking for the uplink: Operation not permitted");
}
END_TEST

START_TEST(test_wireless_card_with_the_default_route_serves_this_host)
{
	have();
	tell_card(WLAN, "wlan0", true);
	tell_route(WLAN, 0);
	tell_wireless(0);
	check_plan(ATTACH_HOST, WLAN);
	ck_assert_str_eq(plan.why, "wlan0 is wireless and cannot be bridged");
}
END_TEST

START_TEST(test_what_nl80211_does_not_know_is_wired)
{
	static const int unknown[] = { -ENODEV, -EINVAL, -ENOENT };

	for (size_t i = 0; i < COUNT(unknown); i++) {
		have();
		tell_card(ETH, "eth0", true);
		tell_route(ETH, 0);
		tell_wireless(unknown[i]);
		check_plan(ATTACH_PATCH, ETH);
		ck_assert(plan.wired);
	}
	have();
	tell_card(ETH, "eth0", true);
	tell_route(ETH, 0);
	tell_wireless(-EPERM);
	check_refused(OUTCOME_SYSTEM, "nl80211 about eth0: Operation not permitted");
	have();
	tell_card(ETH, "eth0", true);
	tell_route(ETH, 0);
	kernel_refuse(GENL_ID_CTRL, -EPERM);
	check_refused(OUTCOME_SYSTEM, "nl80211 about eth0: Operation not permitted");
	/* also a card that is named */
	strcpy(policy.uplink, "eth0");
	check_refused(OUTCOME_SYSTEM, "nl80211 about eth0");
}
END_TEST

START_TEST(test_wireless_cards_are_not_taken_for_idle_ones)
{
	have();
	tell_card(WLAN, "wlan0", true);
	tell_wireless(0);
	check_plan(ATTACH_NONE, 0);
	ck_assert_str_eq(plan.why, "there is no network card with a default route or a carrier");
	ck_assert_str_eq(plan.chosen, "");
}
END_TEST

START_TEST(test_idle_card_is_hardware_with_a_carrier_or_what_stands_for_it)
{
	struct ifinfomsg *header;
	struct nlmsghdr *link;

	have();
	tell_card(10, "down", false);
	mnl_attr_put_u32(tell_card(11, "port", true), IFLA_MASTER, BRIDGE);
	kernel_kind(tell_card(12, "vlan", true), "vlan", NULL);
	kernel_kind(tell_card(13, "tun", true), "tun", NULL);
	kernel_kind(tell_card(14, "pair", true), "veth", NULL);
	header = mnl_nlmsg_get_payload(tell_card(15, "lo", true));
	header->ifi_flags |= IFF_LOOPBACK;
	header = mnl_nlmsg_get_payload(tell_card(16, "ppp", true));
	header->ifi_type = ARPHRD_PPP;
	check_plan(ATTACH_NONE, 0);
	link = tell_card(17, "bond0", true);
	kernel_kind(link, "bond", NULL);
	check_plan(ATTACH_PATCH, 17);
	have();
	link = tell_card(18, "eth0", true);
	kernel_kind(link, "veth", NULL);
	mnl_attr_put_u32(link, IFLA_LINK_NETNSID, 0);
	check_plan(ATTACH_PATCH, 18);
	/* of very many cards some are looked at */
	have();
	for (int i = 0; i < 40; i++)
		tell_card(100 + i, "eth", true);
	check_plan(ATTACH_PATCH, 100);
}
END_TEST

START_TEST(test_tunnel_with_the_default_route_is_no_card)
{
	have();
	kernel_kind(tell_card(OTHER, "vpn0", true), "tun", NULL);
	tell_route(OTHER, 0);
	check_plan(ATTACH_NONE, 0);
	tell_card(ETH, "eth0", true);
	check_plan(ATTACH_PATCH, ETH);
	/* and one whose interface has just gone is none */
	have();
	tell_route(77, 0);
	check_plan(ATTACH_NONE, 0);
	kernel_refuse(RTM_GETLINK, -EPERM);
	check_refused(OUTCOME_SYSTEM, "looking for the uplink");
	have(); /* nor is there any where the list does not come */
	kernel_refuse(RTM_GETLINK, -EPERM);
	check_refused(OUTCOME_SYSTEM, "looking for the uplink");
}
END_TEST

START_TEST(test_uplink_that_is_named_must_be_there_and_be_ethernet)
{
	struct ifinfomsg *header;

	have();
	strcpy(policy.uplink, "eth0");
	check_refused(OUTCOME_NO_UPLINK, "'uplink eth0'");
	header = mnl_nlmsg_get_payload(tell_card(ETH, "eth0", false));
	check_plan(ATTACH_PATCH, ETH);
	ck_assert_str_eq(plan.chosen, "the policy names it");
	header->ifi_type = ARPHRD_PPP;
	check_refused(OUTCOME_UPLINK_UNFIT, "eth0 is no Ethernet interface");
	policy.uplink[0] = '\0';
	policy.uplink_none = true;
	check_plan(ATTACH_NONE, 0);
	ck_assert_str_eq(plan.why, "the policy says 'uplink none'");
}
END_TEST

static void tell_port(const char *kind_of_master, const char *master)
{
	struct nlmsghdr *link;

	have();
	link = tell_card(ETH, "eth0", true);
	mnl_attr_put_u32(link, IFLA_MASTER, BRIDGE);
	kernel_kind(link, NULL, kind_of_master);
	if (master)
		kernel_kind(tell_card(BRIDGE, master, true), kind_of_master, NULL);
	tell_route(ETH, 0);
}

START_TEST(test_device_of_the_helpers_is_not_the_uplink)
{
	static const char *const names[] = { HUB_NAME, HUB_LAN_NAME, "eth0" };

	for (size_t i = 0; i < COUNT(names); i++) {
		struct nlmsghdr *link;

		have();
		strcpy(policy.uplink, names[i]);
		link = tell_card(ETH, names[i], true);
		if (i == 2)
			mnl_attr_put_strz(link, IFLA_IFALIAS, HUB_ALIAS " uid=7 slot=0 pid=1");
		check_refused(OUTCOME_UPLINK_UNFIT, "is a device of the helper's");
	}
}
END_TEST

START_TEST(test_part_of_a_bond_or_team_is_not_the_uplink)
{
	tell_port("bond", "bond0");
	check_refused(OUTCOME_UPLINK_UNFIT, "eth0 is a part of bond bond0: name that");
	tell_port("team", "team0");
	check_refused(OUTCOME_UPLINK_UNFIT, "eth0 is a part of team team0: name that");
	tell_port("vrf", "vrf0");
	check_plan(ATTACH_PATCH, ETH);
	tell_port("vrf", NULL); /* its master goes just then */
	check_plan(ATTACH_PATCH, ETH);
}
END_TEST

START_TEST(test_port_of_a_bridge_joins_where_a_line_allows_it)
{
	tell_port("bridge", "br0");
	check_plan(ATTACH_HOST, BRIDGE);
	ck_assert_ptr_nonnull(strstr(plan.why, "eth0 is a port of bridge br0, which no 'join'"));
	strcpy(policy.join[policy.join_count++], "br0");
	check_plan(ATTACH_JOIN, BRIDGE);
	/* 'attach patch' cannot be had there */
	policy.attach_auto = false;
	policy.attach = ATTACH_PATCH;
	check_refused(OUTCOME_UPLINK_UNFIT, "does not fit: the uplink is a port of a bridge");
	policy.join_count = 0;
	check_refused(OUTCOME_UPLINK_UNFIT, "does not fit: eth0 is a port of bridge br0");
	have();
	kernel_kind(tell_card(BRIDGE, "br0", true), "bridge", NULL);
	tell_route(BRIDGE, 0);
	check_plan(ATTACH_HOST, BRIDGE);
	ck_assert_ptr_nonnull(strstr(plan.why, "br0 is the bridge br0, which no 'join'"));
}
END_TEST

START_TEST(test_bridge_that_is_named_must_be_one_that_a_line_names)
{
	have();
	tell_card(ETH, "eth0", true);
	kernel_kind(tell_card(BRIDGE, "br0", true), "bridge", NULL);
	strcpy(policy.join[policy.join_count++], "eth0");
	ck_assert_int_eq(make_plan("br1"), -1);
	ck_assert_str_eq(outcome.what, "bridge br1: No such device");
	ck_assert_int_eq(make_plan("eth0"), -1);
	ck_assert_str_eq(outcome.what, "eth0 is no bridge");
	ck_assert_int_eq(make_plan("br0"), -1);
	ck_assert_str_eq(outcome.what, "br0 is named by no 'join' line");
	ck_assert_int_eq(outcome.code, OUTCOME_BRIDGE_REFUSED);
	strcpy(policy.join[policy.join_count++], "br0");
	ck_assert_int_eq(make_plan("br0"), 0);
	ck_assert(plan.attach == ATTACH_JOIN && plan.uplink.index == BRIDGE);
}
END_TEST

START_TEST(test_attach_by_name_is_had_or_refused)
{
	have();
	policy.attach_auto = false;
	policy.attach = ATTACH_HOST;
	check_refused(OUTCOME_NO_UPLINK, "'attach host'");
	policy.attach = ATTACH_NONE;
	check_plan(ATTACH_NONE, 0);
	ck_assert_str_eq(plan.why, "the policy says 'attach none'");
	tell_card(ETH, "eth0", true);
	check_plan(ATTACH_NONE, 0);
	policy.attach = ATTACH_HOST;
	check_plan(ATTACH_HOST, ETH);
	ck_assert_str_eq(plan.why, "the policy says 'attach host'");
	policy.attach = ATTACH_PATCH;
	check_plan(ATTACH_PATCH, ETH);
	have();
	policy.attach_auto = false;
	policy.attach = ATTACH_PATCH;
	tell_card(WLAN, "wlan0", true);
	tell_route(WLAN, 0);
	tell_wireless(0);
	check_refused(OUTCOME_UPLINK_UNFIT, "does not fit: wlan0 is wireless");
	tell_port("bond", "bond0");
	policy.attach_auto = false;
	policy.attach = ATTACH_PATCH;
	check_refused(OUTCOME_UPLINK_UNFIT, "eth0 is a part of bond");
}
END_TEST

/* 'attach bridge' of a card that is by itself, or a port of what is called @master. */
static void have_spare(const char *master)
{
	struct nlmsghdr *link;

	have();
	policy.attach_auto = false;
	policy.attach = ATTACH_BRIDGE;
	strcpy(policy.uplink, "eth0");
	link = tell_card(ETH, "eth0", true);
	if (master)
		mnl_attr_put_u32(link, IFLA_MASTER, BRIDGE);
	if (master && master[0])
		kernel_kind(tell_card(BRIDGE, master, true), "bridge", NULL);
}

static void tell_address(int index, unsigned char family, unsigned char scope)
{
	const struct ifaddrmsg header = { .ifa_family = family,
					  .ifa_index = (uint32_t)index,
					  .ifa_scope = scope };

	kernel_tell(RTM_GETADDR, RTM_NEWADDR, &header, sizeof(header));
}

START_TEST(test_card_for_a_bridge_must_be_spare)
{
	have_spare(NULL);
	tell_address(OTHER, AF_INET, RT_SCOPE_UNIVERSE);
	tell_address(ETH, AF_INET6, RT_SCOPE_LINK);
	check_plan(ATTACH_BRIDGE, ETH);
	tell_address(ETH, AF_INET6, RT_SCOPE_UNIVERSE);
	check_refused(OUTCOME_UPLINK_UNFIT, "eth0 has addresses");
	have_spare(UPLINK_BRIDGE);
	check_plan(ATTACH_BRIDGE, ETH);
	have_spare("br0");
	check_refused(OUTCOME_UPLINK_UNFIT, "eth0 is a part of br0 already");
	have_spare(""); /* which goes just then */
	check_plan(ATTACH_BRIDGE, ETH);
	have_spare(NULL);
	tell_wireless(0);
	check_refused(OUTCOME_UPLINK_UNFIT, "eth0 is wireless");
	have_spare(NULL);
	policy.uplink[0] = '\0'; /* it may wait for its first address */
	check_refused(OUTCOME_UPLINK_UNFIT, "needs an 'uplink' line");
	have_spare(NULL);
	kernel_refuse(RTM_GETADDR, -EPERM);
	check_refused(OUTCOME_SYSTEM, "the addresses of eth0: Operation not permitted");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_lowest_metric_has_the_default_route,
		test_default_route_may_have_several_ways,
		test_routes_that_are_no_default_route_do_not_count,
		test_kernel_without_a_family_has_no_route_of_it,
		test_wireless_card_with_the_default_route_serves_this_host,
		test_what_nl80211_does_not_know_is_wired,
		test_wireless_cards_are_not_taken_for_idle_ones,
		test_idle_card_is_hardware_with_a_carrier_or_what_stands_for_it,
		test_tunnel_with_the_default_route_is_no_card,
		test_uplink_that_is_named_must_be_there_and_be_ethernet,
		test_device_of_the_helpers_is_not_the_uplink,
		test_part_of_a_bond_or_team_is_not_the_uplink,
		test_port_of_a_bridge_joins_where_a_line_allows_it,
		test_bridge_that_is_named_must_be_one_that_a_line_names,
		test_attach_by_name_is_had_or_refused,
		test_card_for_a_bridge_must_be_spare,
	};

	return run_tests("host/uplink", tests, COUNT(tests));
}
