/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drop.h: stage 3 of the timeline: give up all privileges but one, and see that they are gone.
 */
#ifndef BASILISK_TAP_HELPER_DROP_H
#define BASILISK_TAP_HELPER_DROP_H

#include <stdint.h>

#include "outcome.h"

/* How the helper came by its privilege. */
enum drop_mode {
	DROP_NONE,	 /* it has none */
	DROP_ROOT,	 /* setuid root, or started by root: a user of its own from here on */
	DROP_CAPABILITY, /* CAP_NET_ADMIN by file or by its starter: stays the caller's user */
};

/* The word for @mode, for --status. */
const char *drop_mode_name(enum drop_mode mode);

/* How this process is privileged now. */
enum drop_mode drop_look(void);

/*
 * Leaves CAP_NET_ADMIN (not in DROP_NONE) in the permitted and effective sets and nothing in any
 * other; root also becomes @user and @group, without supplementary groups. Locked, and looked at
 * again. 0, or -1 with OUTCOME_DROP: then it is the caller's user, without any capability.
 */
int drop_to_net_admin(enum drop_mode mode, uint32_t user, uint32_t group, struct outcome *outcome);

/* Gives up CAP_NET_ADMIN too: for what only reads. 0, or -1 with OUTCOME_DROP. */
int drop_all(struct outcome *outcome);

#endif
