/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper_client.h: asks the privileged helper for a TAP, or to repair one.
 *
 * The helper is a program that lives for some milliseconds. The emulator around us must not
 * notice it: no SIGCHLD, nothing for its wait() to find, no descriptor left open, no signal mask
 * or handler changed. A helper that is missing, crashes or stays silent is told from one that
 * refuses, and costs HELPER_DEADLINE_MS at most.
 */
#ifndef BASILISK_TAP_SHIM_HELPER_CLIENT_H
#define BASILISK_TAP_SHIM_HELPER_CLIENT_H

#include "outcome.h"
#include "reply.h"
#include "request.h"

#define HELPER_DEADLINE_MS 3000

/* The helper's path by BASILISK_TAP_HELPER or as installed; NULL if none is to be asked. */
const char *helper_path(void);

/*
 * Runs the helper at @path with @request, whose .fd is not looked at. Returns
 *   0       and *@reply; where its code is OUTCOME_OK and the verb REQUEST_ATTACH, *@tap is a TAP
 *           that is the caller's: non-blocking, close-on-exec. Else *@tap is -1.
 *   -errno  there was no usable reply; reply->text tells why in one line; *@tap is -1.
 */
int helper_call(const char *path, const struct request *request, struct reply *reply, int *tap);

#endif
