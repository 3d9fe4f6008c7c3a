/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link_news.h: tells that this host's links or addresses have changed, once for changes that come
 * close together; what they are now is for whoever is told to ask. Belongs to the thread of the
 * loop. Changes nothing.
 */
#ifndef BASILISK_TAP_SHIM_LINK_NEWS_H
#define BASILISK_TAP_SHIM_LINK_NEWS_H

#include <avahi-common/watch.h>

struct link_news;

/*
 * Calls @changed from the loop behind @poll, once nothing has changed for @quiet_ms, and, where it
 * goes on changing, LINK_NEWS_PATIENCE times that after the first change: a card that flaps is
 * seen, too. 0 and *@news, owned by the caller; or a negative errno.
 */
int link_news_start(const AvahiPoll *poll, unsigned int quiet_ms, void (*changed)(void *user),
		    void *user, struct link_news **news);

#define LINK_NEWS_PATIENCE 3

/* NULL is nothing. */
void link_news_stop(struct link_news *news);

#endif
