/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state.h: whether what stands is what a helper leaves, or somebody has been at it.
 */
#ifndef BASILISK_TAP_REPORT_STATE_H
#define BASILISK_TAP_REPORT_STATE_H

#include "hub.h"
#include "taps.h"

/*
 * The interface that is not as the helper leaves it, the first from the card to the TAPs; or NULL
 * where all is. @hub was found; @serve: as the policy says. Where the kernel does not tell, nothing
 * is wrong.
 */
const char *state_amiss(struct nl *nl, const struct hub *hub, const struct taps *taps, bool serve);

#endif
