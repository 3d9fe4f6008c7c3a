/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_share.c: what the instances of one user tell each other of the discovery, where another may
 * say anything. One discovery has the share, with clients whose messages are the input's; another
 * has a link to a share that is the input's. The network is a stand-in: it notes what is
 * published, and tells of guests as the input says.
 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "input.h"
#include "still_poll.h"

#include "../../shim/lib/discovery_share.c"

/* When its link goes down the other one speaks for itself: the share that it would take has a name
 * that emulators have, and other runs of this. */
static int no_share(const AvahiPoll *poll, const struct share_events *events, void *user,
		    struct share **share)
{
	(void)poll;
	(void)events;
	(void)user;
	(void)share;
	return -EACCES;
}
#define share_open no_share
#include "../../shim/lib/discovery_role.c"

enum { LINKS = 4, STEPS_MAX = 60, TOLD_MAX = KNOWN_MAX };

/* ---- the network ---- */

struct network {
	struct publication *published[LINKS + 2];
	unsigned int n;
};

static struct network network;

int network_start(const AvahiPoll *poll, const char *host, struct discovery_counts *counts,
		  const struct network_events *events, void *user, struct network **started)
{
	(void)counts;
	(void)poll;
	(void)host;
	(void)events;
	(void)user;
	*started = &network;
	return 0;
}

unseen void network_publish(struct network *n, struct publication *publication)
{
	insist(n == &network && mac_is_guest(&publication->txt.mac));
	for (unsigned int i = 0; i < n->n; i++)
		if (n->published[i] == publication)
			return;
	insist(n->n < LINKS + 2);
	n->published[n->n++] = publication;
}

unseen void network_withdraw(struct network *n, struct publication *publication)
{
	insist(n == &network);
	for (unsigned int i = 0; i < n->n; i++) {
		if (n->published[i] != publication)
			continue;
		n->published[i] = n->published[--n->n];
		return;
	}
	insist(!"what is withdrawn was published");
}

void network_stop(struct network *n)
{
	(void)n;
}

/* ---- what a user of the discovery is told ---- */

struct told {
	struct mac own;
	struct mac mac[TOLD_MAX];
	unsigned int n;
};

static struct told told[2];

unseen static void told_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	struct told *t = user;

	insist(mac_is_guest(&txt->mac) && !mac_equal(&txt->mac, &t->own));
	insist(address->sin6_family == AF_INET6);
	for (unsigned int i = 0; i < t->n; i++)
		if (mac_equal(&t->mac[i], &txt->mac))
			return;
	insist(t->n < TOLD_MAX);
	t->mac[t->n++] = txt->mac;
}

unseen static void told_lost(void *user, const struct mac *mac)
{
	struct told *t = user;

	for (unsigned int i = 0; i < t->n; i++) {
		if (!mac_equal(&t->mac[i], mac))
			continue;
		t->mac[i] = t->mac[--t->n];
		return;
	}
	insist(!"who is lost was found");
}

unseen static void told_state(void *user, const char *line)
{
	(void)user;
	insist(strlen(line) < DISCOVERY_LINE_SIZE);
	for (; *line; line++)
		insist((unsigned char)*line >= ' ' && *line != 0x7f);
}

static const struct discovery_events told_events = { told_found, told_lost, told_state };

/* ---- the two of them ---- */

static struct role speaker, follower;
static int other_end[LINKS]; /* of the speaker's clients; -1: free */
static int shares_end;	     /* of the follower's link; -1: it has none */
static int listener = -1;
static struct sockaddr_un listener_name;
static socklen_t listener_len;

unseen static void start(struct role *r, unsigned int n)
{
	static const struct discovery_events known_events = { .found = on_found, .lost = on_lost };

	memset(r, 0, sizeof(*r));
	told[n].n = 0;
	told[n].own = (struct mac){ { 0xb2, 1, 1, 1, 0, (uint8_t)(0xf0 + n) } };
	r->poll = &still_poll;
	r->events = told_events;
	r->user = &told[n];
	r->announcing = true;
	r->own.txt = (struct txt){ .mac = told[n].own, .port = 6066 };
	r->again = still_poll.timeout_new(&still_poll, NULL, on_again, r);
	insist(known_new(&known_events, r, &r->known) == 0);
}

/* The share, at a name of its own: any number of these may run. */
unseen static void open_share(void)
{
	static const struct share_events events = { on_joined, on_request, on_left };
	struct share *share = calloc(1, sizeof(*share));

	insist(share);
	if (listener < 0) {
		listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
		listener_name.sun_family = AF_UNIX;
		insist(bind(listener, (struct sockaddr *)&listener_name, sizeof(sa_family_t)) == 0);
		listener_len = sizeof(listener_name);
		insist(getsockname(listener, (struct sockaddr *)&listener_name, &listener_len) ==
		       0);
		insist(listen(listener, LINKS) == 0);
	}
	*share = (struct share){ .poll = &still_poll, .events = &events, .user = &speaker };
	share->pulse = still_timeout_new(&still_poll, NULL, on_pulse, share);
	speaker.share = share;
	insist(speak(&speaker) == 0);
	for (int i = 0; i < LINKS; i++)
		other_end[i] = -1;
}

