/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper_reply.h: takes the helper's reply off a socket and judges it, whichever way the helper was
 * asked. Nothing it says is believed before it was checked.
 */
#ifndef BASILISK_TAP_SHIM_HELPER_REPLY_H
#define BASILISK_TAP_SHIM_HELPER_REPLY_H

#include "reply.h"
#include "request.h"

/* Writes why there is no reply into reply->text, one line. Returns @err. */
int helper_reply_problem(struct reply *reply, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Takes the one message that is there now; does not wait. @path names the helper in what is said.
 * Returns as helper_call(), and -ENOMSG, without a text, where there is no message.
 */
int helper_reply_take(int sock, const char *path, const struct request *request,
		      struct reply *reply, int *tap);

#endif
