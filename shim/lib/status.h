/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.h: what a running emulator tells of itself, by a socket beside its slot's lock:
 * /tmp/basilisk-tap-UID/slot-N.sock, AF_UNIX, SOCK_SEQPACKET. The asking side sends one message,
 * a word; the answer to "status" is one message of text, after which the socket is closed:
 *
 *   key=value lines, keys in a fixed order, values printable; see answer() in status.c for the
 * keys. A line "peer=MAC attach=WORD way=tap|tunnel|none proven=0|1 heard=MS at=ADDRESS" for each
 * of the first STATUS_PEERS peers.
 *
 * Only the user and root are answered. Other words are for instances of the same library.
 */
#ifndef BASILISK_TAP_SHIM_STATUS_H
#define BASILISK_TAP_SHIM_STATUS_H

#include <avahi-common/watch.h>
#include <stddef.h>
#include <sys/types.h>

#include "slot.h"

#define STATUS_TEXT_SIZE (64 * 1024) /* of an answer, with the final NUL */
#define STATUS_PEERS	 400
#define STATUS_ASK_MS	 1000

struct bt_device;
struct discovery_counts;
struct status;

/*
 * Answers for @device on the loop behind @poll, at the socket of its slot. 0 and *@status, to be
 * stopped before the device goes; -ENOTDIR where the slot has no directory; or a negative errno.
 */
int status_start(const AvahiPoll *poll, struct bt_device *device, struct status **status);

/* From now on it tells of @counts, too, which must outlive it. NULL as @status is nothing. */
void status_tell_counts(struct status *status, const struct discovery_counts *counts);

/* Closes and removes the socket. NULL is nothing. */
void status_stop(struct status *status);

/*
 * The asking side: asks the emulator in @slot of @uid, and puts its answer, NUL-terminated, into
 * @text of STATUS_TEXT_SIZE bytes. It is that user's word, who need not be the caller's friend:
 * what is no text comes out as '?'. Its length; -ENOENT or -ECONNREFUSED where no emulator runs in
 * that slot; -EPERM where another user answers there, or the directory is not @uid's own;
 * -ETIMEDOUT after STATUS_ASK_MS; or another negative errno.
 */
ssize_t status_ask(uid_t uid, unsigned int slot, char *text);

#endif
