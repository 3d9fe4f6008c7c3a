/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * act.h: stages 4, 6 and 7 of the timeline: decide, act, hand over.
 */
#ifndef BASILISK_TAP_HELPER_ACT_H
#define BASILISK_TAP_HELPER_ACT_H

#include "drop.h"
#include "early.h"
#include "handover.h"
#include "hub.h"
#include "reply.h"

/* One run of the helper; owned by main(), which passes it from stage to stage. */
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
void act_note_caller(struct run *run);

/* The user and group that the helper becomes: those of _basilisk-tap, or nobody's. */
void act_own_user(struct run *run, uint32_t *user, uint32_t *group);

/* False for what only tells. */
bool act_needs_privilege(const struct run *run);

/* Carries out what only tells, without any privilege. Returns the exit status. */
int act_tell(struct run *run);

/* Judges the reply descriptor, the start and the policy. 0, or -1 with run->outcome. */
int act_decide(struct run *run);

/* Builds, repairs or releases. 0, or -1 with run->outcome. */
int act_do(struct run *run);

/* Tells the caller and the log, with the TAP's descriptor where all went well. */
void act_hand_over(struct run *run);

#endif
