/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_netlink.c: the kernel's answers as the helper reads them, and the plan that it makes of
 * them. The kernel is trusted, but an answer that is longer, shorter or odder than today's must not
 * be read beyond its end. The input stands in for the kernel: it is what the sockets give, message
 * by message, with the sequence and port that libmnl wants; when it has ended each answer is an
 * end of list.
 */
#include <errno.h>
#include <net/if.h>
#include <sanitizer/asan_interface.h>

#include "counters.h"
#include "input.h"
#include "link.h"
#include "tc.h"
#include "uplink.h"

enum { PORT = 77, ROUNDS_MAX = 200 };

static struct input kernel;
static struct nl route, generic;
static unsigned int asked;

/* ---- the sockets, in the place of libmnl's ---- */

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *request, size_t len)
{
	const struct nlmsghdr *message = request;

	insist(message->nlmsg_len == len && len <= NL_REQUEST_MAX);
	(void)socket;
	asked++;
	return (ssize_t)len;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *socket)
{
	(void)socket;
	return PORT;
}

static size_t end_of_list(struct nlmsghdr *message)
{
	int32_t result = 0;

	*message = (struct nlmsghdr){ .nlmsg_type = NLMSG_DONE,
				      .nlmsg_len = NLMSG_HDRLEN + sizeof(result) };
	memcpy(message + 1, &result, sizeof(result));
	return message->nlmsg_len;
}

/* An answer to this question; or, where its number is odd, it stays as it is. */
static void give(const struct nl *nl, struct nlmsghdr *message)
{
	if (message->nlmsg_seq & 1)
		return;
	message->nlmsg_seq = nl->sequence;
	message->nlmsg_pid = PORT;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t size)
{
	struct nl *nl = (struct nl *)(void *)((uint8_t *)buffer - offsetof(struct nl, answer));
	struct nlmsghdr *message = buffer;
	const uint8_t *bytes;
	size_t len = 0;
	int left;

	(void)socket;
	ASAN_UNPOISON_MEMORY_REGION(buffer, size);
	if (kernel.left && asked < ROUNDS_MAX) {
		bytes = take_some(&kernel, 252, &len);
		if (!len && take_byte(&kernel) & 1) {
			errno = EAGAIN; /* it took too long */
			return -1;
		}
		len &= ~(size_t)3;
		memcpy(buffer, bytes, len);
	}
	if (len < sizeof(*message))
		len = end_of_list(message);
	left = (int)len;
	while (left >= (int)sizeof(*message)) {
		/* libmnl takes a length from 2^31 on for a small one; no kernel sends that */
		message->nlmsg_len &= INT32_MAX;
		if (!mnl_nlmsg_ok(message, left))
			break;
		give(nl, message);
		message = mnl_nlmsg_next(message, &left);
	}
	/* libmnl pads each message to four bytes; what is behind must not be looked at */
	ASAN_POISON_MEMORY_REGION((uint8_t *)buffer + len, size - len);
	return (ssize_t)len;
}

/* ---- who asks ---- */

static void check_link(const struct link *link)
{
	insist(strnlen(link->name, sizeof(link->name)) < sizeof(link->name));
	insist(strnlen(link->kind, sizeof(link->kind)) < sizeof(link->kind));
	insist(strnlen(link->port_of, sizeof(link->port_of)) < sizeof(link->port_of));
	insist(strnlen(link->alias, sizeof(link->alias)) < sizeof(link->alias));
}

static int each_link(const struct link *link, void *user)
{
	(void)user;
	check_link(link);
	return 0;
}

static int each_filter(const struct tc_place *place, void *user)
{
	insist(place->index == 3 && place->direction == TC_INGRESS);
	(void)user;
	return 0;
}

static void check_plan(struct policy *policy, const char *bridge)
{
	struct outcome outcome = { 0 };
	struct plan plan;

	if (uplink_plan(&route, &generic, policy, bridge, &plan, &outcome)) {
		insist(outcome.code != OUTCOME_OK && outcome.what[0]);
		return;
	}
	check_link(&plan.uplink);
	insist(plan.attach > ATTACH_NO && plan.attach < ATTACH_COUNT);
	if (plan.attach == ATTACH_JOIN)
		insist(policy_may_join(policy, plan.uplink.name) &&
		       strcmp(plan.uplink.kind, "bridge") == 0);
	if (plan.attach == ATTACH_PATCH || plan.attach == ATTACH_BRIDGE)
		insist(plan.uplink.index && plan.uplink.hardware == 1 &&
		       !(plan.uplink.flags & IFF_LOOPBACK));
	if (bridge[0])
		insist(plan.attach == ATTACH_JOIN);
	if (policy->attach == ATTACH_NONE && !policy->attach_auto && !bridge[0])
		insist(plan.attach == ATTACH_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mac like = { { 0xb2, 1, 2, 3, 0, 0 } };
	struct policy policy = { .join = { "br0" }, .join_count = 1 };
	struct link link;
	struct counters counters;
	struct mac list[4];
	uint8_t what;

	kernel = (struct input){ data, size };
	asked = 0;
	route.sequence = generic.sequence = 0;
	what = take_byte(&kernel);
	switch (what % 10) {
	case 0:
		if (link_find(&route, "btlan", 0, &link) == 0)
			check_link(&link);
		break;
	case 1:
		link_each(&route, what & 0x40 ? "tun" : NULL, each_link, NULL);
		break;
	case 2:
		insist(link_list_accepted(&route, 3, &like, list, 4) <= 4);
		break;
	case 3:
		link_has_address(&route, 3, 4);
		break;
	case 4:
		tc_has_clsact(&route, 3);
		counters_read(&route, 3, &counters);
		break;
	case 5:
		tc_each(&route, 3, TC_INGRESS, each_filter, NULL);
		break;
	case 6:
		tc_remove_empty_clsact(&route, 3);
		break;
	case 7:
		check_plan(&policy, "br0");
		break;
	default:
		policy.attach_auto = what & 0x10;
		policy.attach = what >> 5 < ATTACH_COUNT && what >> 5 ? what >> 5 : ATTACH_PATCH;
		if (what % 10 == 9)
			strcpy(policy.uplink, "eth0");
		check_plan(&policy, "");
	}
	ASAN_UNPOISON_MEMORY_REGION(route.answer, sizeof(route.answer));
	ASAN_UNPOISON_MEMORY_REGION(generic.answer, sizeof(generic.answer));
	return 0;
}
