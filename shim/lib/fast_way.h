/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fast_way.h: a connected socket for the one peer that most unicast frames go to by the tunnel.
 *
 * Measured: a frame each way costs a fifth less than by the socket for all, and a flood of
 * datagrams from elsewhere cannot push this peer's out of the queue. But confirmation frames of
 * that peer come to this socket too, where only the guest's reading finds them; so it is given
 * up when the guest does not read, and when nothing is sent.
 *
 * It is connected only once all who wait for frames wait for it, too (wait.h).
 *
 * All but fast_way_is_for() and fast_way_note() belong to the control thread.
 */
#ifndef BASILISK_TAP_SHIM_FAST_WAY_H
#define BASILISK_TAP_SHIM_FAST_WAY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "mac.h"
#include "tunnel.h"

#define FAST_WAY_FRAMES 64 /* to one peer within a second make it worth while */

struct bt_device;

/* Part of the device. */
struct fast_way {
	int fd; /* -1: there never was one; the number stays for life */
	_Atomic bool open;
	struct tunnel_target to;   /* under the device's lock; port 0: there is none */
	struct tunnel_target next; /* to be connected to; port 0: none */
	unsigned int looks;	   /* whether that can be done now */
	_Atomic uint64_t used;	   /* frames it has carried that did not go as lately */
	uint64_t used_before;	   /* frames that it had carried at the last check */
	bool pending_before;	   /* something was waiting then */
	struct mac mac;		   /* under the lock: whom the last frames went to, */
	unsigned int frames;	   /* how many, */
	unsigned int since_ms;	   /* and since when */
};

/* With the device's lock held: true where frames for @to should go this way. */
static inline bool fast_way_is_for(const struct fast_way *way, const struct tunnel_target *to)
{
	return way->to.port && tunnel_target_equal(&way->to, to);
}

/* With the lock held: a frame goes to @mac by the tunnel. True once that is worth a way. */
bool fast_way_note(struct fast_way *way, const struct mac *mac, unsigned int now_ms);

/*
 * Makes a way to @to, in place of the one before. Nothing where it cannot: it goes without.
 * Returns the time until fast_way_check() is due, in milliseconds; -1: never.
 */
int fast_way_open(struct bt_device *device, const struct tunnel_target *to);

void fast_way_close(struct bt_device *device);

/* Closes it if it is of no more use. The time until the next check, as above. */
int fast_way_check(struct bt_device *device);

#endif
