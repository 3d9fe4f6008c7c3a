/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control_thread.c: see control_thread.h. Joins the parts that meet the peers (meeting.c), find
 * them (discovery.h), watch (interfaces.c), answer (status.c) and mend (repair.c) to one loop.
 *
 * Must never: run the emulator's signal handlers.
 */
#include "control_thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attachment.h"
#include "device.h"
#include "discovery.h"
#include "identity.h"
#include "interfaces.h"
#include "log.h"
#include "loop.h"
#include "meeting.h"
#include "repair.h"
#include "status.h"
#include "thread.h"

#define BATCH	    64	/* notices taken before others have their turn */
#define FAREWELL_MS 100 /* how long the peers may take to hear our goodbye */

struct control_thread {
	struct bt_device *device;
	pthread_t thread;
	struct loop *loop;
	const AvahiPoll *poll;
	AvahiWatch *on_notice;
	AvahiTimeout *check_fast;
	struct repair *repair;
	struct interfaces *interfaces;
	struct status *status;
	struct discovery *discovery;
	struct meeting *meeting;
};

/* ---- the data path ---- */

static void on_notice(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct control_thread *t = user;
	struct notice notice;

	(void)watch;
	(void)event;
	for (int i = 0; i < BATCH; i++) {
		if (recv(fd, &notice, sizeof(notice), MSG_DONTWAIT) != sizeof(notice))
			break;
		if (notice.kind == NOTICE_TAP_LOST) {
			repair_tap_lost(t->repair);
		} else if (notice.kind == NOTICE_BUSY) {
			loop_set_timeout(t->poll, t->check_fast,
					 fast_way_open(t->device, &notice.from));
		} else {
			meeting_notice(t->meeting, &notice);
		}
	}
	/* whatever the notice was: that of frames to peers may have been one too many */
	meeting_noticed(t->meeting);
}

static void on_check_fast(AvahiTimeout *timeout, void *user)
{
	struct control_thread *t = user;

	loop_set_timeout(t->poll, timeout, fast_way_check(t->device));
}

/* ---- the discovery ---- */

static void on_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	struct control_thread *t = user;
	struct tunnel_target at = { address_of(address), ntohs(address->sin6_port) };

	meeting_found(t->meeting, txt, &at);
}

static void on_lost(void *user, const struct mac *mac)
{
	struct control_thread *t = user;

	meeting_lost(t->meeting, mac);
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
		log_say(LOG_INFO,
			"no peers will be found: the discovery does not start (%s): start the "
			"emulator again",
			strerrordesc_np(-err));
	else
		status_tell_counts(t->status, discovery_counts(t->discovery));
}

/* ---- mending ---- */

/* Everyone is told how we are attached now: the user, the peers, the network. */
static void on_attachment(void *user)
{
	struct control_thread *t = user;
	struct bt_device *d = t->device;
	struct txt txt = announcement(d);

	attachment_say(d);
	meeting_attach(t->meeting, txt.attach);
	if (t->discovery)
		discovery_update(t->discovery, &txt);
}

static void on_interfaces(void *user)
{
	struct control_thread *t = user;

	fast_way_close(t->device); /* its own address may be one that has gone */
	meeting_doubt(t->meeting);
	repair_links_changed(t->repair);
}

/* ---- life ---- */

static void on_parted(void *user)
{
	struct control_thread *t = user;

	loop_quit(t->loop);
}

static void on_farewell_over(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	on_parted(user);
}

static void say_farewell(struct control_thread *t)
{
	AvahiTimeout *over;
	struct timeval at;

	/* the answers must come to the socket that is read here, and not to one of the guest's */
	fast_way_close(t->device);
	if (!meeting_farewell(t->meeting, on_parted, t))
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
	int err;

	start_discovery(t);
	err = loop_run(t->loop);
	if (err)
		log_say(LOG_INFO,
			"nobody looks after the network any more (%s): start the emulator again",
			strerrordesc_np(-err));
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
	meeting_free(t->meeting);
	interfaces_stop(t->interfaces);
	loop_free(t->loop); /* with the watches and timeouts that are left */
	free(t);
}

static int make_parts(struct control_thread *t)
{
	static const struct interfaces_events events = { on_interfaces };
	struct bt_device *d = t->device;
	int err = loop_new(&t->loop);

	if (err)
		return err;
	t->poll = loop_api(t->loop);
	err = interfaces_start(t->poll, &events, t, &t->interfaces);
	if (!err)
		err = meeting_start(t->poll, d, t->interfaces, &t->meeting);
	if (err)
		return err;
	t->on_notice = t->poll->watch_new(t->poll, d->notice[0], AVAHI_WATCH_IN, on_notice, t);
	t->check_fast = t->poll->timeout_new(t->poll, NULL, on_check_fast, t);
	if (!t->on_notice || !t->check_fast)
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
