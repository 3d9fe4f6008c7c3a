/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tc.c: see tc.h. Relies on nl.h. Never uses NLM_F_EXCL for a filter: a rerun must repair and
 * double nothing. Never removes or replaces a qdisc that is not an empty clsact.
 */
#include "tc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#define REMOVE_TRIES 100

struct tc_walk {
	tc_each_fn *each;
	void *user;
	struct tc_place place;
	int result;
};

/* What is at the place of clsact on interface @index, or on all where that is 0. */
struct tc_qdiscs {
	int index, *list;
	size_t count, max;
	bool clsact, other, shared;
};

static uint32_t parent_of(enum tc_direction direction)
{
	return TC_H_MAKE(TC_H_CLSACT, direction == TC_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

static int on_qdisc(const struct nlmsghdr *message, void *user)
{
	const struct tcmsg *header = nl_payload(message, sizeof(*header));
	const struct nlattr *attr;
	struct tc_qdiscs *found = user;
	bool clsact = false;

	/* ingress and clsact both sit at this parent, and nothing else does */
	if (message->nlmsg_type != RTM_NEWQDISC || !header ||
	    (found->index && header->tcm_ifindex != found->index) ||
	    header->tcm_parent != TC_H_CLSACT)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*header)) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			clsact = nl_is(attr, "clsact");
		if (mnl_attr_get_type(attr) == TCA_INGRESS_BLOCK ||
		    mnl_attr_get_type(attr) == TCA_EGRESS_BLOCK)
			found->shared |= nl_number(attr) != 0;
	}
	found->clsact |= clsact;
	found->other |= !clsact;
	if (clsact && found->count < found->max)
		found->list[found->count++] = header->tcm_ifindex;
	return MNL_CB_OK;
}

static int look_at_qdiscs(struct nl *nl, struct tc_qdiscs *found)
{
	const struct tcmsg header = { .tcm_family = AF_UNSPEC, .tcm_ifindex = found->index };

	nl_begin(nl, RTM_GETQDISC, NLM_F_DUMP, &header, sizeof(header));
	return nl_ask(nl, on_qdisc, found);
}

static int ask_clsact(struct nl *nl, int index, uint16_t type, uint16_t flags)
{
	const struct tcmsg header = { .tcm_family = AF_UNSPEC,
				      .tcm_ifindex = index,
				      .tcm_parent = TC_H_CLSACT,
				      .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0) };
	struct nlmsghdr *message = nl_begin(nl, type, flags, &header, sizeof(header));

	mnl_attr_put_strz(message, TCA_KIND, "clsact");
	return nl_ask(nl, NULL, NULL);
}

int tc_has_clsact(struct nl *nl, int index)
{
	struct tc_qdiscs found = { .index = index };
	int err = look_at_qdiscs(nl, &found);

	return err ? err : found.other ? -EEXIST : found.shared ? -EOPNOTSUPP : found.clsact;
}

int tc_list_clsact(struct nl *nl, int *list, size_t max)
{
	struct tc_qdiscs found = { .list = list, .max = max };
	int err = look_at_qdiscs(nl, &found);

	return err ? err : (int)found.count;
}

int tc_ensure_clsact(struct nl *nl, int index)
{
	int err = ask_clsact(nl, index, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);

	if (err == -EEXIST)
		err = tc_has_clsact(nl, index);
	return err < 0 ? err : 0;
}

static struct tc_mirred mirred_of(const struct tc_action *action)
{
	const bool in = action->direction == TC_INGRESS, take = action->kind == TC_REDIRECT;

	return (struct tc_mirred){
		.ifindex = (uint32_t)action->index,
		.eaction = in && take ? TCA_INGRESS_REDIR :
			   in	      ? TCA_INGRESS_MIRROR :
			   take	      ? TCA_EGRESS_REDIR :
					TCA_EGRESS_MIRROR,
		.action = take			       ? TC_ACT_STOLEN :
			  action->kind == TC_MIRROR    ? TC_ACT_PIPE :
			  action->kind == TC_MIRROR_ON ? TC_ACT_UNSPEC :
							 TC_ACT_OK,
	};
}

static void put_action(struct nlmsghdr *message, const struct tc_action *action, uint16_t n)
{
	const struct tc_mirred mirred = mirred_of(action);
	struct nlattr *outer = mnl_attr_nest_start(message, n), *options;

	mnl_attr_put_strz(message, TCA_ACT_KIND, "mirred");
	options = mnl_attr_nest_start(message, TCA_ACT_OPTIONS);
	mnl_attr_put(message, TCA_MIRRED_PARMS, sizeof(mirred), &mirred);
	mnl_attr_nest_end(message, options);
	mnl_attr_nest_end(message, outer);
}