unseen static void open_link(void)
{
	static const struct link_events events = { on_answer, on_down };
	struct link *link = calloc(1, sizeof(*link));
	int fd[2];

	insist(link && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) == 0);
	*link = (struct link){ .poll = &still_poll, .events = &events, .user = &follower };
	link->fd = fd[0];
	link->watch = still_watch_new(&still_poll, fd[0], AVAHI_WATCH_IN, on_link, link);
	link->patience = still_timeout_new(&still_poll, NULL, on_patience, link);
	follower.link = link;
	shares_end = fd[1];
}

/* What the loop would do for everybody whose socket has something. False: nobody's has. */
unseen static bool turn(void)
{
	struct pollfd fds[STILL_MAX];
	struct AvahiWatch *watch[STILL_MAX];
	nfds_t n = 0;
	bool any = false;

	for (int i = 0; i < STILL_MAX; i++) {
		struct AvahiWatch *w = &still_watch[i];

		if (!w->callback)
			continue;
		watch[n] = w;
		fds[n++] = (struct pollfd){ w->fd, (short)w->events, 0 };
	}
	poll(fds, n, 0);
	for (nfds_t i = 0; i < n; i++) {
		if (!fds[i].revents || watch[i]->fd != fds[i].fd)
			continue;
		any = true;
		watch[i]->callback(watch[i], fds[i].fd, (AvahiWatchEvent)fds[i].revents,
				   watch[i]->user);
	}
	return any;
}

/* ---- steps ---- */

static void join(int i)
{
	if (other_end[i] >= 0) {
		close(other_end[i]);
		other_end[i] = -1;
		while (turn()) /* what it said before is read first */
			;
		return;
	}
	other_end[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	insist(connect(other_end[i], (struct sockaddr *)&listener_name, listener_len) == 0);
	on_taken(speaker.share, accept4(listener, NULL, NULL, SOCK_NONBLOCK));
}

/* A message: the input's bytes, or one with the input's words. */
static void tell_to(int fd, struct input *in, uint8_t kind)
{
	static const char kinds[] = "AWFLSRHP";
	struct message m = { .kind = (enum message_kind)kinds[kind % 8] };
	uint8_t bytes[MESSAGE_MAX + 8];
	const uint8_t *some;
	size_t len;

	if (kind & 0x80) {
		some = take_some(in, MESSAGE_MAX + 8, &len);
		if (len)
			memcpy(bytes, some, len);
	} else {
		m.mac = m.txt.mac = (struct mac){ { 0xb2, 1, 1, 1, 0, take_byte(in) } };
		m.txt.port = (uint16_t)(take_byte(in) * 300);
		m.txt.attach = take_byte(in) % ATTACH_COUNT;
		m.address.sin6_addr.s6_addr[0] = 0xfd;
		m.address.sin6_addr.s6_addr[15] = take_byte(in);
		m.line[0] = (char)take_byte(in);
		len = message_encode(&m, bytes);
	}
	send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void guest_step(struct input *in)
{
	struct txt txt = { .mac = { { 0xb2, 1, 1, 1, 0, take_byte(in) } }, .port = 6066 };
	struct sockaddr_in6 at[KNOWN_ADDRESSES] = { 0 };
	size_t n = take_byte(in) % (KNOWN_ADDRESSES + 1);

	for (size_t i = 0; i < n; i++) {
		at[i].sin6_family = AF_INET6;
		at[i].sin6_addr.s6_addr[15] = take_byte(in);
	}
	on_guest(&speaker, &txt, at, n);
}

static void step(struct input *in)
{
	uint8_t what = take_byte(in);
	int i = what >> 4 & 3;

	switch (what % 8) {
	case 0:
		join(i);
		break;
	case 1:
	case 2:
		if (other_end[i] >= 0)
			tell_to(other_end[i], in, take_byte(in));
		break;
	case 3:
		guest_step(in);
		break;
	case 4:
		if (what & 0x10)
			on_hold(&speaker);
		else
			on_settle(&speaker);
		break;
	case 5:
		if (what & 0x10)
			on_pulse(speaker.share->pulse, speaker.share);
		else
			turn();
		break;
	default:
		if (follower.link)
			tell_to(shares_end, in, take_byte(in));
		if (what & 0x80)
			turn();
	}
}

/* Each of those who announce is published once, and nobody else; and its user was told of all
 * that are known but itself. */
unseen static void check(void)
{
	const struct discovery_events events = { .found = told_found };
	unsigned int announced = 1; /* the speaker */

	insist(speaker.share && speaker.share->n <= LINKS);
	for (const struct share_client *c = speaker.share->clients; c; c = c->next)
		announced += c->announced;
	insist(network.n == announced + (follower.network != NULL));
	for (unsigned int n = 0; n < 2; n++) {
		struct told again = { .n = 0 };

		known_replay(n ? follower.known : speaker.known, &events, &again);
		for (unsigned int i = 0; i < told[n].n; i++)
			told_lost(&again, &told[n].mac[i]);
		insist(again.n == 0 || (again.n == 1 && mac_equal(again.mac, &told[n].own)));
	}
}

static void end(struct role *r)
{
	share_close(r->share);
	link_close(r->link);
	known_free(r->known);
	still_poll.timeout_free(r->again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	network.n = 0;
	start(&speaker, 0);
	start(&follower, 1);
	open_share();
	open_link();
	for (int n = 0; in.left && n < STEPS_MAX; n++) {
		step(&in);
		check();
	}
	while (turn())
		;
	check();
	end(&speaker);
	end(&follower);
	for (int i = 0; i < LINKS; i++)
		if (other_end[i] >= 0)
			close(other_end[i]);
	close(shares_end);
	still_check_empty();
	return 0;
}
