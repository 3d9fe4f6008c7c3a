/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.c: see link.h. Relies on nl.h. Never touches an address, route, rule or sysctl: there
 * is no code for it here or elsewhere in the helper, but for link_has_address(), which reads.
 */
#include "link.h"

#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

struct link_walk {
	link_each_fn *each;
	void *user;
	int index, other;
	int result;
};

/* A string attribute, only if it fits with its NUL: a name cut short is another name. */
static void copy_string(const struct nlattr *attr, char *to, size_t size)
{
	size_t len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	if (len < size) {
		memcpy(to, mnl_attr_get_payload(attr), len);
		to[len] = '\0';
	}
}

static void read_info(const struct nlattr *info, struct link *link)
{
	const struct nlattr *attr, *data;

	mnl_attr_for_each_nested(attr, info) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_INFO_KIND:
			copy_string(attr, link->kind, sizeof(link->kind));
			break;
		case IFLA_INFO_SLAVE_KIND:
			copy_string(attr, link->port_of, sizeof(link->port_of));
			break;
		case IFLA_INFO_DATA:
			if (strcmp(link->kind, "tun") != 0)
				break;
			mnl_attr_for_each_nested(data, attr)
				if (mnl_attr_get_type(data) == IFLA_TUN_PERSIST)
					link->leftover = nl_number(data);
			break;
		}
	}
}

/* Where there is no IPv6 on it, nothing is said of it. */
static void read_families(const struct nlattr *families, struct link *link)
{
	const struct nlattr *family, *attr;

	mnl_attr_for_each_nested(family, families)
		if (mnl_attr_get_type(family) == AF_INET6)
			mnl_attr_for_each_nested(attr, family)
				if (mnl_attr_get_type(attr) == IFLA_INET6_ADDR_GEN_MODE)
					link->speaks = nl_number(attr) != IN6_ADDR_GEN_MODE_NONE;
}

static void read_link(const struct nlmsghdr *message, const struct ifinfomsg *header,
		      struct link *link)
{
	const struct nlattr *attr;

	memset(link, 0, sizeof(*link));
	link->index = header->ifi_index;
	link->hardware = header->ifi_type;
	link->flags = header->ifi_flags;
	mnl_attr_for_each(attr, message, sizeof(*header)) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			copy_string(attr, link->name, sizeof(link->name));
			break;
		case IFLA_IFALIAS:
			copy_string(attr, link->alias, sizeof(link->alias));
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attr) == MAC_LEN)
				memcpy(link->mac.byte, mnl_attr_get_payload(attr), MAC_LEN);
			break;
		case IFLA_MASTER:
			link->master = (int)nl_number(attr);
			break;
		case IFLA_LINK:
			link->peer = (int)nl_number(attr);
			break;
		case IFLA_LINK_NETNSID:
			link->elsewhere = true;
			break;
		case IFLA_CARRIER:
			link->carrier = nl_number(attr);
			break;
		case IFLA_LINKINFO:
			read_info(attr, link);
			break;
		case IFLA_AF_SPEC:
			read_families(attr, link);
			break;
		}
	}
}

static int on_link(const struct nlmsghdr *message, void *user)
{
	const struct ifinfomsg *header = nl_payload(message, sizeof(*header));
	struct link_walk *walk = user;
	struct link link;

	if (message->nlmsg_type != RTM_NEWLINK || !header || walk->result)
		return MNL_CB_OK;
	read_link(message, header, &link);
	walk->result = walk->each(&link, walk->user);
	return MNL_CB_OK;
}

static int on_one_link(const struct nlmsghdr *message, void *user)
{
	on_link(message, user);
	return MNL_CB_STOP;
}

static int copy_link(const struct link *link, void *user)
{
	memcpy(user, link, sizeof(*link));
	return 0;
}

int link_find(struct nl *nl, const char *name, int index, struct link *link)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = name ? 0 : index };
	struct link_walk walk = { .each = copy_link, .user = link };
	struct nlmsghdr *message = nl_begin(nl, RTM_GETLINK, 0, &header, sizeof(header));
	int err;

	memset(link, 0, sizeof(*link));
	message->nlmsg_flags &= (uint16_t)~NLM_F_ACK; /* the one answer ends it */
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (name)
		mnl_attr_put_strz(message, IFLA_IFNAME, name);
	err = nl_ask(nl, on_one_link, &walk);
	return err ? err : link->index ? 0 : -ENODEV;
}

