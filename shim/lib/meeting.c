/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * meeting.c: see meeting.h.
 *
 * Must never: hold the device's lock while it waits, or while it sends: to send takes many times as
 * long as all else that is done with the lock, which the guest's write() may be waiting for.
 */
#include "meeting.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "clock.h"
#include "confirm.h"
#include "device.h"
#include "interfaces.h"
#include "log.h"
#include "loop.h"

#define BATCH 64	    /* confirmation frames answered before others have their turn */
#define ROOM  CONFIRM_BURST /* for confirmation frames to be sent: more seldom go at once */

/* A confirmation frame that is to be sent; port 0: by the TAP. */
struct letter {
	struct tunnel_target to;
	uint8_t frame[CONTROL_LEN];
};

struct meeting {
	struct bt_device *device;
	const AvahiPoll *poll;
	const struct interfaces *interfaces;
	AvahiWatch *on_control;
	AvahiTimeout *tick;
	AvahiTimeout *watch; /* set while device.watched */
	bool watching;
	struct confirm confirm;
	bool twin; /* another has our MAC */
	bool twin_said;
	void (*parted)(void *user);
	void *user;
	unsigned int letters;
	struct letter letter[ROOM];
};

/* ---- what there is to send ---- */

static void send_letters(struct meeting *m)
{
	for (unsigned int i = 0; i < m->letters; i++) {
		const struct letter *letter = &m->letter[i];

		count(&m->device->counters.control_out);
		if (letter->to.port)
			tunnel_send(&m->device->tunnel, &letter->to, letter->frame, CONTROL_LEN);
		else
			device_send_by_tap(m->device, letter->frame, CONTROL_LEN);
	}
	m->letters = 0;
}

/* For confirm.c, which has the lock held. Where there is no room they go, for once, at once. */
static void send_confirmation(void *user, const uint8_t *frame, const struct tunnel_target *to)
{
	struct meeting *m = user;
	struct letter *letter;

	if (m->letters == ROOM)
		send_letters(m);
	letter = &m->letter[m->letters++];
	memcpy(letter->frame, frame, CONTROL_LEN);
	letter->to = to ? *to : (struct tunnel_target){ .port = 0 };
}

/* Gives the lock back. */
static void changed(struct meeting *m)
{
	pthread_mutex_unlock(&m->device->lock);
	send_letters(m);
}

/* ---- time ---- */

static void on_tick(AvahiTimeout *timeout, void *user)
{
	struct meeting *m = user;
	int wait;

	device_lock_to_change(m->device);
	wait = confirm_tick(&m->confirm, clock_ms());
	changed(m);
	loop_set_timeout(m->poll, timeout, wait);
}

/* After anything that may have changed what is due when. */
static void tick_now(struct meeting *m)
{
	on_tick(m->tick, m);
}

/* ---- what confirm.c asks for; called with the lock held ---- */

static bool on_link(void *user, const struct address *address)
{
	const struct meeting *m = user;

	return interfaces_on_link(m->interfaces, address);
}

static void tell(void *user, enum confirm_news news, const struct peer *peer)
{
	static const char *const text[] = {
		[CONFIRM_FOUND] = "is announced",
		[CONFIRM_PROVEN] = "has answered",
		[CONFIRM_MOVED] = "has moved",
		[CONFIRM_BY_TAP] = "is reached by the TAP",
		[CONFIRM_BY_TUNNEL] = "is reached by the tunnel alone",
		[CONFIRM_CHANGED] = "is attached in another way",
		[CONFIRM_GONE] = "is gone",
		[CONFIRM_TWIN] = "is another emulator's address as well",
	};
	struct meeting *m = user;
	char mac[MAC_TEXT_LEN], at[ADDRESS_TEXT_SIZE] = "nowhere";

	m->twin |= news == CONFIRM_TWIN;
	if (peer->sending < PEER_ADDRESSES)
		address_format(&peer->address[peer->sending], peer->port, at);
	log_say(LOG_DEBUG, "%s at %s (%s) %s", mac_format(&peer->mac, mac), at,
		attach_name(peer->attach) ?: "?", text[news]);
}

/* ---- what comes in ---- */

static void take_confirmation(struct meeting *m, const uint8_t *frame, size_t len,
			      const struct tunnel_target *from)
{
	struct bt_device *d = m->device;
	char mac[MAC_TEXT_LEN];
	int err;

	device_lock_to_change(d);
	err = confirm_frame(&m->confirm, frame, len, from, clock_ms());
	changed(m);
	count(err ? &d->counters.control_bad : &d->counters.control_in);
	if (m->twin && !m->twin_said) {
		m->twin_said = true; /* not before the lock is given back: it may block */
		log_say(LOG_INFO,
			"another host's emulator has our MAC %s: see whether one of the two hosts "
			"has a copied /etc/machine-id",
			mac_format(&d->mac, mac));
	}
	if (m->confirm.farewell && m->confirm.farewells == 0)
		m->parted(m->user);
}

