/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control_thread.c: see control_thread.h. Joins the parts that decide (confirm.c), find
 * (discovery.h), watch (interfaces.c), answer (status.c) and mend (repair.c) to one loop.
 *
 * Must never: hold the device's lock while it waits, or run the emulator's signal handlers.
 */
#include "control_thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attachment.h"
#include "clock.h"
#include "confirm.h"
#include "device.h"
#include "discovery.h"
#include "identity.h"
#include "interfaces.h"
#include "log.h"
#include "loop.h"
#include "repair.h"
#include "status.h"
#include "thread.h"

#define CONTROL_BATCH	64  /* confirmation frames answered before others have their turn */
#define FAREWELL_MS	100 /* how long the peers may take to hear our goodbye */

struct control_thread {
	struct bt_device *device;
	pthread_t thread;
	struct loop *loop;
	const AvahiPoll *poll;
	AvahiWatch *on_control;
	AvahiWatch *on_notice;
	AvahiTimeout *tick;
	AvahiTimeout *check_fast;
	AvahiTimeout *watch; /* set while device.watched */
	bool watching;
	struct repair *repair;
	struct interfaces *interfaces;
	struct status *status;
	struct discovery *discovery;
	struct confirm confirm;
	bool twin_said;
};

/* ---- time ---- */

static void set_timeout(const struct control_thread *t, AvahiTimeout *timeout, int ms)
{
	struct timeval at;

	if (ms >= 0)
		loop_after(&at, (unsigned int)ms);
	t->poll->timeout_update(timeout, ms >= 0 ? &at : NULL);
}

static void on_tick(AvahiTimeout *timeout, void *user)
{
	struct control_thread *t = user;
	int wait;

	device_lock_to_change(t->device);
	wait = confirm_tick(&t->confirm, clock_ms());
	pthread_mutex_unlock(&t->device->lock);
	set_timeout(t, timeout, wait);
}

/* After anything that may have changed what is due when. */
static void tick_now(struct control_thread *t)
{
	on_tick(t->tick, t);
}

/* ---- what confirm.c asks for; called with the lock held ---- */

static void send_confirmation(void *user, const uint8_t *frame, const struct tunnel_target *to)
{
	struct control_thread *t = user;

	count(&t->device->counters.control_out);
	if (to)
		tunnel_send(&t->device->tunnel, to, frame, CONTROL_LEN);
	else
		device_send_by_tap(t->device, frame, CONTROL_LEN);
}

static bool on_link(void *user, const struct address *address)
{
	const struct control_thread *t = user;

	return interfaces_on_link(t->interfaces, address);
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
	struct control_thread *t = user;
	char mac[MAC_TEXT_LEN], at[ADDRESS_TEXT_SIZE] = "nowhere";

	if (news == CONFIRM_TWIN && !t->twin_said) {
		t->twin_said = true;
		log_say(LOG_INFO,
			"another host's emulator has our MAC %s: see whether one of the two hosts "
			"has a copied /etc/machine-id",
			mac_format(&peer->mac, mac));
	}
	if (peer->sending < PEER_ADDRESSES)
		address_format(&peer->address[peer->sending], peer->port, at);
	log_say(LOG_DEBUG, "%s at %s (%s) %s", mac_format(&peer->mac, mac), at,
		attach_name(peer->attach) ?: "?", text[news]);
}

/* ---- what comes in ---- */

static void take_confirmation(struct control_thread *t, const uint8_t *frame, size_t len,
			      const struct tunnel_target *from)
{
	struct bt_device *d = t->device;
	int err;

	device_lock_to_change(d);
	err = confirm_frame(&t->confirm, frame, len, from, clock_ms());
	pthread_mutex_unlock(&d->lock);
	count(err ? &d->counters.control_bad : &d->counters.control_in);
	if (t->confirm.farewell && t->confirm.farewells == 0)
		loop_quit(t->loop);
}

static void on_control(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct control_thread *t = user;
	struct tunnel_target from;
	uint8_t frame[CONTROL_LEN + 1]; /* a longer one is not ours */
	ssize_t n;

	(void)watch;
	(void)event;
	for (int i = 0; i < CONTROL_BATCH; i++) {
		n = tunnel_receive(fd, frame, sizeof(frame), &from);
		if (n == -EAGAIN)
			break;
		if (n == CONTROL_LEN && frame_check(frame, (size_t)n) == FRAME_OK)
			take_confirmation(t, frame, (size_t)n, &from);
		else
			count(&t->device->counters.control_bad);
	}
	tick_now(t);
}

