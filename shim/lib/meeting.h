/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * meeting.h: how a device comes to know its peers: lends confirm.h, which decides, the device's
 * lock and sockets, and the loop's time. Belongs to the control thread; takes the device's lock by
 * itself.
 */
#ifndef BASILISK_TAP_SHIM_MEETING_H
#define BASILISK_TAP_SHIM_MEETING_H

#include <avahi-common/watch.h>
#include <stdbool.h>

#include "attach.h"
#include "tunnel.h"
#include "txt.h"

struct bt_device;
struct interfaces;
struct meeting;
struct notice;

/*
 * Answers confirmation frames at the tunnel's control socket, and does what is due, on the loop
 * behind @poll; @device, @interfaces and the loop must outlive it. 0 and *@meeting, owned by the
 * caller; or a negative errno.
 */
int meeting_start(const AvahiPoll *poll, struct bt_device *device,
		  const struct interfaces *interfaces, struct meeting **meeting);

/* Its watch and timeouts go with the loop. NULL is nothing. */
void meeting_free(struct meeting *meeting);

/* The discovery has found @txt at @at, or has lost @mac. */
void meeting_found(struct meeting *meeting, const struct txt *txt, const struct tunnel_target *at);
void meeting_lost(struct meeting *meeting, const struct mac *mac);

/* A notice of the data path: of any kind, but only those about peers are looked at. */
void meeting_notice(struct meeting *meeting, const struct notice *notice);

/* Some notices came, or may have been lost: looks whether peers are to be watched. */
void meeting_noticed(struct meeting *meeting);

/* The host's addresses have changed: all peers are asked. */
void meeting_doubt(struct meeting *meeting);

/* We are attached by @attach now: all peers are told. */
void meeting_attach(struct meeting *meeting, enum attach attach);

/*
 * Says goodbye to the peers; from now on nothing else is done. False where there is none to say it
 * to; else @parted is called once all have heard it, if they do.
 */
bool meeting_farewell(struct meeting *meeting, void (*parted)(void *user), void *user);

#endif
