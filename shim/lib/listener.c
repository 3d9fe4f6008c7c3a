/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listener.c: see listener.h.
 */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "standard.h"

struct listener {
	const AvahiPoll *poll;
	void (*taken)(void *user, int fd);
	void *user;
	int fd;
	AvahiWatch *watch;
	AvahiTimeout *again; /* to look at it again */
};

static void on_readable(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct listener *l = user;
	int got = standard_avoid(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));

	(void)event;
	if (got >= 0) {
		l->taken(l->user, got);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		l->poll->watch_update(watch, (AvahiWatchEvent)0);
		loop_set_timeout(l->poll, l->again, LISTENER_PAUSE_MS);
	}
}

static void on_again(AvahiTimeout *timeout, void *user)
{
	struct listener *l = user;

	(void)timeout;
	l->poll->watch_update(l->watch, AVAHI_WATCH_IN);
}

int listener_start(const AvahiPoll *poll, int fd, void (*taken)(void *user, int fd), void *user,
		   struct listener **listener)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l) {
		close(fd);
		return -ENOMEM;
	}
	*l = (struct listener){ .poll = poll, .taken = taken, .user = user, .fd = fd };
	l->watch = poll->watch_new(poll, fd, AVAHI_WATCH_IN, on_readable, l);
	l->again = poll->timeout_new(poll, NULL, on_again, l);
	if (!l->watch || !l->again) {
		listener_stop(l);
		return -ENOMEM;
	}
	*listener = l;
	return 0;
}

void listener_stop(struct listener *listener)
{
	if (!listener)
		return;
	if (listener->watch)
		listener->poll->watch_free(listener->watch);
	if (listener->again)
		listener->poll->timeout_free(listener->again);
	close(listener->fd);
	free(listener);
}