int link_each(struct nl *nl, const char *kind, link_each_fn *each, void *user)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *message = nl_begin(nl, RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header));
	struct link_walk walk = { .each = each, .user = user };
	struct nlattr *info;
	int err;

	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (kind) {
		info = mnl_attr_nest_start(message, IFLA_LINKINFO);
		mnl_attr_put_str(message, IFLA_INFO_KIND, kind);
		mnl_attr_nest_end(message, info);
	}
	err = nl_ask(nl, on_link, &walk);
	return err ? err : walk.result;
}

/* NOLINTNEXTLINE(misc-no-recursion): once, without .quiet */
int link_set(struct nl *nl, int index, const struct link_change *change)
{
	const struct ifinfomsg header = { .ifi_index = index,
					  .ifi_flags = change->flags,
					  .ifi_change = change->mask };
	struct nlmsghdr *message = nl_begin(nl, RTM_NEWLINK, 0, &header, sizeof(header));
	struct nlattr *families, *family;
	int err;

	if (change->mac)
		mnl_attr_put(message, IFLA_ADDRESS, MAC_LEN, change->mac->byte);
	if (change->alias)
		mnl_attr_put_str(message, IFLA_IFALIAS, change->alias);
	if (change->move)
		mnl_attr_put_u32(message, IFLA_MASTER, (uint32_t)change->master);
	if (change->quiet) {
		families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
		family = mnl_attr_nest_start(message, AF_INET6);
		mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
		mnl_attr_nest_end(message, family);
		mnl_attr_nest_end(message, families);
	}
	err = nl_ask(nl, NULL, NULL);
	/* a kernel without IPv6 gives no IPv6 address either */
	if (change->quiet && err == -EAFNOSUPPORT) {
		struct link_change rest = *change;

		rest.quiet = false;
		return link_set(nl, index, &rest);
	}
	return err;
}

int link_ensure(struct nl *nl, struct link *link, const struct link_change *change)
{
	int err;

	if ((!change->mac || mac_equal(&link->mac, change->mac)) &&
	    (!change->alias || strcmp(link->alias, change->alias) == 0) &&
	    (!change->move || link->master == change->master) &&
	    !((link->flags ^ change->flags) & change->mask) && !(change->quiet && link->speaks))
		return 0;
	err = link_set(nl, link->index, change);
	return err ? err : link_find(nl, NULL, link->index, link);
}

int link_create_pair(struct nl *nl, const char *name, const char *peer, const struct mac *mark)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *message =
		nl_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	struct nlattr *info, *data, *other;

	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put(message, IFLA_ADDRESS, MAC_LEN, mark->byte);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_str(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(message, VETH_INFO_PEER);
	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(header)), &header, sizeof(header));
	mnl_attr_put_strz(message, IFLA_IFNAME, peer);
	mnl_attr_nest_end(message, other);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	return nl_ask(nl, NULL, NULL);
}

int link_create_bridge(struct nl *nl, const char *name, const struct mac *mark)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *message =
		nl_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	struct nlattr *info, *data;

	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put(message, IFLA_ADDRESS, MAC_LEN, mark->byte);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_str(message, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	mnl_attr_put_u32(message, IFLA_BR_STP_STATE, 0);
	mnl_attr_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	return nl_ask(nl, NULL, NULL);
}

int link_delete(struct nl *nl, int index)
{
	const struct ifinfomsg header = { .ifi_index = index };

	nl_begin(nl, RTM_DELLINK, 0, &header, sizeof(header));
	return nl_ask(nl, NULL, NULL);
}

