/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attachment.c: see attachment.h.
 */
#include "attachment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "helper_client.h"
#include "identity.h"
#include "log.h"

static void say_reason(struct bt_device *d, const char *reason)
{
	pthread_mutex_lock(&d->lock);
	snprintf(d->said.reason, sizeof(d->said.reason), "%s", reason);
	pthread_mutex_unlock(&d->lock);
}

static void remember(struct bt_device *d, const struct reply *reply)
{
	pthread_mutex_lock(&d->lock);
	memcpy(d->said.tap, reply->tap, sizeof(d->said.tap));
	memcpy(d->said.uplink, reply->uplink, sizeof(d->said.uplink));
	memcpy(d->said.reason, reply->text, sizeof(d->said.reason));
	pthread_mutex_unlock(&d->lock);
}

static struct request request(const struct bt_device *d, enum request_verb verb)
{
	struct request r = { .verb = verb, .has_slot = true, .slot = d->slot.number };

	memcpy(r.br, d->option.bridge, sizeof(r.br));
	return r;
}

/* 0 and *@tap; OUTCOME_SLOT_BUSY; or -1 with the reason said. */
static int ask(struct bt_device *d, struct reply *reply, int *tap)
{
	const char *path = helper_path();
	struct request r = request(d, REQUEST_ATTACH);

	if (!path) {
		say_reason(d, "no helper is asked, because BASILISK_TAP_HELPER=none: unset it "
			      "for the LAN");
		return -1;
	}
	log_say(LOG_DEBUG, "asking %s for slot %u", path, d->slot.number);
	if (helper_call(path, &r, reply, tap)) {
		say_reason(d, reply->text);
		return -1;
	}
	if (reply->code == OUTCOME_SLOT_BUSY)
		return OUTCOME_SLOT_BUSY;
	if (reply->code != OUTCOME_OK) {
		say_reason(d, reply->text[0] ? reply->text : outcome_sentence(reply->code));
		return -1;
	}
	log_say(LOG_DEBUG, "got %s, attached by %s to %s", reply->tap, attach_name(reply->attach),
		reply->uplink[0] ? reply->uplink : "nothing");
	return 0;
}

static int next_slot(struct bt_device *d)
{
	struct slot held = d->slot;
	int err;

	if (d->option.slot >= 0 || held.number + 1 >= MAC_SLOTS)
		return -EBUSY;
	/* the old lock is kept until the new one is had, or one would get the same again */
	err = slot_take(held.number + 1, MAC_SLOTS - 1, &d->slot);
	slot_release(&held);
	return err;
}

int attachment_open(struct bt_device *d)
{
	struct reply reply;
	int tap = -1, result = -1, err;

	d->tap = -1;
	if (d->option.mode == ETHER_P2P)
		say_reason(d, "ether auto-p2p asks for no more");
	else
		while ((result = ask(d, &reply, &tap)) == OUTCOME_SLOT_BUSY) {
			log_say(LOG_DEBUG, "slot %u: %s", d->slot.number, reply.text);
			err = next_slot(d);
			if (err)
				return err;
		}
	d->mac = mac_make(identity_host(), getuid(), d->slot.number);
	if (result)
		return 0;
	if (!mac_equal(&d->mac, &reply.mac))
		log_say(LOG_DEBUG, "the helper knows this host by another name than we do");
	d->mac = reply.mac; /* what its filters let through */
	d->tap = tap;
	remember(d, &reply);
	atomic_store(&d->attach, (int)reply.attach);
	atomic_store(&d->tap_alive, true);
	return 0;
}

bool attachment_renew(struct bt_device *d)
{
	struct reply reply;
	int tap = -1;

	if (ask(d, &reply, &tap))
		return false;
	/* the guest keeps its address; a TAP for another one would drop all it sends */
	if (!mac_equal(&d->mac, &reply.mac) || device_tap_replace(d, tap, reply.attach)) {
		close(tap);
		return false;
	}
	remember(d, &reply);
	return true;
}

bool attachment_repair(struct bt_device *d)
{
	const char *path = helper_path();
	struct request r = request(d, REQUEST_REPAIR);
	struct reply reply;
	bool changed;
	int none;

	if (!path || helper_call(path, &r, &reply, &none))
		return false;
	log_say(LOG_DEBUG, "repair of %s: %s", d->said.tap,
		reply.code == OUTCOME_OK ? "done" : reply.text);
	/* a refusal changes nothing: the TAP that is there stays as it is */
	if (reply.code != OUTCOME_OK)
		return false;
	changed = (int)reply.attach != atomic_load(&d->attach) ||
		  strcmp(reply.uplink, d->said.uplink) != 0;
	if (!changed)
		return false;
	memcpy(reply.tap, d->said.tap, sizeof(reply.tap));
	remember(d, &reply);
	atomic_store(&d->attach, (int)reply.attach);
	return true;
}

void attachment_say(struct bt_device *d)
{
	enum attach attach = (enum attach)atomic_load(&d->attach);
	char mac[MAC_TEXT_LEN], reason[OUTCOME_TEXT_SIZE + 2], uplink[IFNAME_SIZE];

	pthread_mutex_lock(&d->lock);
	snprintf(reason, sizeof(reason), "%s%s", d->said.reason[0] ? ": " : "", d->said.reason);
	memcpy(uplink, d->said.uplink, sizeof(uplink));
	pthread_mutex_unlock(&d->lock);
	mac_format(&d->mac, mac);
	if (attach_is_bridged(attach))
		log_say(LOG_INFO, "bridged to %s, MAC %s%s", uplink, mac, reason);
	else if (attach == ATTACH_HOST)
		log_say(LOG_INFO, "this host and peer to peer only, MAC %s%s", mac, reason);
	else
		log_say(LOG_INFO, "peer to peer only, MAC %s%s", mac, reason);
}
