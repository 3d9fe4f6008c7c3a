/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_share.c: see discovery_share.h.
 */
#include "discovery_share.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "listener.h"
#include "loop.h"
#include "standard.h"

#define CLIENTS_MAX 64
#define QUEUE_MAX   (256 * 1024) /* bytes kept for one that does not read */

/* A message that waits for a socket to take it. */
struct queued {
	struct queued *next;
	size_t len;
	uint8_t bytes[];
};

struct share {
	const AvahiPoll *poll;
	const struct share_events *events;
	void *user;
	struct listener *listener;
	AvahiTimeout *pulse; /* runs while there are clients */
	struct share_client *clients;
	unsigned int n;
};

struct link {
	const AvahiPoll *poll;
	const struct link_events *events;
	void *user;
	int fd;
	AvahiWatch *watch;
	AvahiTimeout *patience; /* until the next word from the share */
};

static socklen_t share_name(struct sockaddr_un *name)
{
	int len;

	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	len = snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1, "basilisk-tap/%u/discovery",
		       (unsigned int)getuid());
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

static bool is_same_user(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == getuid();
}

/* The next message in @fd: 0; -EAGAIN; or the end, of whatever kind, -EPIPE. */
static int receive(int fd, struct message *message)
{
	uint8_t bytes[MESSAGE_MAX];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPIPE;
	if ((size_t)n > sizeof(bytes) || message_decode(bytes, (size_t)n, message) < 0)
		return -EPIPE;
	return 0;
}

/* ---- the share ---- */

static void client_free(struct share_client *client)
{
	while (client->queue) {
		struct queued *first = client->queue;

		client->queue = first->next;
		free(first);
	}
	if (client->watch)
		client->share->poll->watch_free(client->watch);
	close(client->fd);
	free(client);
}

static void client_end(struct share_client *client)
{
	struct share *share = client->share;
	struct share_client **at = &share->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	share->n--;
	share->events->left(share->user, client);
	client_free(client);
}

