/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tap.h: making, keeping and removing the TAPs of taps.h. The name is the slot, and TUNSETIFF is
 * its lock.
 * Source: <linux/if_tun.h>, Documentation/networking/tuntap.rst.
 */
#ifndef BASILISK_TAP_HELPER_TAP_H
#define BASILISK_TAP_HELPER_TAP_H

#include "outcome.h"
#include "policy.h"
#include "taps.h"
#include "uplink.h"

/*
 * Removes TAPs whose holders made them persistent and went: they would count for ever. While @tun
 * is free to ask about them.
 */
void tap_sweep(struct nl *nl, int tun, uint32_t host);

/*
 * Makes a TAP of the caller's on descriptor @tun: @slot, or with @slot -1 the highest of all that
 * is free. A leftover of that name is removed first. Then lists @taps. 0, or -1 with
 * OUTCOME_SLOT_BUSY, OUTCOME_QUOTA, OUTCOME_FOREIGN_DEVICE or OUTCOME_SYSTEM.
 */
int tap_create(struct nl *nl, int tun, uint32_t host, const struct caller *caller, int slot,
	       const struct policy *policy, struct tap *tap, struct taps *taps,
	       struct outcome *outcome);

/* The caller's TAP in @slot, if it is alive. 0, or -1 with OUTCOME_NOT_ALIVE. */
int tap_find(struct nl *nl, int tun, uint32_t host, const struct caller *caller, int slot,
	     struct tap *tap, struct outcome *outcome);

/*
 * Makes an interface of that name, as *@hold, which shows others that we are at work as long as we
 * live: descriptor @tun serves for nothing else from then on. 0, -EBUSY where another run is at the
 * same, or another negative errno.
 */
int tap_hold(struct nl *nl, int tun, const char *name, struct link *hold);

/* Notes on interface @index whose TAP it is, and what it is to be attached to. */
int tap_note(struct nl *nl, int index, const struct tap *tap, const struct caller *caller,
	     const struct plan *plan);

/*
 * Marks it as the caller's and lets in frames from its guest alone, bound for @hub (an ifindex);
 * then up. Also of a TAP that is up already. 0 or a negative errno.
 */
int tap_configure(struct nl *nl, const struct tap *tap, const struct caller *caller,
		  const struct plan *plan, int hub);

/* 1: somebody holds it. 0: a leftover, which is now removed. Or a negative errno. */
int tap_is_alive(struct nl *nl, int tun, const struct tap *tap);

#endif
