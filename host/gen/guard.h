/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.h: what a guest may send: all but what no Mac sends and a network can be hurt by.
 */
#ifndef BASILISK_TAP_HOST_GEN_GUARD_H
#define BASILISK_TAP_HOST_GEN_GUARD_H

#include <stdbool.h>

#include "assembler.h"

/* To NO for such; for what servers send, too, unless guests may be @serving. */
void guard(struct assembler *a, bool serving);

#endif
