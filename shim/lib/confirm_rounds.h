/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confirm_rounds.h: the asking half of confirm.h: who is asked when, by how many HELLOs, and
 * who is given up. For confirm.c alone.
 */
#ifndef BASILISK_TAP_SHIM_CONFIRM_ROUNDS_H
#define BASILISK_TAP_SHIM_CONFIRM_ROUNDS_H

#include "confirm.h"

#define CONFIRM_FAILED_TRIES 2 /* after so many rounds the other addresses are tried */

/* Cookies over the TAP are made for the address :: and port 0, which no datagram comes from. */
extern const struct tunnel_target confirm_by_tap;

/* Our cookie for @mac at @at, of this slot of time or of one before. */
uint64_t confirm_cookie(const struct confirm *c, const struct mac *mac,
			const struct tunnel_target *at, uint32_t now, uint32_t slots_ago);

/* Sends a confirmation frame; @to NULL: by the TAP. */
void confirm_send(struct confirm *c, enum control_type type, const struct mac *mac,
		  const struct tunnel_target *to, uint64_t echo, uint32_t now);

/* Sends a HELLO, if the rate allows it. */
bool confirm_hello(struct confirm *c, enum confirm_kind kind, const struct mac *mac,
		   const struct tunnel_target *to, uint32_t now);

/* While no address has answered: sends to an on-link IPv4 one, then a link-local one, else none. */
void confirm_choose_sending(struct confirm *c, struct peer *peer);

/* The next round is due from this moment on, as if the peer was never asked. */
void confirm_ask_soon(struct peer *peer, uint32_t now);

/* Measures from the beginning whether the TAP reaches the peer. */
void confirm_measure_tap(struct peer *peer, uint32_t now);

/* Tells that the peer is gone, and removes it. */
void confirm_drop(struct confirm *c, struct peer *peer);

#endif
