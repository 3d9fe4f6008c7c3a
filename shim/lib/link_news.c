/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link_news.c: see link_news.h.
 *
 * What rtnetlink's messages say is not looked at: who asks anew at each is not misled by one that
 * was lost.
 */
#include "link_news.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "loop.h"
#include "rtnetlink.h"

struct link_news {
	const AvahiPoll *poll;
	void (*changed)(void *user);
	void *user;
	unsigned int quiet_ms;
	int netlink;
	AvahiWatch *watch;
	AvahiTimeout *settle;
	bool pending;	/* it runs */
	uint32_t first; /* and since when: the first change that is not told yet */
};

static void on_settled(AvahiTimeout *timeout, void *user)
{
	struct link_news *n = user;

	loop_set_timeout(n->poll, timeout, -1);
	n->pending = false;
	n->changed(n->user);
}

static void on_netlink(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct link_news *n = user;
	uint32_t now = clock_ms(), left;
	char message[8192];

	(void)watch;
	(void)event;
	/* an overrun (ENOBUFS) is a change as well */
	while (recv(fd, message, sizeof(message), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		;
	if (!n->pending)
		n->first = now;
	n->pending = true;
	left = n->first + LINK_NEWS_PATIENCE * n->quiet_ms - now;
	if ((int32_t)left < 0)
		left = 0;
	loop_set_timeout(n->poll, n->settle, (int)(left < n->quiet_ms ? left : n->quiet_ms));
}

int link_news_start(const AvahiPoll *poll, unsigned int quiet_ms, void (*changed)(void *user),
		    void *user, struct link_news **news)
{
	struct link_news *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	*n = (struct link_news){ .poll = poll,
				 .changed = changed,
				 .user = user,
				 .quiet_ms = quiet_ms };
	n->netlink = rtnetlink_open(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
	err = n->netlink;
	if (err < 0)
		goto out;
	err = -ENOMEM;
	n->settle = poll->timeout_new(poll, NULL, on_settled, n);
	if (!n->settle)
		goto out;
	n->watch = poll->watch_new(poll, n->netlink, AVAHI_WATCH_IN, on_netlink, n);
	if (!n->watch)
		goto out;
	*news = n;
	return 0;
out:
	link_news_stop(n);
	return err;
}

void link_news_stop(struct link_news *news)
{
	if (!news)
		return;
	if (news->watch)
		news->poll->watch_free(news->watch);
	if (news->settle)
		news->poll->timeout_free(news->settle);
	if (news->netlink >= 0)
		close(news->netlink);
	free(news);
}