int link_finish_frames(struct nl *generic, int index)
{
	const struct genlmsghdr header = { .cmd = ETHTOOL_MSG_FEATURES_SET };
	struct nlattr *device, *wanted, *bits, *bit;
	struct nlmsghdr *message;
	uint16_t family;
	int err = nl_find_family(generic, ETHTOOL_GENL_NAME, &family);

	if (err)
		return err;
	message = nl_begin(generic, family, 0, &header, sizeof(header));
	device = mnl_attr_nest_start(message, ETHTOOL_A_FEATURES_HEADER);
	mnl_attr_put_u32(message, ETHTOOL_A_HEADER_DEV_INDEX, (uint32_t)index);
	mnl_attr_put_u32(message, ETHTOOL_A_HEADER_FLAGS, ETHTOOL_FLAG_OMIT_REPLY);
	mnl_attr_nest_end(message, device);
	wanted = mnl_attr_nest_start(message, ETHTOOL_A_FEATURES_WANTED);
	bits = mnl_attr_nest_start(message, ETHTOOL_A_BITSET_BITS);
	bit = mnl_attr_nest_start(message, ETHTOOL_A_BITSET_BITS_BIT);
	/* named without a value: off; segmentation goes with it */
	mnl_attr_put_strz(message, ETHTOOL_A_BITSET_BIT_NAME, "tx-checksum-ip-generic");
	mnl_attr_nest_end(message, bit);
	mnl_attr_nest_end(message, bits);
	mnl_attr_nest_end(message, wanted);
	return nl_ask(generic, NULL, NULL);
}

int link_accept(struct nl *nl, int index, const struct mac *mac, bool add)
{
	const struct ndmsg header = { .ndm_family = AF_BRIDGE,
				      .ndm_ifindex = index,
				      .ndm_state = NUD_PERMANENT,
				      .ndm_flags = NTF_SELF };
	struct nlmsghdr *message = nl_begin(nl, add ? RTM_NEWNEIGH : RTM_DELNEIGH,
					    add ? NLM_F_CREATE | NLM_F_REPLACE : 0, &header,
					    sizeof(header));

	mnl_attr_put(message, NDA_LLADDR, MAC_LEN, mac->byte);
	return nl_ask(nl, NULL, NULL);
}

struct accepted {
	int index;
	const struct mac *like;
	struct mac *list;
	int count, max;
};

static int on_accepted(const struct nlmsghdr *message, void *user)
{
	const struct ndmsg *header = nl_payload(message, sizeof(*header));
	struct accepted *accepted = user;
	const struct nlattr *attr;
	struct mac mac;

	if (message->nlmsg_type != RTM_NEWNEIGH || !header ||
	    header->ndm_ifindex != accepted->index || !(header->ndm_flags & NTF_SELF))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*header)) {
		if (mnl_attr_get_type(attr) != NDA_LLADDR ||
		    mnl_attr_get_payload_len(attr) != MAC_LEN)
			continue;
		memcpy(mac.byte, mnl_attr_get_payload(attr), MAC_LEN);
		if (mac_same_host(&mac, accepted->like) && accepted->count < accepted->max)
			accepted->list[accepted->count++] = mac;
	}
	return MNL_CB_OK;
}

int link_list_accepted(struct nl *nl, int index, const struct mac *like, struct mac *list, int max)
{
	const struct ifinfomsg header = { .ifi_family = AF_BRIDGE, .ifi_index = index };
	struct accepted accepted = { index, like, list, 0, max };
	int err;

	nl_begin(nl, RTM_GETNEIGH, NLM_F_DUMP, &header, sizeof(header));
	err = nl_ask(nl, on_accepted, &accepted);
	return err ? err : accepted.count;
}

static int on_address(const struct nlmsghdr *message, void *user)
{
	const struct ifaddrmsg *header = nl_payload(message, sizeof(*header));
	struct link_walk *walk = user;

	if (message->nlmsg_type == RTM_NEWADDR && header &&
	    ((int)header->ifa_index == walk->index || (int)header->ifa_index == walk->other) &&
	    (header->ifa_family != AF_INET6 || header->ifa_scope != RT_SCOPE_LINK))
		walk->result = 1;
	return MNL_CB_OK;
}

int link_has_address(struct nl *nl, int index, int other)
{
	const struct ifaddrmsg header = { .ifa_family = AF_UNSPEC };
	struct link_walk walk = { .index = index, .other = other };
	int err;

	nl_begin(nl, RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header));
	err = nl_ask(nl, on_address, &walk);
	return err ? err : walk.result;
}
