/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * counters.c: see counters.h. Relies on nl.h; changes nothing.
 */
#include "counters.h"

#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

struct counting {
	int index;
	struct counters *counters;
};

static int on_link(const struct nlmsghdr *message, void *user)
{
	const struct counting *counting = user;
	const struct nlattr *attr;
	uint64_t packets[2]; /* IFLA_STATS64 begins with rx_packets, tx_packets */

	if (message->nlmsg_type != RTM_NEWLINK || !nl_payload(message, sizeof(struct ifinfomsg)))
		return MNL_CB_STOP;
	mnl_attr_for_each(attr, message, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) != IFLA_STATS64 ||
		    mnl_attr_get_payload_len(attr) < sizeof(packets))
			continue;
		memcpy(packets, mnl_attr_get_payload(attr), sizeof(packets));
		counting->counters->received = packets[0];
		counting->counters->sent = packets[1];
	}
	return MNL_CB_STOP;
}

static void read_stats(const struct nlattr *stats, struct counters *counters)
{
	const struct nlattr *attr;
	struct gnet_stats_queue queue;

	mnl_attr_for_each_nested(attr, stats) {
		if (mnl_attr_get_type(attr) != TCA_STATS_QUEUE ||
		    mnl_attr_get_payload_len(attr) < sizeof(queue))
			continue;
		memcpy(&queue, mnl_attr_get_payload(attr), sizeof(queue));
		counters->dropped = queue.drops;
	}
}

static int on_qdisc(const struct nlmsghdr *message, void *user)
{
	const struct tcmsg *header = nl_payload(message, sizeof(*header));
	const struct nlattr *attr, *kind = NULL, *stats = NULL;
	const struct counting *counting = user;

	if (message->nlmsg_type != RTM_NEWQDISC || !header ||
	    header->tcm_ifindex != counting->index || header->tcm_parent != TC_H_CLSACT)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*header)) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			kind = attr;
		if (mnl_attr_get_type(attr) == TCA_STATS2)
			stats = attr;
	}
	if (kind && nl_is(kind, "clsact") && stats)
		read_stats(stats, counting->counters);
	return MNL_CB_OK;
}

int counters_read(struct nl *nl, int index, struct counters *counters)
{
	const struct ifinfomsg link = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	const struct tcmsg qdiscs = { .tcm_family = AF_UNSPEC, .tcm_ifindex = index };
	struct counting counting = { .index = index, .counters = counters };
	struct nlmsghdr *message = nl_begin(nl, RTM_GETLINK, 0, &link, sizeof(link));
	int err;

	memset(counters, 0, sizeof(*counters));
	message->nlmsg_flags &= (uint16_t)~NLM_F_ACK; /* the one answer ends it */
	err = nl_ask(nl, on_link, &counting);
	if (err)
		return err;
	nl_begin(nl, RTM_GETQDISC, NLM_F_DUMP, &qdiscs, sizeof(qdiscs));
	return nl_ask(nl, on_qdisc, &counting);
}