/* What a filter is to be, and whether it is that already. */
struct wanted {
	const struct program *program;
	const struct tc_action *actions;
	bool stands;
};

/* The attribute of that type at the start of a nest, or NULL. */
static const struct nlattr *nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	if (nest)
		mnl_attr_for_each_nested(attr, nest)
			if (mnl_attr_get_type(attr) == type)
				return attr;
	return NULL;
}

static bool is_mirred(const struct nlattr *action, const struct tc_action *wanted)
{
	const struct nlattr *kind = nested(action, TCA_ACT_KIND);
	const struct nlattr *parms = nested(nested(action, TCA_ACT_OPTIONS), TCA_MIRRED_PARMS);
	const struct tc_mirred m = mirred_of(wanted);
	struct tc_mirred is;

	if (!kind || !nl_is(kind, "mirred") || !parms ||
	    mnl_attr_get_payload_len(parms) < sizeof(is))
		return false;
	memcpy(&is, mnl_attr_get_payload(parms), sizeof(is));
	return is.ifindex == m.ifindex && is.eaction == m.eaction && is.action == m.action;
}

static bool has_actions(const struct nlattr *list, const struct tc_action *wanted)
{
	const struct nlattr *attr;

	if (list)
		mnl_attr_for_each_nested(attr, list)
			if (wanted->kind == TC_END || !is_mirred(attr, wanted++))
				return false;
	return wanted->kind == TC_END;
}

static int on_standing(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attr, *kind = NULL, *options = NULL, *code, *flags;
	struct wanted *wanted = user;
	const size_t len = wanted->program->len * sizeof(wanted->program->code[0]);

	if (message->nlmsg_type != RTM_NEWTFILTER || !nl_payload(message, sizeof(struct tcmsg)))
		return MNL_CB_STOP;
	mnl_attr_for_each(attr, message, sizeof(struct tcmsg)) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			kind = attr;
		if (mnl_attr_get_type(attr) == TCA_OPTIONS)
			options = attr;
	}
	code = nested(options, TCA_BPF_OPS);
	flags = nested(options, TCA_BPF_FLAGS);
	wanted->stands = kind && nl_is(kind, "bpf") && code &&
			 mnl_attr_get_payload_len(code) == len &&
			 memcmp(mnl_attr_get_payload(code), wanted->program->code, len) == 0 &&
			 (flags ? nl_number(flags) : 0) ==
				 (wanted->program->direct ? TCA_BPF_FLAG_ACT_DIRECT : 0) &&
			 has_actions(nested(options, TCA_BPF_ACT), wanted->actions);
	return MNL_CB_STOP;
}

static struct tcmsg filter_header(struct tc_place place)
{
	return (struct tcmsg){ .tcm_family = AF_UNSPEC,
			       .tcm_ifindex = place.index,
			       .tcm_handle = place.handle,
			       .tcm_parent = parent_of(place.direction),
			       .tcm_info = TC_H_MAKE((uint32_t)place.preference << 16,
						     htons(ETH_P_ALL)) };
}

/* The kernel's words for: no filter, preference, clsact or interface, or one that takes none. */
static bool means_none(int err)
{
	return err == -ENOENT || err == -EINVAL || err == -ENODEV || err == -EOPNOTSUPP;
}

/*
 * Looking costs the kernel a fourth of replacing. An action whose interface has gone, or moved to
 * another namespace, names no interface any more, and so is seen.
 */
int tc_stands(struct nl *nl, const struct tc_filter *filter)
{
	const struct program program = program_make(filter->program, &filter->mac);
	const struct tcmsg header = filter_header(filter->place);
	struct wanted wanted = { .program = &program, .actions = filter->actions };
	struct nlmsghdr *message = nl_begin(nl, RTM_GETTFILTER, 0, &header, sizeof(header));
	int err;

	message->nlmsg_flags &= (uint16_t)~NLM_F_ACK; /* the one answer ends it */
	mnl_attr_put_strz(message, TCA_KIND, "bpf");
	err = nl_ask(nl, on_standing, &wanted);
	return err && !means_none(err) ? err : !err && wanted.stands;
}

