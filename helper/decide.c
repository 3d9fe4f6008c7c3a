/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decide.c: stage 4 of the timeline: who asks, for what, and is it allowed? Every doubt means
 * refuse. Reads what is open already; changes nothing.
 */
#include "run.h"

#include <unistd.h>

#include "files.h"
#include "handover.h"

#define OWN_USER "_basilisk-tap"
#define NOBODY	 65534
/* the kernel takes its time over each interface; root can end us, and waits for nobody else */
#define SECONDS_TO_RELEASE 120

void decide_note_caller(struct run *run)
{
	struct caller *caller = &run->caller;
	int count = getgroups(sizeof(caller->groups) / sizeof(caller->groups[0]), caller->groups);

	caller->uid = getuid();
	caller->gid = getgid();
	caller->group_count = count < 0 ? 0 : (size_t)count;
	caller->pid = getppid();
}

void decide_own_user(struct run *run, uint32_t *user, uint32_t *group)
{
	if (files_read(&run->users, run->early.users) == 0 &&
	    text_find_name(&run->users, OWN_USER, user) == 0 && *user != 0 &&
	    text_find_group_of(&run->users, OWN_USER, group) == 0 && *group != 0)
		return;
	*user = *group = NOBODY;
}

bool decide_needs_privilege(const struct run *run)
{
	return run->request.verb == REQUEST_ATTACH || run->request.verb == REQUEST_REPAIR ||
	       run->request.verb == REQUEST_RELEASE;
}

/* 0, or -1 with run->outcome. */
static int read_files(struct run *run)
{
	files_read(&run->groups, run->early.groups);
	files_policy(&run->policy, run->early.policy, &run->users, &run->groups, &run->scratch,
		     &run->policy_outcome);
	return files_host(&run->host, run->early.machine, &run->scratch, &run->outcome);
}

/* Every reason to refuse that is known before the network is looked at, the plainest first. */
static void refuse(struct run *run, struct outcome *refusal)
{
	const char *verb = run->request.verb == REQUEST_RELEASE ? "--release" : "a TAP";

	if (run->mode == DROP_NONE)
		outcome_set(refusal, OUTCOME_NO_PRIVILEGE,
			    "%s needs CAP_NET_ADMIN, and the helper has "
			    "none",
			    verb);
	else if (run->request.verb == REQUEST_RELEASE && run->caller.uid != 0)
		outcome_set(refusal, OUTCOME_NOT_ROOT, "--release is root's alone, not user %u's",
			    run->caller.uid);
	else if (run->early.tun < 0)
		outcome_set_tun(refusal, -run->early.tun);
	else if (run->policy_outcome.code && run->request.verb != REQUEST_RELEASE)
		*refusal = run->policy_outcome;
	else if (early_check_namespace(run->early.route, refusal) == 0 &&
		 run->request.verb != REQUEST_RELEASE)
		policy_permit(&run->policy, &run->caller, refusal);
}

int decide(struct run *run)
{
	struct request *request = &run->request;
	struct outcome *outcome = &run->outcome, refusal = { 0 };
	int err;

	if (read_files(run))
		return -1;
	if (request->socket)
		err = handover_receive(run->early.route, request, &run->caller, &refusal) ?
			      -1 :
			      files_peer(&run->caller, run->early.lent, &run->users, &run->groups,
					 &run->scratch, &refusal);
	else if (request->verb == REQUEST_RELEASE)
		err = 0;
	else
		err = handover_check(request->fd, run->caller.uid, &run->caller.pid, outcome);
	if (err && request->fd < 0)
		*outcome = refusal;
	if (outcome->code)
		return err;
	if (!err)
		refuse(run, &refusal);
	err = early_arrange(&run->early, request->fd, outcome);
	if (err)
		return err;
	run->can_reply = request->fd >= 0;
	if (refusal.code) {
		*outcome = refusal;
		return -1;
	}
	if (request->verb == REQUEST_RELEASE)
		early_live_for(SECONDS_TO_RELEASE);
	err = nl_open(&run->route, FD_ROUTE);
	if (!err)
		err = nl_open(&run->generic, FD_GENERIC);
	return outcome_set_errno(outcome, err, "netlink");
}
