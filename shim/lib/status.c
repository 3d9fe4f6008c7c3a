/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c: see status.h.
 */
#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "device.h"
#include "discovery_counts.h"
#include "listener.h"
#include "utf8.h"

#define CLIENTS_MAX 8

struct client {
	struct status *status;
	AvahiWatch *watch; /* NULL: this place is free */
	int fd;
};

struct status {
	const AvahiPoll *poll;
	struct bt_device *device;
	const struct discovery_counts *counts; /* or NULL */
	struct listener *listener;
	struct client client[CLIENTS_MAX];
};

/* ---- the text ---- */

struct text {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, t->left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= t->left) {
		t->at[0] = '\0'; /* a line is there whole or not at all */
		return;
	}
	t->at += n;
	t->left -= (size_t)n;
}

static void add_count(struct text *t, const char *key, uint64_t number)
{
	add(t, "%s=%llu\n", key, (unsigned long long)number);
}

/* Announcements that were not taken in; by the discovery, or for want of room for one more peer. */
static void add_ignored(struct text *t, const struct bt_device *d,
			const struct discovery_counts *counts)
{
	add_count(t, "ignored-no-time", counts ? counts->no_time : 0);
	add_count(t, "ignored-malformed", counts ? counts->malformed : 0);
	add_count(t, "ignored-no-room", d->ignored + (counts ? counts->no_room : 0));
}

static void add_counters(struct text *t, const struct bt_device *d)
{
	const struct counters *c = &d->counters;
	struct traffic traffic = device_traffic(d);
	char key[40];

	add_count(t, "from-tap", traffic.from_tap);
	add_count(t, "from-tunnel", traffic.from_tunnel);
	add_count(t, "sent", traffic.sent);
	add_count(t, "to-tap", traffic.to_tap);
	add_count(t, "to-tunnel", traffic.to_tunnel);
	add_count(t, "control-in", c->control_in);
	add_count(t, "control-bad", c->control_bad);
	add_count(t, "control-out", c->control_out);
	for (unsigned int i = DROP_NONE + 1; i < DROP_REASONS; i++) {
		snprintf(key, sizeof(key), "drop-%s", drop_name(i));
		add_count(t, key, device_drops(d, (enum drop)i));
	}
}

static void add_peer(struct text *t, const struct bt_device *d, const struct peer *p, uint32_t now)
{
	bool tap = peer_reached_by_tap(p, &d->mac, (enum attach)atomic_load(&d->attach));
	char mac[MAC_TEXT_LEN], at[ADDRESS_TEXT_SIZE] = "";

	if (p->sending < PEER_ADDRESSES)
		address_format(&p->address[p->sending], p->port, at);
	add(t, "peer=%s attach=%s way=%s proven=%d heard=%u at=%s\n", mac_format(&p->mac, mac),
	    attach_name(p->attach) ?: "?",
	    tap	  ? "tap" :
	    at[0] ? "tunnel" :
		    "none",
	    peer_is_proven(p), time_after(now, p->heard) ? now - p->heard : 0, at);
}

/* The answer to "status", into @text of STATUS_TEXT_SIZE bytes. Its length. */
static size_t answer(const struct status *status, char *text)
{
	struct bt_device *d = status->device;
	struct text t = { text, STATUS_TEXT_SIZE };
	enum attach attach = (enum attach)atomic_load(&d->attach);
	uint32_t now = clock_ms();
	const struct peer *p = NULL;
	char mac[MAC_TEXT_LEN];
	unsigned int n = 0;
	struct peer peer;

	text[0] = '\0';
	add(&t, "version=1\npid=%d\nmac=%s\nslot=%u\nmode=%s\nattach=%s\nport=%u\n", getpid(),
	    mac_format(&d->mac, mac), d->slot.number, attach_is_bridged(attach) ? "bridge" : "p2p",
	    attach_name(attach), d->tunnel.port);
	pthread_mutex_lock(&d->lock);
	add(&t, "tap=%s\nuplink=%s\nreason=%s\ndiscovery=%s\npeers=%u\n", d->said.tap,
	    d->said.uplink, d->said.reason, d->said.discovery, peers_present(&d->peers));
	add_counters(&t, d);
	add_ignored(&t, d, status->counts);
	pthread_mutex_unlock(&d->lock);
	/* one by one, for the guest's write() may be waiting for the lock; this thread alone adds
	 * and removes peers */
	while (n < STATUS_PEERS) {
		pthread_mutex_lock(&d->lock);
		p = peers_next(&d->peers, p);
		if (p)
			peer = *p;
		pthread_mutex_unlock(&d->lock);
		if (!p)
			break;
		if (peer_is_given_up(&peer))
			continue;
		add_peer(&t, d, &peer, now);
		n++;
	}
	return (size_t)(t.at - text);
}

