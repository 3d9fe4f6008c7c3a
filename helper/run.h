/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.h: one run of the helper, and its stages from 4 on: decide, tell, act, hand over.
 */
#ifndef BASILISK_TAP_HELPER_RUN_H
#define BASILISK_TAP_HELPER_RUN_H

#include "drop.h"
#include "early.h"
#include "hub_make.h"
#include "request.h"

/* Owned by main(), which passes it from stage to stage. */
struct run {
	struct outcome outcome;
	enum drop_mode mode;
	struct early early;
	struct request request;
	struct caller caller;
	struct policy policy;
	struct outcome policy_outcome; /* why the policy is void, or OUTCOME_OK */
	uint32_t host;		       /* mac_host() */
	bool can_reply;		       /* FD_REPLY is the caller's, and judged */
	struct nl route, generic;
	struct plan plan;
	struct tap tap;
	struct text users, groups, scratch;
};

/* Who started us, by the kernel's word. Before any change of user. */
void decide_note_caller(struct run *run);

/* The user and group that the helper becomes: those of _basilisk-tap, or nobody's. */
void decide_own_user(struct run *run, uint32_t *user, uint32_t *group);

/* False for what only tells. */
bool decide_needs_privilege(const struct run *run);

/* Judges the reply descriptor, the start and the policy. 0, or -1 with run->outcome. */
int decide(struct run *run);

/*
 * Gives up all privilege, and has another program carry out what only tells, with the words in
 * @argv. Returns the exit status where that cannot be started.
 */
int tell(struct run *run, char *const argv[]);

/* Builds, repairs or releases. 0, or -1 with run->outcome. */
int act(struct run *run);

/* Tells the log and the caller, with the TAP's descriptor where all went well. */
void hand_over(struct run *run);

#endif
