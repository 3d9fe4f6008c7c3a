/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service.h: what a service manager does for a helper that it starts, for tracer.c: a user without
 * a name, one ambient capability, nothing else to be had ever; and the request that a caller sent.
 *
 * Relies on being root, and on a file without privilege being executed next.
 */
#ifndef BASILISK_TAP_TESTS_SERVICE_H
#define BASILISK_TAP_TESTS_SERVICE_H

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tamper.h"

/* As packaging/systemd/basilisk-tap@.service has it. */
static void become_service(uid_t user)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
		{ 1 << CAP_NET_ADMIN, 1 << CAP_NET_ADMIN, 1 << CAP_NET_ADMIN }
	};

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (cap != CAP_NET_ADMIN && prctl(PR_CAPBSET_DROP, cap) < 0)
			die("bounding set");
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
					     SECBIT_NO_SETUID_FIXUP_LOCKED) < 0 ||
	    setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 ||
	    setresuid(user, user, user) < 0 || syscall(SYS_capset, &header, sets) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("becoming the service");
}

/* The words, each with its NUL, as the caller's one message. */
static void send_request(int sock, char *const words[])
{
	char message[512];
	size_t len = 0;

	for (; *words && len + strlen(*words) < sizeof(message); words++) {
		memcpy(message + len, *words, strlen(*words) + 1);
		len += strlen(*words) + 1;
	}
	if (write(sock, message, len) != (ssize_t)len)
		die("sending the request");
}

#endif
