/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover.h: the way back to the caller: the reply and the TAP's descriptor.
 */
#ifndef BASILISK_TAP_HELPER_HANDOVER_H
#define BASILISK_TAP_HELPER_HANDOVER_H

#include <stdint.h>

#include "outcome.h"
#include "policy.h"
#include "request.h"

/*
 * 0 where @fd is a connected unix stream socket whose other end was made by user @uid himself,
 * and *@pid is the process that made it; or -1 with OUTCOME_BAD_DESCRIPTOR. A connection to
 * another user's daemon, which could be tricked by a descriptor that comes from root, is refused.
 */
int handover_check(int fd, uint32_t uid, int *pid, struct outcome *outcome);

/*
 * Socket mode: descriptor 0 is the accepted connection of a caller, who is told by the kernel,
 * and whose request is the one message he sends. Only where whoever started us gave us
 * our privilege (not setuid, not by file), and for callers in network namespace of @route.
 * 0, or -1 with @outcome; @request->fd is 0 once there is somebody to be told of it.
 */
int handover_receive(int route, struct request *request, struct caller *caller,
		     struct outcome *outcome);

#endif
