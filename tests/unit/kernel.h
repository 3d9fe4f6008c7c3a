/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kernel.h: a stand-in for the kernel at the other end of the helper's netlink, for answers that
 * the kernel here does not give: to be asked of hardware that is not there, or of no kernel at all.
 * What libmnl makes of them, and the helper, is the real thing.
 *
 *     struct nlmsghdr *link = kernel_tell(RTM_GETLINK, RTM_NEWLINK, &header, sizeof(header));
 *     mnl_attr_put_strz(link, IFLA_IFNAME, "eth0");
 *     kernel_refuse(RTM_GETROUTE, -EPERM);
 *
 * Whoever lists gets all that was told for the type of his request; whoever asks for one link gets
 * that one, by number or by name. Other requests are acknowledged. All of it is for one file.
 */
#ifndef BASILISK_TAP_TESTS_UNIT_KERNEL_H
#define BASILISK_TAP_TESTS_UNIT_KERNEL_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

#include "link.h"
#include "proto_test.h"

enum { KERNEL_PORT = 7, KERNEL_TOLD_MAX = 600 };

struct kernel_told {
	uint16_t request;
	bool late; /* it has the number of another question */
	struct nlmsghdr *message;
};

static struct {
	uint8_t bytes[400000] __attribute__((aligned(8))); /* what was told */
	struct kernel_told told[KERNEL_TOLD_MAX];
	size_t count;
	struct {
		uint16_t type;
		int error;
	} refused[8];
	size_t refusals;
	uint8_t answer[400000] __attribute__((aligned(8))); /* what was not read yet */
	size_t len, at;
	bool interrupted;	 /* what is listed changes meanwhile, always */
	unsigned int asked[256]; /* requests of each type */
} kernel;

static struct nl kernel_nl, kernel_generic;

static inline void kernel_reset(void)
{
	memset(&kernel, 0, sizeof(kernel));
	memset(&kernel_nl, 0, sizeof(kernel_nl));
	memset(&kernel_generic, 0, sizeof(kernel_generic));
}

/* The message is told until the next kernel_reset(); attributes can be put to the one told last. */
static inline struct nlmsghdr *kernel_tell(uint16_t request, uint16_t type, const void *header,
					   size_t len)
{
	struct kernel_told *told = &kernel.told[kernel.count];
	uint8_t *at = kernel.bytes;

	ck_assert_uint_lt(kernel.count, KERNEL_TOLD_MAX);
	if (kernel.count++)
		at = (uint8_t *)told[-1].message + MNL_ALIGN(told[-1].message->nlmsg_len);
	ck_assert(at <= kernel.bytes + sizeof(kernel.bytes) - 1000);
	told->request = request;
	told->message = mnl_nlmsg_put_header(at);
	told->message->nlmsg_type = type;
	if (len)
		memcpy(mnl_nlmsg_put_extra_header(told->message, len), header, len);
	return told->message;
}

/* What was told last is an answer to another question, that somebody has given up. */
static inline void kernel_late(void)
{
	kernel.told[kernel.count - 1].late = true;
}

/* Requests of that type are answered by @error, as it stands in the message. */
static inline void kernel_refuse(uint16_t type, int error)
{
	ck_assert_uint_lt(kernel.refusals, COUNT(kernel.refused));
	kernel.refused[kernel.refusals].type = type;
	kernel.refused[kernel.refusals++].error = error;
}

/* ---- what it may be told about */
static inline struct nlmsghdr *kernel_link(int index, const char *name, unsigned int flags)
{
	const struct ifinfomsg header = { .ifi_index = index,
					  .ifi_type = ARPHRD_ETHER,
					  .ifi_flags = flags };
	struct nlmsghdr *message = kernel_tell(RTM_GETLINK, RTM_NEWLINK, &header, sizeof(header));

	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return message;
}

static inline struct nlmsghdr *kernel_qdisc(int index, uint32_t parent, const char *kind)
{
	const struct tcmsg header = { .tcm_ifindex = index, .tcm_parent = parent };
	struct nlmsghdr *qdisc = kernel_tell(RTM_GETQDISC, RTM_NEWQDISC, &header, sizeof(header));

	if (kind)
		mnl_attr_put_strz(qdisc, TCA_KIND, kind);
	return qdisc;
}

static inline void kernel_filter(int index, uint16_t preference, uint32_t handle)
{
	const struct tcmsg header = { .tcm_ifindex = index,
				      .tcm_handle = handle,
				      .tcm_info = TC_H_MAKE((uint32_t)preference << 16,
							    htons(ETH_P_ALL)) };

	kernel_tell(RTM_GETTFILTER, RTM_NEWTFILTER, &header, sizeof(header));
}