/* While frames go to peers: whether they are heard of, too. */
static void on_watch(AvahiTimeout *timeout, void *user)
{
	struct control_thread *t = user;
	struct bt_device *d = t->device;

	device_lock_to_change(d);
	if (t->watching)
		d->watched = confirm_watch(&t->confirm, clock_ms());
	t->watching = d->watched;
	pthread_mutex_unlock(&d->lock);
	set_timeout(t, timeout, t->watching ? CONFIRM_WATCH_MS : -1);
	tick_now(t);
}

static void on_notice(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct control_thread *t = user;
	struct bt_device *d = t->device;
	struct notice notice;
	struct peer *peer;

	(void)watch;
	(void)event;
	for (int i = 0; i < CONTROL_BATCH; i++) {
		if (recv(fd, &notice, sizeof(notice), MSG_DONTWAIT) != sizeof(notice))
			break;
		if (notice.kind == NOTICE_TAP_LOST) {
			repair_tap_lost(t->repair);
		} else if (notice.kind == NOTICE_CONTROL) {
			take_confirmation(t, notice.frame, CONTROL_LEN,
					  notice.from.port ? &notice.from : NULL);
		} else if (notice.kind == NOTICE_BUSY) {
			set_timeout(t, t->check_fast, fast_way_open(d, &notice.from));
		} else if (notice.kind != NOTICE_SENT) {
			device_lock_to_change(d);
			peer = peers_find(&d->peers, &notice.mac);
			if (notice.kind == NOTICE_STRANGER)
				confirm_unknown(&t->confirm, &notice.mac, &notice.from, clock_ms());
			else if (peer)
				confirm_doubt(&t->confirm, peer, clock_ms());
			pthread_mutex_unlock(&d->lock);
		}
	}
	/* whatever the notice was: that of it may have been one too many */
	if (!t->watching)
		on_watch(t->watch, t);
	tick_now(t);
}

static void on_check_fast(AvahiTimeout *timeout, void *user)
{
	struct control_thread *t = user;

	set_timeout(t, timeout, fast_way_check(t->device));
}

/* ---- the discovery ---- */

static void on_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	struct control_thread *t = user;
	struct tunnel_target at = { address_of(address), ntohs(address->sin6_port) };

	device_lock_to_change(t->device);
	confirm_found(&t->confirm, txt, &at, clock_ms());
	pthread_mutex_unlock(&t->device->lock);
	tick_now(t);
}

static void on_lost(void *user, const struct mac *mac)
{
	struct control_thread *t = user;

	device_lock_to_change(t->device);
	confirm_lost(&t->confirm, mac, clock_ms());
	pthread_mutex_unlock(&t->device->lock);
	tick_now(t);
}

static void on_discovery_state(void *user, const char *line)
{
	struct control_thread *t = user;

	pthread_mutex_lock(&t->device->lock);
	snprintf(t->device->said.discovery, sizeof(t->device->said.discovery), "%s", line);
	pthread_mutex_unlock(&t->device->lock);
	log_say(LOG_DEBUG, "%s", line);
}

static struct txt announcement(const struct bt_device *d)
{
	struct txt txt = { .mac = d->mac,
			   .port = d->tunnel.port,
			   .attach = (enum attach)atomic_load(&d->attach) };

	txt.bridged = attach_is_bridged(txt.attach);
	identity_name(txt.hostname, sizeof(txt.hostname));
	return txt;
}

static void start_discovery(struct control_thread *t)
{
	static const struct discovery_events events = { on_found, on_lost, on_discovery_state };
	struct txt txt = announcement(t->device);
	int err = discovery_start(t->poll, &txt, &events, t, &t->discovery);

	if (err)
		log_say(LOG_INFO, "no peers will be found: the discovery does not start (%s)",
			strerrordesc_np(-err));
}

/* ---- mending ---- */

/* Everyone is told how we are attached now: the user, the peers, the network. */
static void on_attachment(void *user)
{
	struct control_thread *t = user;
	struct bt_device *d = t->device;
	struct txt txt = announcement(d);

	attachment_say(d);
	device_lock_to_change(d);
	confirm_attach(&t->confirm, txt.attach, clock_ms());
	pthread_mutex_unlock(&d->lock);
	if (t->discovery)
		discovery_update(t->discovery, &txt);
	tick_now(t);
}