/* Sends what waits, as far as the socket takes it. False: it is broken. */
static bool client_flush(struct share_client *client)
{
	struct queued *first;

	while ((first = client->queue)) {
		if (send(client->fd, first->bytes, first->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
		client->queue = first->next;
		client->queue_len -= first->len;
		free(first);
	}
	client->share->poll->watch_update(client->watch, AVAHI_WATCH_IN);
	return true;
}

static void on_client(AvahiWatch *watch, int fd, AvahiWatchEvent events, void *user)
{
	struct share_client *client = user;
	struct message message;
	int error = 0;

	(void)watch;
	if ((events & AVAHI_WATCH_OUT) && !client_flush(client))
		error = -EPIPE;
	if (!error && (events & ~AVAHI_WATCH_OUT))
		error = receive(fd, &message);
	else if (!error)
		error = -EAGAIN;
	if (!error)
		client->share->events->message(client->share->user, client, &message);
	else if (error != -EAGAIN)
		client_end(client);
}

void share_send(struct share_client *client, const struct message *message)
{
	uint8_t bytes[MESSAGE_MAX];
	size_t len = message_encode(message, bytes);
	struct queued **last = &client->queue, *new;

	if (!client->queue && send(client->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	new = client->queue_len + len <= QUEUE_MAX ? malloc(sizeof(*new) + len) : NULL;
	if (!new) {
		shutdown(client->fd, SHUT_RDWR); /* on_client() sees the end of it */
		return;
	}
	new->next = NULL;
	new->len = len;
	memcpy(new->bytes, bytes, len);
	while (*last)
		last = &(*last)->next;
	*last = new;
	client->queue_len += len;
	client->share->poll->watch_update(client->watch,
					  (AvahiWatchEvent)(AVAHI_WATCH_IN | AVAHI_WATCH_OUT));
}

void share_send_all(struct share *share, const struct message *message)
{
	for (struct share_client *client = share->clients; client; client = client->next)
		share_send(client, message);
}

static void on_pulse(AvahiTimeout *timeout, void *user)
{
	const struct message pulse = { .kind = MESSAGE_PULSE };
	struct share *share = user;

	share_send_all(share, &pulse);
	if (share->clients)
		loop_set_timeout(share->poll, timeout, SHARE_PULSE_MS);
}

static void on_taken(void *user, int got)
{
	const struct message welcome = { .kind = MESSAGE_WELCOME };
	struct share *share = user;
	struct share_client *client;

	client = share->n < CLIENTS_MAX && is_same_user(got) ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		close(got);
		return;
	}
	client->share = share;
	client->fd = got;
	client->watch = share->poll->watch_new(share->poll, got, AVAHI_WATCH_IN, on_client, client);
	if (!client->watch) {
		client_free(client);
		return;
	}
	if (!share->clients)
		loop_set_timeout(share->poll, share->pulse, SHARE_PULSE_MS);
	client->next = share->clients;
	share->clients = client;
	share->n++;
	share_send(client, &welcome);
	share->events->joined(share->user, client);
}

int share_open(const AvahiPoll *poll, const struct share_events *events, void *user,
	       struct share **share)
{
	struct sockaddr_un name;
	socklen_t size = share_name(&name);
	struct share *s = calloc(1, sizeof(*s));
	int error = -ENOMEM, fd;

	if (!s)
		return error;
	s->poll = poll;
	s->events = events;
	s->user = user;
	fd = standard_avoid(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, size) < 0 ||
	    listen(fd, CLIENTS_MAX) < 0) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		goto out;
	}
	error = listener_start(poll, fd, on_taken, s, &s->listener);
	if (error < 0)
		goto out;
	s->pulse = poll->timeout_new(poll, NULL, on_pulse, s);
	if (!s->pulse) {
		error = -ENOMEM;
		goto out;
	}
	*share = s;
	return 0;
out:
	share_close(s);
	return error;
}

struct share_client *share_clients(const struct share *share)
{
	return share ? share->clients : NULL;
}

void share_close(struct share *share)
{
	if (!share)
		return;
	while (share->clients) {
		struct share_client *client = share->clients;

		share->clients = client->next;
		client_free(client);
	}
	listener_stop(share->listener);
	if (share->pulse)
		share->poll->timeout_free(share->pulse);
	free(share);
}

/* ---- the link ---- */

static void on_patience(AvahiTimeout *timeout, void *user)
{
	struct link *link = user;

	(void)timeout;
	link->events->down(link->user, true);
}

static void on_link(AvahiWatch *watch, int fd, AvahiWatchEvent events, void *user)
{
	struct link *link = user;
	struct message message;
	int error = receive(fd, &message);

	(void)watch;
	(void)events;
	if (error == -EAGAIN)
		return;
	if (error) {
		link->events->down(link->user, false);
		return;
	}
	loop_set_timeout(link->poll, link->patience, SHARE_SILENT_MS);
	link->events->message(link->user, &message);
}

int link_open(const AvahiPoll *poll, const struct link_events *events, void *user,
	      struct link **link)
{
	struct sockaddr_un name;
	socklen_t size = share_name(&name);
	struct link *l = calloc(1, sizeof(*l));
	struct timeval at;
	int error = -ENOMEM;

	if (!l)
		return error;
	l->poll = poll;
	l->events = events;
	l->user = user;
	l->fd = standard_avoid(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (l->fd < 0 || connect(l->fd, (const struct sockaddr *)&name, size) < 0) {
		error = -errno;
		goto out;
	}
	if (!is_same_user(l->fd)) {
		error = -EPERM;
		goto out;
	}
	l->watch = poll->watch_new(poll, l->fd, AVAHI_WATCH_IN, on_link, l);
	l->patience = poll->timeout_new(poll, loop_after(&at, SHARE_WELCOME_MS), on_patience, l);
	if (!l->watch || !l->patience)
		goto out;
	*link = l;
	return 0;
out:
	link_close(l);
	return error;
}

void link_send(struct link *link, const struct message *message)
{
	uint8_t bytes[MESSAGE_MAX];
	size_t len = message_encode(message, bytes);
	ssize_t ignored = send(link->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)ignored;
}

void link_close(struct link *link)
{
	if (!link)
		return;
	if (link->watch)
		link->poll->watch_free(link->watch);
	if (link->patience)
		link->poll->timeout_free(link->patience);
	if (link->fd >= 0)
		close(link->fd);
	free(link);
}
