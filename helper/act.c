/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * act.c: see act.h. What is done, in order, and nothing of how: that is in the files it calls.
 */
#include "act.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "patch_port.h"
#include "say.h"
#include "status.h"

#define OWN_USER "_basilisk-tap"
#define NOBODY 65534
#define CONNECT_TRIES 3

void act_note_caller(struct run *run)
{
	struct caller *caller = &run->caller;
	int count = getgroups(sizeof(caller->groups) / sizeof(caller->groups[0]), caller->groups);

	caller->uid = getuid();
	caller->gid = getgid();
	caller->group_count = count < 0 ? 0 : (size_t)count;
	caller->pid = getppid();
}

void act_own_user(struct run *run, uint32_t *user, uint32_t *group)
{
	if (run->early.users > 0 && text_read(&run->users, run->early.users) == 0 &&
	    text_find_name(&run->users, OWN_USER, user) == 0 && *user != 0 &&
	    text_find_group_of(&run->users, OWN_USER, group) == 0 && *group != 0)
		return;
	*user = *group = NOBODY;
}

bool act_needs_privilege(const struct run *run)
{
	return run->request.verb == REQUEST_ATTACH || run->request.verb == REQUEST_REPAIR ||
	       run->request.verb == REQUEST_RELEASE;
}

/*
 * The bytes that tell this host from others: /etc/machine-id, or its name where there is none. A
 * file that is there but cannot be read must not make it another host.
 */
static int read_host(struct run *run)
{
	char name[HOST_NAME_MAX + 1] = "";
	const char *identity = run->scratch.bytes;
	size_t len = 0;
	int err = run->early.machine;

	if (err >= 0) {
		err = text_read(&run->scratch, run->early.machine);
		len = mac_identity_len(identity, run->scratch.len);
	}
	if (err < 0 && err != -ENOENT)
		return outcome_set(&run->outcome, OUTCOME_SYSTEM, "/etc/machine-id: %s",
				   strerror(-err));
	if (err || len == 0) {
		gethostname(name, sizeof(name) - 1);
		identity = name;
		len = strlen(name);
	}
	run->host = mac_host(identity, len);
	return 0;
}

static int read_files(struct run *run)
{
	if (run->early.groups < 0 || text_read(&run->groups, run->early.groups))
		run->groups.len = 0;
	policy_load(&run->policy, run->early.policy, &run->users, &run->groups, &run->scratch,
		    &run->policy_outcome);
	return read_host(run);
}