int tc_put(struct nl *nl, const struct tc_filter *filter)
{
	const struct program program = program_make(filter->program, &filter->mac);
	const struct tcmsg header = filter_header(filter->place);
	struct nlattr *options, *list;
	struct nlmsghdr *message =
		nl_begin(nl, RTM_NEWTFILTER, NLM_F_CREATE, &header, sizeof(header));

	mnl_attr_put_strz(message, TCA_KIND, "bpf");
	options = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put_u16(message, TCA_BPF_OPS_LEN, program.len);
	mnl_attr_put(message, TCA_BPF_OPS, program.len * sizeof(program.code[0]), program.code);
	if (program.direct)
		mnl_attr_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	if (filter->actions[0].kind != TC_END) {
		list = mnl_attr_nest_start(message, TCA_BPF_ACT);
		for (uint16_t n = 0; filter->actions[n].kind != TC_END; n++)
			put_action(message, &filter->actions[n], n + 1);
		mnl_attr_nest_end(message, list);
	}
	mnl_attr_nest_end(message, options);
	return nl_ask(nl, NULL, NULL);
}

int tc_ensure(struct nl *nl, const struct tc_filter *filter)
{
	if (filter->absent)
		return tc_remove(nl, filter->place);
	/* what cannot be looked at is written: that says best what is the matter */
	return tc_stands(nl, filter) == 1 ? 0 : tc_put(nl, filter);
}

int tc_each_of(struct nl *nl, const struct tc_filters *filters, tc_filter_fn *function)
{
	int err = 0;

	for (size_t i = 0; !err && i < filters->count; i++)
		err = function(nl, &filters->filter[i]);
	return err;
}

int tc_remove(struct nl *nl, struct tc_place place)
{
	const struct tcmsg header = filter_header(place);
	struct nlmsghdr *message = nl_begin(nl, RTM_DELTFILTER, 0, &header, sizeof(header));
	int err;

	mnl_attr_put_strz(message, TCA_KIND, "bpf");
	err = nl_ask(nl, NULL, NULL);
	return means_none(err) ? 0 : err;
}

int tc_remove_all(struct nl *nl, const struct tc_filters *filters)
{
	int err = 0;

	for (size_t i = filters->count; !err && i-- > 0;)
		err = tc_remove(nl, filters->filter[i].place);
	return err;
}

static int on_filter(const struct nlmsghdr *message, void *user)
{
	const struct tcmsg *header = nl_payload(message, sizeof(*header));
	struct tc_walk *walk = user;

	if (message->nlmsg_type != RTM_NEWTFILTER || !header || walk->result)
		return MNL_CB_OK;
	walk->place.preference = (uint16_t)(TC_H_MAJ(header->tcm_info) >> 16);
	walk->place.handle = header->tcm_handle;
	walk->result = walk->each(&walk->place, walk->user);
	return MNL_CB_OK;
}

int tc_each(struct nl *nl, int index, enum tc_direction direction, tc_each_fn *each, void *user)
{
	const struct tcmsg header = { .tcm_family = AF_UNSPEC,
				      .tcm_ifindex = index,
				      .tcm_parent = parent_of(direction) };
	struct tc_walk walk = { .each = each,
				.user = user,
				.place = { .index = index, .direction = direction } };
	int err;

	nl_begin(nl, RTM_GETTFILTER, NLM_F_DUMP, &header, sizeof(header));
	err = nl_ask(nl, on_filter, &walk);
	return err ? err : walk.result;
}

static int any_filter(const struct tc_place *place, void *user)
{
	(void)place;
	(void)user;
	return 1;
}

static int try_remove_empty_clsact(struct nl *nl, int index)
{
	struct tc_qdiscs found = { .index = index };
	int err = look_at_qdiscs(nl, &found);

	for (enum tc_direction d = TC_INGRESS; !err && found.clsact && d <= TC_EGRESS; d++)
		err = tc_each(nl, index, d, any_filter, NULL);
	if (err < 0)
		return err;
	return err || !found.clsact ? 0 : ask_clsact(nl, index, RTM_DELQDISC, 0);
}

/*
 * Who asks for a filter of the card's, as anybody may, keeps its clsact in use until he has the
 * answer; and who does nothing else, with several processes, nearly always: so not for ever.
 */
int tc_remove_empty_clsact(struct nl *nl, int index)
{
	int err = -EBUSY;

	for (int tries = 0; err == -EBUSY && tries < REMOVE_TRIES; tries++)
		err = try_remove_empty_clsact(nl, index);
	return err == -EBUSY ? -EAGAIN : err;
}
