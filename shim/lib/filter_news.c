/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter_news.c: see filter_news.h.
 *
 * Filters are not asked for, as links are: the kernel deletes none that somebody is reading the
 * list of, so that those who watch would be in the way of those who work.
 */
#include "filter_news.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rtnetlink.h"

struct filter_news {
	const AvahiPoll *poll;
	filters_deleted deleted;
	void *user;
	int netlink;
	AvahiWatch *watch;
};

/* The beginning of a message will do: filters can be long. */
static void read_message(const struct filter_news *n, const struct nlmsghdr *message, size_t size)
{
	const struct tcmsg *tc = NLMSG_DATA(message);
	int index;

	if (size < NLMSG_LENGTH(sizeof(*tc)) ||
	    (message->nlmsg_type != RTM_DELTFILTER && message->nlmsg_type != RTM_DELQDISC))
		return;
	/* a block of filters may be shared by many interfaces */
	index = tc->tcm_ifindex == (int)TCM_IFINDEX_MAGIC_BLOCK ? 0 : tc->tcm_ifindex;
	n->deleted(n->user, index, message->nlmsg_type == RTM_DELQDISC ? 0 : tc->tcm_handle);
}

static void on_netlink(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	const struct filter_news *n = user;
	union {
		struct nlmsghdr header;
		char byte[NLMSG_SPACE(sizeof(struct tcmsg))];
	} message;
	ssize_t size;

	(void)watch;
	(void)event;
	for (;;) {
		size = recv(fd, &message, sizeof(message), MSG_DONTWAIT);
		if (size > 0)
			read_message(n, &message.header, (size_t)size);
		else if (size < 0 && errno == ENOBUFS) /* some were lost */
			n->deleted(n->user, 0, 0);
		else
			break;
	}
}

int filter_news_start(const AvahiPoll *poll, filters_deleted deleted, void *user,
		      struct filter_news **news)
{
	struct filter_news *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	*n = (struct filter_news){ .poll = poll, .deleted = deleted, .user = user };
	n->netlink = rtnetlink_open(RTMGRP_TC);
	err = n->netlink < 0 ? n->netlink : -ENOMEM;
	if (n->netlink >= 0)
		n->watch = poll->watch_new(poll, n->netlink, AVAHI_WATCH_IN, on_netlink, n);
	if (!n->watch) {
		filter_news_stop(n);
		return err;
	}
	*news = n;
	return 0;
}

void filter_news_stop(struct filter_news *news)
{
	if (!news)
		return;
	if (news->watch)
		news->poll->watch_free(news->watch);
	if (news->netlink >= 0)
		close(news->netlink);
	free(news);
}