static void on_control(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct meeting *m = user;
	struct tunnel_target from;
	uint8_t frame[CONTROL_LEN + 1]; /* a longer one is not ours */
	ssize_t n;

	(void)watch;
	(void)event;
	for (int i = 0; i < BATCH; i++) {
		n = tunnel_receive(fd, frame, sizeof(frame), &from);
		if (n == -EAGAIN)
			break;
		if (n == CONTROL_LEN && frame_check(frame, (size_t)n) == FRAME_OK)
			take_confirmation(m, frame, (size_t)n, &from);
		else
			count(&m->device->counters.control_bad);
	}
	tick_now(m);
}

/* While frames go to peers: whether they are heard of, too. */
static void on_watch(AvahiTimeout *timeout, void *user)
{
	struct meeting *m = user;
	struct bt_device *d = m->device;

	device_lock_to_change(d);
	if (m->watching)
		d->watched = confirm_watch(&m->confirm, clock_ms());
	m->watching = d->watched;
	changed(m);
	loop_set_timeout(m->poll, timeout, m->watching ? CONFIRM_WATCH_MS : -1);
	tick_now(m);
}

void meeting_notice(struct meeting *m, const struct notice *notice)
{
	struct bt_device *d = m->device;
	struct peer *peer;

	if (notice->kind == NOTICE_CONTROL) {
		take_confirmation(m, notice->frame, CONTROL_LEN,
				  notice->from.port ? &notice->from : NULL);
	} else if (notice->kind == NOTICE_STRANGER || notice->kind == NOTICE_DOUBT) {
		device_lock_to_change(d);
		peer = peers_find(&d->peers, &notice->mac);
		if (notice->kind == NOTICE_STRANGER)
			confirm_unknown(&m->confirm, &notice->mac, &notice->from, clock_ms());
		else if (peer)
			confirm_doubt(&m->confirm, peer, clock_ms());
		changed(m);
	}
}

void meeting_noticed(struct meeting *m)
{
	if (!m->watching)
		on_watch(m->watch, m);
	tick_now(m);
}

/* ---- what the control thread tells ---- */

void meeting_found(struct meeting *m, const struct txt *txt, const struct tunnel_target *at)
{
	device_lock_to_change(m->device);
	if (!confirm_found(&m->confirm, txt, at, clock_ms()))
		atomic_fetch_add(&m->device->ignored, 1);
	changed(m);
	tick_now(m);
}

void meeting_lost(struct meeting *m, const struct mac *mac)
{
	device_lock_to_change(m->device);
	confirm_lost(&m->confirm, mac, clock_ms());
	changed(m);
	tick_now(m);
}

void meeting_doubt(struct meeting *m)
{
	device_lock_to_change(m->device);
	confirm_doubt(&m->confirm, NULL, clock_ms());
	changed(m);
	tick_now(m);
}

void meeting_attach(struct meeting *m, enum attach attach)
{
	device_lock_to_change(m->device);
	confirm_attach(&m->confirm, attach, clock_ms());
	changed(m);
	tick_now(m);
}

bool meeting_farewell(struct meeting *m, void (*parted)(void *user), void *user)
{
	m->parted = parted;
	m->user = user;
	device_lock_to_change(m->device);
	confirm_farewell(&m->confirm, clock_ms());
	changed(m);
	return m->confirm.farewells > 0;
}

/* ---- life ---- */

int meeting_start(const AvahiPoll *poll, struct bt_device *device,
		  const struct interfaces *interfaces, struct meeting **meeting)
{
	static const struct confirm_calls calls = { send_confirmation, on_link, tell };
	struct meeting *m;
	struct siphash_key key;

	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->device = device;
	m->poll = poll;
	m->interfaces = interfaces;
	confirm_init(&m->confirm, &device->peers, &device->mac,
		     (enum attach)atomic_load(&device->attach), &key, &calls, m, clock_ms());
	m->on_control =
		poll->watch_new(poll, device->tunnel.control, AVAHI_WATCH_IN, on_control, m);
	m->tick = poll->timeout_new(poll, NULL, on_tick, m);
	m->watch = poll->timeout_new(poll, NULL, on_watch, m);
	if (!m->on_control || !m->tick || !m->watch) {
		free(m);
		return -ENOMEM;
	}
	*meeting = m;
	return 0;
}

void meeting_free(struct meeting *meeting)
{
	free(meeting);
}