/* ---- the answering side ---- */

static void client_end(struct client *client)
{
	client->status->poll->watch_free(client->watch);
	close(client->fd);
	*client = (struct client){ .fd = -1 };
}

static void on_client(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct client *client = user;
	char word[32], *text;
	ssize_t n = recv(fd, word, sizeof(word), MSG_DONTWAIT);

	(void)watch;
	(void)event;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n == 6 && memcmp(word, "status", 6) == 0) {
		text = malloc(STATUS_TEXT_SIZE);
		if (text) {
			size_t len = answer(client->status, text);

			send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
			free(text);
		}
	}
	client_end(client);
}

static bool is_welcome(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
	       (who.uid == getuid() || who.uid == 0);
}

static void on_taken(void *user, int got)
{
	struct status *status = user;
	struct client *client = status->client;

	while (client < status->client + CLIENTS_MAX && client->watch)
		client++;
	if (client == status->client + CLIENTS_MAX)
		client_end(client = status->client); /* somebody has come and never asked */
	if (is_welcome(got))
		client->watch = status->poll->watch_new(status->poll, got, AVAHI_WATCH_IN,
							on_client, client);
	if (!client->watch) {
		close(got);
		return;
	}
	client->status = status;
	client->fd = got;
}

static struct sockaddr_un socket_name(int directory, unsigned int slot)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	/* by way of the directory that was opened and judged, whatever has its name now */
	snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/slot-%u.sock", directory,
		 slot);
	return name;
}

static void socket_remove(int directory, unsigned int slot)
{
	char name[24];

	snprintf(name, sizeof(name), "slot-%u.sock", slot);
	unlinkat(directory, name, 0);
}

/* A socket of the slot's name that listens: a descriptor or a negative errno. */
static int socket_open(int directory, unsigned int slot)
{
	const struct sockaddr_un name = socket_name(directory, slot);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	/* left over by one that was killed: the lock is ours, so nobody answers there */
	socket_remove(directory, slot);
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 ||
	    listen(fd, CLIENTS_MAX) < 0)
		err = -errno;
	if (err)
		close(fd);
	return err ? err : fd;
}

int status_start(const AvahiPoll *poll, struct bt_device *device, struct status **status)
{
	struct status *s;
	int err = -ENOMEM, fd;

	/* without the lock the socket may be somebody else's */
	if (device->slot.lock < 0)
		return -ENOTDIR;
	fd = socket_open(device->slot.directory, device->slot.number);
	if (fd < 0)
		return fd;
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return err;
	}
	*s = (struct status){ .poll = poll, .device = device };
	err = listener_start(poll, fd, on_taken, s, &s->listener);
	if (err)
		free(s);
	else
		*status = s;
	return err;
}

void status_tell_counts(struct status *status, const struct discovery_counts *counts)
{
	if (status)
		status->counts = counts;
}

void status_stop(struct status *status)
{
	if (!status)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (status->client[i].watch)
			client_end(&status->client[i]);
	socket_remove(status->device->slot.directory, status->device->slot.number);
	listener_stop(status->listener);
	free(status);
}

/* ---- the asking side ---- */

/* The answer on @fd, as lines that a terminal may see. Its length, or -1 and errno. */
static ssize_t take_answer(int fd, char *text)
{
	ssize_t n = recv(fd, text, STATUS_TEXT_SIZE - 1, 0);

	for (ssize_t at = 0, len; at < n; at += len) {
		len = (ssize_t)utf8_len(text + at, (size_t)(n - at));
		if (!len && text[at] != '\n')
			text[at] = '?';
		len += !len;
	}
	text[n < 0 ? 0 : n] = '\0';
	return n;
}

/* The name may be a link to a socket of somebody else's. False and errno where it is. */
static bool is_from(int fd, uid_t uid)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == uid)
		return true;
	errno = EPERM;
	return false;
}

ssize_t status_ask(uid_t uid, unsigned int slot, char *text)
{
	static const struct timeval patience = { .tv_sec = STATUS_ASK_MS / 1000 };
	struct sockaddr_un name;
	int directory = slot_directory(uid, 0), fd;
	ssize_t n = -1;

	if (directory < 0)
		return directory;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		n = -errno;
		goto out;
	}
	name = socket_name(directory, slot);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&name, sizeof(name)) == 0 && is_from(fd, uid) &&
	    send(fd, "status", 6, MSG_NOSIGNAL) == 6)
		n = take_answer(fd, text);
	if (n < 0)
		n = errno == EAGAIN ? -ETIMEDOUT : -errno;
	close(fd);
out:
	close(directory);
	return n;
}