static void print_help(void)
{
	static const char *const lines[] = {
		"usage: basilisk-tap-helper --fd=N [--slot=N] [--br=NAME] [--use-vnet]",
		"       basilisk-tap-helper --repair --fd=N --slot=N [--br=NAME]",
		"       basilisk-tap-helper --status [--json] | --check [--user=NAME] | --release",
		"  --fd=N      send the TAP's descriptor over the unix socket N (3 or more)",
		"  --slot=N    the caller's slot, 0 to 15; the reply is then the shim's",
		"  --br=NAME   auto: what the policy says; or a bridge that a 'join' line names",
		"  --repair    ensure again all that belongs to the live TAP of that slot",
		"  --status    who may attach, and how; needs no privilege",
		"  --check     what the policy says of the caller, or of --user",
		"  --release   take the attachment down; root only, when no TAP is left",
		"  --socket    serve the one request that comes over descriptor 0 (service manager)",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		say_line(FD_OUT, "%s", lines[i]);
	for (unsigned int code = 0; code < OUTCOME_COUNT; code++)
		say_line(FD_OUT, "  exit %-2u %s: %s", code, outcome_name(code),
			 outcome_sentence(code));
}

/* --status and --check, which look at the same things. */
static int tell_state(struct run *run)
{
	struct status status = { .mode = run->mode,
				 .policy = &run->policy,
				 .policy_outcome = &run->policy_outcome,
				 .caller = &run->caller,
				 .early = &run->early,
				 .users = &run->users,
				 .groups = &run->groups };
	int err;

	if (read_files(run))
		return -1;
	status.host = run->host;
	if (run->request.verb == REQUEST_CHECK)
		return status_check(&status, run->request.user, &run->caller, &run->outcome);
	err = nl_open(&run->route, run->early.route);
	if (!err)
		err = nl_open(&run->generic, run->early.generic);
	if (err)
		return outcome_set(&run->outcome, OUTCOME_SYSTEM, "netlink: %s", strerror(-err));
	return status_print(&run->route, &run->generic, &status, run->request.json, &run->outcome);
}

int act_tell(struct run *run)
{
	char text[OUTCOME_TEXT_SIZE];

	if (drop_all(&run->outcome) == 0) {
		early_live_for(0); /* without any privilege it may wait for a slow reader */
		if (run->request.verb == REQUEST_HELP)
			print_help();
		else if (run->request.verb == REQUEST_VERSION)
			say_line(FD_OUT, "basilisk-tap-helper %s", VERSION);
		else
			tell_state(run);
	}
	if (run->outcome.code)
		say_line(FD_ERR, "basilisk-tap-helper: %s",
			 outcome_text(&run->outcome, text, sizeof(text)));
	return (int)run->outcome.code;
}

/* Every reason to refuse that is known before the network is looked at, the plainest first. */
static void refuse(struct run *run, struct outcome *refusal)
{
	const char *verb = run->request.verb == REQUEST_RELEASE ? "--release" : "a TAP";

	if (run->mode == DROP_NONE)
		outcome_set(refusal, OUTCOME_NO_PRIVILEGE, "%s needs CAP_NET_ADMIN, and the helper has "
			    "none", verb);
	else if (run->request.verb == REQUEST_RELEASE && run->caller.uid != 0)
		outcome_set(refusal, OUTCOME_NOT_ROOT, "--release is root's alone, not user %u's",
			    run->caller.uid);
	else if (run->early.tun < 0)
		outcome_set(refusal, OUTCOME_NO_TUN, "/dev/net/tun: %s", strerror(-run->early.tun));
	else if (run->policy_outcome.code && run->request.verb != REQUEST_RELEASE)
		*refusal = run->policy_outcome;
	else if (early_check_namespace(run->early.route, refusal) == 0 &&
		 run->request.verb != REQUEST_RELEASE)
		policy_permit(&run->policy, &run->caller, refusal);
}

int act_decide(struct run *run)
{
	struct request *request = &run->request;
	struct outcome *outcome = &run->outcome, refusal = { 0 };
	int err;

	if (read_files(run))
		return -1;
	if (request->socket)
		err = handover_receive(run->early.route, request, &run->caller, outcome);
	else if (request->verb == REQUEST_RELEASE)
		err = 0;
	else
		err = handover_check(request->fd, run->caller.uid, &run->caller.pid, outcome);
	if (err)
		return err;
	refuse(run, &refusal);
	err = early_arrange(&run->early, request->fd, outcome);
	if (err)
		return err;
	run->can_reply = request->fd >= 0;
	if (refusal.code) {
		*outcome = refusal;
		return -1;
	}
	err = nl_open(&run->route, FD_ROUTE);
	if (!err)
		err = nl_open(&run->generic, FD_GENERIC);
	return err ? outcome_set(outcome, OUTCOME_SYSTEM, "netlink: %s", strerror(-err)) : 0;
}

/* A host has one hub, so one LAN: whoever asks for another while TAPs are alive is refused. */
static int check_other(struct run *run, struct hub *hub)
{
	static struct taps taps;
	const bool asked = run->request.br[0];
	bool same, renamed;
	int err;

	if (hub_find(&run->route, run->host, hub, &run->outcome))
		return -1;
	same = hub->attach == run->plan.attach && hub->uplink == run->plan.uplink.index;
	renamed = hub->index && hub->host != run->host;
	if (!renamed && (hub->attach == ATTACH_NO || same || (!asked && !hub->asked)))
		return 0;
	err = tap_list(&run->route, run->host, &taps);
	if (err)
		return outcome_set(&run->outcome, OUTCOME_SYSTEM, "listing TAPs: %s", strerror(-err));
	if (taps.count == 0)
		return 0;
	if (renamed)
		return outcome_set(&run->outcome, OUTCOME_OTHER_ATTACHMENT,
				   "%zu TAPs have MACs of another machine-id or host name than this",
				   taps.count);
	return outcome_set(&run->outcome, OUTCOME_OTHER_ATTACHMENT,
			   "%zu TAPs of this host are attached by %s to another interface", taps.count,
			   attach_name(hub->attach));
}

/* From the TAP to the NIC, the NIC last. */
static int connect_tap(struct run *run, struct hub *hub)
{
	struct nl *nl = &run->route;
	int err;

	if (hub_ensure(nl, run->host, &run->plan, run->policy.serve, hub, &run->outcome))
		return -1;
	err = tap_configure(nl, &run->tap, &run->caller, hub->index);
	if (!err)
		err = hub_add(nl, hub, &run->tap);
	if (!err)
		err = hub_sweep(nl, run->host, hub, &run->tap);
	if (err)
		return outcome_set(&run->outcome, OUTCOME_SYSTEM, "the filters of %s: %s",
				   run->tap.name, strerror(-err));
	err = patch_port_connect(nl, hub, &run->plan, &run->tap);
	if ((err == -EEXIST || err == -EOPNOTSUPP || err == -EINVAL) && run->policy.attach_auto) {
		char why[OUTCOME_WHAT_SIZE];

		snprintf(why, sizeof(why), err == -EEXIST ? "an 'ingress' qdisc is in the way on %s" :
			 "%s takes no traffic control filters", run->plan.uplink.name);
		uplink_fall_back(&run->plan, ATTACH_NONE, why);
		return connect_tap(run, hub);
	}
	if (err)
		return outcome_set(&run->outcome, OUTCOME_UPLINK_UNFIT, "connecting to %s: %s",
				   run->plan.uplink.name, err == -EEXIST ?
				   "an 'ingress' qdisc is in the way" : strerror(-err));
	return 0;
}

/* What was built may have been taken down meanwhile, by --release or with the card. */
static bool is_standing(struct run *run, const struct hub *hub)
{
	struct outcome ignored = { 0 };
	struct link link;
	struct hub now;

	if (hub_find(&run->route, run->host, &now, &ignored) || now.index != hub->index ||
	    now.attach != hub->attach || now.uplink != hub->uplink || now.releasing)
		return false;
	if (hub->uplink && link_find(&run->route, NULL, hub->uplink, &link))
		return false;
	return link_find(&run->route, NULL, run->tap.index, &link) == 0 && (link.flags & IFF_UP);
}

static int connect_and_check(struct run *run, struct hub *hub)
{
	struct hub made;

	for (int tries = 0; tries < CONNECT_TRIES; tries++) {
		if (connect_tap(run, hub))
			return -1;
		if (is_standing(run, hub))
			return 0;
		made = *hub;
		if (hub_find(&run->route, run->host, hub, &run->outcome))
			return -1;
	}
	patch_port_disconnect(&run->route, &made);
	return outcome_set(&run->outcome, OUTCOME_SYSTEM,
			   "the attachment of %s changed while it was made", run->tap.name);
}

static int attach(struct run *run)
{
	const struct request *request = &run->request;
	const int slot = request->has_slot ? (int)request->slot : -1;
	struct hub hub;

	if (uplink_plan(&run->route, &run->generic, &run->policy, request->br, &run->plan,
			&run->outcome) ||
	    check_other(run, &hub))
		return -1;
	/* the TAP first, and down: who is over the quota has changed nothing */
	if (request->verb == REQUEST_REPAIR ?
		    tap_find(&run->route, FD_TUN, run->host, &run->caller, slot, &run->tap,
			     &run->outcome) :
		    tap_create(&run->route, FD_TUN, run->host, &run->caller, slot, &run->policy,
			       &run->tap, &run->outcome))
		return -1;
	run->plan.asked = request->br[0];
	return connect_and_check(run, &hub);
}

/* 0 where no TAP is alive; leftovers are removed. Or -1 with OUTCOME_IN_USE naming them. */
static int check_unused(struct run *run)
{
	static struct taps taps;
	char names[OUTCOME_WHAT_SIZE - 16] = "";
	size_t len = 0;
	int err = tap_list(&run->route, run->host, &taps);

	for (size_t i = 0; !err && i < taps.count; i++) {
		int alive = tap_is_alive(&run->route, FD_TUN, &taps.tap[i]);

		if (alive < 0)
			err = alive;
		else if (alive && len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s %s of user %u",
						len ? "," : "", taps.tap[i].name, taps.tap[i].uid);
	}
	if (err)
		return outcome_set(&run->outcome, OUTCOME_SYSTEM, "listing TAPs: %s", strerror(-err));
	return names[0] ? outcome_set(&run->outcome, OUTCOME_IN_USE, "still alive:%s", names) : 0;
}

/*
 * A helper that makes a TAP meanwhile either has it before the second look, which then stops us, or
 * finds the note gone when it has connected it, and connects it once more.
 */
static int release(struct run *run)
{
	struct nl *nl = &run->route;
	struct hub hub;
	int err = 0;

	if (check_unused(run) || hub_find(nl, run->host, &hub, &run->outcome))
		return -1;
	hub.releasing = true;
	if (hub.index)
		err = hub_note(nl, &hub);
	if (!err && check_unused(run)) {
		hub.releasing = false;
		hub_note(nl, &hub);
		return -1;
	}
	if (!err)
		err = hub_release(nl, run->host, &hub);
	return err ? outcome_set(&run->outcome, OUTCOME_SYSTEM, "releasing: %s", strerror(-err)) : 0;
}

int act_do(struct run *run)
{
	return run->request.verb == REQUEST_RELEASE ? release(run) : attach(run);
}

static int send_reply(const struct run *run)
{
	const bool hands_fd = run->outcome.code == OUTCOME_OK && run->request.verb == REQUEST_ATTACH;
	struct reply reply = { .code = run->outcome.code, .attach = run->plan.attach,
			       .slot = run->tap.slot, .mac = run->tap.guest };
	uint8_t message[REPLY_LEN];

	if (!run->request.has_slot) /* QEMU's: success is one NUL byte, refusal the exit status */
		return run->outcome.code ? -EACCES : handover_send("", 1, FD_TUN);
	memcpy(reply.tap, run->tap.name, sizeof(reply.tap));
	memcpy(reply.uplink, run->plan.uplink.name, sizeof(reply.uplink));
	if (run->outcome.code)
		outcome_text(&run->outcome, reply.text, sizeof(reply.text));
	else
		snprintf(reply.text, sizeof(reply.text), "%s", run->plan.why);
	reply_encode(&reply, message);
	return handover_send(message, sizeof(message), hands_fd ? FD_TUN : -1);
}

static void log_outcome(const struct run *run)
{
	const unsigned int line = policy_decide(&run->policy, &run->caller).line;

	say_log(run->early.log, "uid=%u pid=%d result=%s rule=%s:%u tap=%s attach=%s uplink=%s",
		run->caller.uid, run->caller.pid, outcome_name(run->outcome.code), POLICY_FILE, line,
		run->tap.name, attach_name(run->plan.attach), run->plan.uplink.name);
}

void act_hand_over(struct run *run)
{
	struct outcome *outcome = &run->outcome;
	char text[OUTCOME_TEXT_SIZE];
	int err;

	/* before the caller knows: afterwards he may be able to end us */
	log_outcome(run);
	err = run->can_reply ? send_reply(run) : -EBADF;
	if (err && outcome->code == OUTCOME_OK && run->can_reply) {
		outcome_set(outcome, OUTCOME_HANDOVER, "the reply could not be sent: %s",
			    strerror(-err));
		log_outcome(run);
	}
	if (err && outcome->code)
		say_line(FD_ERR, "basilisk-tap-helper: %s",
			 outcome_text(outcome, text, sizeof(text)));
}