static inline void kernel_kind(struct nlmsghdr *link, const char *kind, const char *port_of)
{
	struct nlattr *info = mnl_attr_nest_start(link, IFLA_LINKINFO);

	if (kind)
		mnl_attr_put_strz(link, IFLA_INFO_KIND, kind);
	if (port_of)
		mnl_attr_put_strz(link, IFLA_INFO_SLAVE_KIND, port_of);
	mnl_attr_nest_end(link, info);
}

/* ---- the other end */
static inline void kernel_answer(const struct nlmsghdr *request, const struct nlmsghdr *message,
				 bool late)
{
	struct nlmsghdr *copy = (struct nlmsghdr *)(kernel.answer + kernel.len);

	ck_assert_uint_le(kernel.len + message->nlmsg_len, sizeof(kernel.answer));
	memcpy(copy, message, message->nlmsg_len);
	copy->nlmsg_seq = request->nlmsg_seq + late;
	copy->nlmsg_pid = KERNEL_PORT;
	if (kernel.interrupted)
		copy->nlmsg_flags |= NLM_F_DUMP_INTR;
	kernel.len += MNL_ALIGN(message->nlmsg_len);
}

static inline void kernel_answer_error(const struct nlmsghdr *request, int error)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr body;
	} answer = { { .nlmsg_len = sizeof(answer), .nlmsg_type = NLMSG_ERROR },
		     { .error = error } };

	kernel_answer(request, &answer.header, false);
}

static inline void kernel_answer_done(const struct nlmsghdr *request)
{
	struct {
		struct nlmsghdr header;
		int32_t result;
	} answer = { { .nlmsg_len = sizeof(answer),
		       .nlmsg_type = NLMSG_DONE,
		       .nlmsg_flags = NLM_F_MULTI },
		     0 };

	kernel_answer(request, &answer.header, false);
}

/* Whether a link is the one that is asked for. */
static inline bool kernel_is_meant(const struct nlmsghdr *request, const struct nlmsghdr *link)
{
	const struct ifinfomsg *asked = mnl_nlmsg_get_payload(request);
	const struct ifinfomsg *is = mnl_nlmsg_get_payload(link);
	const struct nlattr *attr;
	const char *wanted = NULL, *name = NULL;

	mnl_attr_for_each(attr, request, sizeof(*asked))
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			wanted = mnl_attr_get_str(attr);
	mnl_attr_for_each(attr, link, sizeof(*is))
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			name = mnl_attr_get_str(attr);
	return asked->ifi_index ? asked->ifi_index == is->ifi_index :
				  wanted && name && strcmp(wanted, name) == 0;
}

static inline void kernel_serve(const struct nlmsghdr *request)
{
	const bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	bool any = false;

	kernel.asked[request->nlmsg_type % COUNT(kernel.asked)]++;
	for (size_t i = 0; i < kernel.refusals; i++)
		if (kernel.refused[i].type == request->nlmsg_type) {
			kernel_answer_error(request, kernel.refused[i].error);
			return;
		}
	for (size_t i = 0; i < kernel.count; i++) {
		const struct kernel_told *told = &kernel.told[i];

		if (told->request != request->nlmsg_type ||
		    (!dump && request->nlmsg_type == RTM_GETLINK && !told->late &&
		     !kernel_is_meant(request, told->message)))
			continue;
		kernel_answer(request, told->message, told->late);
		any |= !told->late;
	}
	if (dump)
		kernel_answer_done(request);
	else if (request->nlmsg_flags & NLM_F_ACK)
		kernel_answer_error(request, 0);
	else if (!any)
		kernel_answer_error(request, -ENODEV);
}

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *requests, size_t len)
{
	const struct nlmsghdr *request = requests;
	int left = (int)len;

	(void)socket;
	kernel.len = kernel.at = 0;
	for (; mnl_nlmsg_ok(request, left); request = mnl_nlmsg_next(request, &left))
		kernel_serve(request);
	return (ssize_t)len;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *socket)
{
	(void)socket;
	return KERNEL_PORT;
}

/* As much as fits of the answer to one question, as whole messages. */
ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t size)
{
	const struct nlmsghdr *first = (void *)(kernel.answer + kernel.at);
	size_t len = 0;

	(void)socket;
	while (kernel.at + len < kernel.len) {
		const struct nlmsghdr *next = (void *)(kernel.answer + kernel.at + len);

		if (len + MNL_ALIGN(next->nlmsg_len) > size || next->nlmsg_seq != first->nlmsg_seq)
			break;
		len += MNL_ALIGN(next->nlmsg_len);
	}
	if (!len) {
		errno = EAGAIN; /* the kernel says nothing more */
		return -1;
	}
	memcpy(buffer, kernel.answer + kernel.at, len);
	kernel.at += len;
	return (ssize_t)len;
}

#endif
