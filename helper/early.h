/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * early.h: stages 1 and 2 of the timeline: distrust the start, then open everything that will
 * ever be used, by fixed paths and before any byte of the caller's is looked at.
 */
#ifndef BASILISK_TAP_HELPER_EARLY_H
#define BASILISK_TAP_HELPER_EARLY_H

#include "outcome.h"

/* The numbers that descriptors have from early_arrange() on; the filter compares them. */
enum {
	FD_ERR = 2,
	FD_REPLY = 3,
	FD_ROUTE = 4,
	FD_GENERIC = 5,
	FD_TUN = 6,
	FD_LOG = 7,
	FD_END = 8,
	FD_ABOVE = 32, /* nothing of the fixed numbers is from here on */
};

/* Descriptors, or the negative errno of why there is none. */
struct early {
	int policy, users, groups, machine;
	int lent; /* /etc/subuid; only where we may be behind a socket */
	int route, generic, tun, log;
};

/* Nothing is open yet: 0 would be the caller's standard input. */
#define EARLY_CLOSED                                                                               \
	{                                                                                          \
		-EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF,            \
	}

/*
 * Stage 1. Afterwards: three standard streams, no environment, no signal but SIGKILL, SIGSTOP and,
 * after a few seconds, SIGALRM; limits as high as they go, not dumpable, in /. 0, or -1 with
 * OUTCOME_HOSTILE_START.
 */
int early_distrust(int argc, struct outcome *outcome);

/* The process is killed after so many seconds from now. */
void early_live_for(long seconds);

/* Stage 2. Notes what is missing in @early; only a netlink socket cannot be done without. */
int early_open(struct early *early, struct outcome *outcome);

/* 0 where our network namespace is the administrator's, or -1 with the refusal. */
int early_check_namespace(int route, struct outcome *outcome);

/*
 * Puts the descriptors on their fixed numbers, @reply (or -1) among them, notes that in @early,
 * and closes all others. 0, or -1 with @outcome.
 */
int early_arrange(struct early *early, int reply, struct outcome *outcome);

#endif
