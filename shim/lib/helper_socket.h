/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper_socket.h: asks the helper through a service manager's socket, which works where setuid is
 * ruled out (nosuid, no_new_privs, a sandbox).
 */
#ifndef BASILISK_TAP_SHIM_HELPER_SOCKET_H
#define BASILISK_TAP_SHIM_HELPER_SOCKET_H

#include <stdbool.h>

#include "reply.h"
#include "request.h"

#define HELPER_SOCKET "/run/basilisk-tap.sock" /* packaging/systemd/basilisk-tap.socket */

/* True where @path is a unix socket that the caller may connect to. */
bool helper_socket_is(const char *path);

/* As helper_call(), over the socket at @path. Waits for HELPER_DEADLINE_MS at most. */
int helper_socket_call(const char *path, const struct request *request, struct reply *reply,
		       int *tap);

#endif
