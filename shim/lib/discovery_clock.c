/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_clock.c: see discovery_clock.h. The kernel cancels a timer that asks for it when the
 * clock is set or the machine resumes (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET); until then
 * nothing wakes us.
 */
#include "discovery_clock.h"
#include "standard.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct clock_watch {
	const AvahiPoll *poll;
	void (*jumped)(void *user);
	void *user;
	int timer;
	AvahiWatch *watch;
	int64_t offset; /* wall time minus time awake, milliseconds */
};

static int64_t offset_now(void)
{
	struct timespec wall, awake;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &awake);
	return (wall.tv_sec - awake.tv_sec) * 1000LL + (wall.tv_nsec - awake.tv_nsec) / 1000000;
}

static int arm(struct clock_watch *w)
{
	const struct itimerspec never = { .it_value.tv_sec = INT32_MAX };

	w->offset = offset_now();
	return timerfd_settime(w->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void on_cancel(AvahiWatch *watch, int fd, AvahiWatchEvent events, void *user)
{
	struct clock_watch *w = user;
	int64_t before = w->offset;
	uint64_t count;
	ssize_t ignored = read(fd, &count, sizeof(count));

	(void)ignored;
	(void)watch;
	(void)events;
	arm(w);
	if (llabs(w->offset - before) >= CLOCK_STEP_MS)
		w->jumped(w->user);
}

int clock_watch_new(const AvahiPoll *poll, void (*jumped)(void *user), void *user,
		    struct clock_watch **watch)
{
	struct clock_watch *w = calloc(1, sizeof(*w));
	int error = -ENOMEM;

	if (!w)
		return error;
	w->poll = poll;
	w->jumped = jumped;
	w->user = user;
	w->timer = standard_avoid(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
	if (w->timer < 0 || arm(w) < 0) {
		error = -errno;
		goto out;
	}
	w->watch = poll->watch_new(poll, w->timer, AVAHI_WATCH_IN, on_cancel, w);
	if (!w->watch)
		goto out;
	*watch = w;
	return 0;
out:
	clock_watch_free(w);
	return error;
}

void clock_watch_free(struct clock_watch *watch)
{
	if (!watch)
		return;
	if (watch->watch)
		watch->poll->watch_free(watch->watch);
	if (watch->timer >= 0)
		close(watch->timer);
	free(watch);
}