static void on_interfaces(void *user)
{
	struct control_thread *t = user;
	struct bt_device *d = t->device;

	fast_way_close(d); /* its own address may be one that has gone */
	device_lock_to_change(d);
	confirm_doubt(&t->confirm, NULL, clock_ms());
	pthread_mutex_unlock(&d->lock);
	tick_now(t);
	repair_links_changed(t->repair);
}

/* ---- life ---- */

static void on_farewell_over(AvahiTimeout *timeout, void *user)
{
	struct control_thread *t = user;

	(void)timeout;
	loop_quit(t->loop);
}

static void say_farewell(struct control_thread *t)
{
	AvahiTimeout *over;
	struct timeval at;

	/* the answers must come to the socket that is read here, and not to one of the guest's */
	fast_way_close(t->device);
	device_lock_to_change(t->device);
	confirm_farewell(&t->confirm, clock_ms());
	pthread_mutex_unlock(&t->device->lock);
	if (!t->confirm.farewells)
		return;
	loop_after(&at, FAREWELL_MS);
	over = t->poll->timeout_new(t->poll, &at, on_farewell_over, t);
	if (!over)
		return;
	repair_stop(t->repair);
	t->repair = NULL;
	loop_run(t->loop);
	t->poll->timeout_free(over);
}

static void *thread_main(void *argument)
{
	struct control_thread *t = argument;
	struct discovery *discovery;

	start_discovery(t);
	loop_run(t->loop);
	discovery_quit(t->discovery); /* it takes its time, and the others take theirs meanwhile */
	say_farewell(t);
	discovery = t->discovery;
	t->discovery = NULL; /* a fork() of now finds none, and not one that is gone */
	discovery_stop(discovery);
	return NULL;
}

static void free_parts(struct control_thread *t)
{
	status_stop(t->status);
	repair_stop(t->repair);
	interfaces_stop(t->interfaces);
	loop_free(t->loop); /* with the watches and timeouts that are left */
	free(t);
}

static int make_parts(struct control_thread *t)
{
	static const struct interfaces_events events = { on_interfaces };
	static const struct confirm_calls calls = { send_confirmation, on_link, tell };
	struct bt_device *d = t->device;
	struct siphash_key key;
	int err = loop_new(&t->loop);

	if (err)
		return err;
	t->poll = loop_api(t->loop);
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	confirm_init(&t->confirm, &d->peers, &d->mac, (enum attach)atomic_load(&d->attach), &key,
		     &calls, t, clock_ms());
	err = interfaces_start(t->poll, &events, t, &t->interfaces);
	if (err)
		return err;
	t->on_control =
		t->poll->watch_new(t->poll, d->tunnel.control, AVAHI_WATCH_IN, on_control, t);
	t->on_notice = t->poll->watch_new(t->poll, d->notice[0], AVAHI_WATCH_IN, on_notice, t);
	t->tick = t->poll->timeout_new(t->poll, NULL, on_tick, t);
	t->check_fast = t->poll->timeout_new(t->poll, NULL, on_check_fast, t);
	t->watch = t->poll->timeout_new(t->poll, NULL, on_watch, t);
	if (!t->on_control || !t->on_notice || !t->tick || !t->check_fast || !t->watch)
		return -ENOMEM;
	err = repair_start(t->poll, d, on_attachment, t, &t->repair);
	if (err)
		return err;
	err = status_start(t->poll, d, &t->status);
	if (err)
		log_say(LOG_DEBUG, "no status: %s", strerrordesc_np(-err));
	return 0;
}

int control_thread_start(struct bt_device *device, struct control_thread **control)
{
	struct control_thread *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->device = device;
	err = make_parts(t);
	if (!err)
		err = thread_start("basilisk-tap", thread_main, t, &t->thread);
	if (err)
		free_parts(t);
	else
		*control = t;
	return err;
}

void control_thread_quit(struct control_thread *control)
{
	loop_quit(control->loop);
}

void control_thread_await(struct control_thread *control, const struct timespec *deadline)
{
	pthread_clockjoin_np(control->thread, NULL, CLOCK_MONOTONIC, deadline);
}

void control_thread_stop(struct control_thread *control)
{
	if (!control)
		return;
	control_thread_quit(control);
	pthread_join(control->thread, NULL);
	free_parts(control);
}

void control_thread_close_in_child(struct control_thread *control)
{
	loop_close_in_child(control->loop);
	discovery_close_in_child(control->discovery);
}
