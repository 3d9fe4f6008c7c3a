/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter_news.h: tells that filters of this host's traffic control were deleted. Belongs to the
 * thread of the loop. Changes nothing.
 */
#ifndef BASILISK_TAP_SHIM_FILTER_NEWS_H
#define BASILISK_TAP_SHIM_FILTER_NEWS_H

#include <avahi-common/watch.h>
#include <stdint.h>

struct filter_news;

/*
 * What was deleted: the filter with that handle, of the interface with that index. @index 0 may be
 * any interface; @handle 0 any filter of it.
 */
typedef void (*filters_deleted)(void *user, int index, uint32_t handle);

/*
 * Calls @deleted from the loop behind @poll for each filter, and each qdisc, which takes its
 * filters with it. 0 and *@news, owned by the caller; or a negative errno.
 */
int filter_news_start(const AvahiPoll *poll, filters_deleted deleted, void *user,
		      struct filter_news **news);

/* NULL is nothing. */
void filter_news_stop(struct filter_news *news);

#endif
