/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c: see status.h. Only reads. The exit status is for scripts, the lines are for people.
 */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "early.h"
#include "number.h"
#include "say.h"
#include "tc.h"

static const char *name_of(struct text *names, uint32_t id, char *to, size_t size)
{
	if (text_find_id(names, id, to, size))
		snprintf(to, size, "%u", id);
	return to;
}

static void print_policy(const struct status *s)
{
	static const char *const whom[] = { "all", "user", "group" };
	char text[OUTCOME_TEXT_SIZE], name[REQUEST_USER_SIZE];

	if (s->policy_outcome->code || s->policy->missing)
		say_line(FD_OUT, "policy       %s", s->policy->missing ?
			 "there is no " POLICY_FILE ": only root" :
			 outcome_text(s->policy_outcome, text, sizeof(text)));
	for (size_t i = 0; i < s->policy->rule_count; i++) {
		const struct policy_rule *r = &s->policy->rules[i];

		say_line(FD_OUT, "policy       %s:%u %s %s %s", POLICY_FILE, r->line,
			 r->allow ? "allow" : "deny", whom[r->who],
			 r->who == POLICY_ALL ? "" :
			 name_of(r->who == POLICY_USER ? s->users : s->groups, r->id, name,
				 sizeof(name)));
	}
}

static void print_taps(struct nl *nl, const struct status *s, struct taps *taps)
{
	char name[REQUEST_USER_SIZE], mac[MAC_TEXT_LEN];

	if (taps->count == 0)
		say_line(FD_OUT, "taps         none");
	for (size_t i = 0; i < taps->count; i++) {
		const struct tap *tap = &taps->tap[i];
		const struct link *link = &taps->link[i];
		const char *pid = strstr(link->alias, " pid=");
		uint64_t drops = 0;

		tc_drops(nl, tap->index, &drops);
		/* as the guest counts: what the TAP receives is what the guest sent */
		say_line(FD_OUT, "tap          %s user %s slot %u mac %s pid %s sent %llu received %llu "
			 "forged %llu", tap->name, name_of(s->users, tap->uid, name, sizeof(name)),
			 tap->slot, mac_format(&tap->guest, mac), pid ? pid + 5 : "unknown",
			 link->rx_packets, link->tx_packets, (unsigned long long)drops);
	}
}

int status_print(struct nl *route, struct nl *generic, const struct status *status, bool json,
		 struct outcome *outcome)
{
	static struct taps taps;
	struct outcome refusal = *status->policy_outcome, none = { 0 };
	char text[OUTCOME_TEXT_SIZE];
	struct plan plan;
	struct hub hub;
	uint64_t drops = 0;
	int err;

	(void)json;
	print_policy(status);
	say_line(FD_OUT, "privilege    %s", drop_mode_name(status->mode));
	if (!refusal.code && status->mode == DROP_NONE)
		outcome_set(&refusal, OUTCOME_NO_PRIVILEGE, "the helper has no CAP_NET_ADMIN");
	if (!refusal.code && status->early->tun < 0)
		outcome_set(&refusal, OUTCOME_NO_TUN, "/dev/net/tun: %s",
			    strerror(-status->early->tun));
	if (!refusal.code)
		policy_permit(status->policy, status->caller, &refusal);
	if (uplink_plan(route, generic, status->policy, "", &plan, refusal.code ? &none : &refusal))
		say_line(FD_OUT, "uplink       %s", outcome_text(none.code ? &none : &refusal, text,
								   sizeof(text)));
	else if (plan.uplink.index)
		say_line(FD_OUT, "uplink       %s: %s", plan.uplink.name, plan.chosen);
	else
		say_line(FD_OUT, "uplink       none: %s", plan.why);
	if (hub_find(route, status->host, &hub, outcome))
		return -1;
	tc_drops(route, hub.lan, &drops);
	say_line(FD_OUT, "attachment   %s%s, %llu frames of guests refused",
		 hub.index ? attach_name(hub.attach) : "none stands", hub.index ? " stands" : "",
		 (unsigned long long)drops);
	err = tap_list(route, status->host, &taps);
	if (err)
		return outcome_set(outcome, OUTCOME_SYSTEM, "listing TAPs: %s", strerror(-err));
	print_taps(route, status, &taps);
	if (refusal.code)
		say_line(FD_OUT, "ether auto   peer to peer only: %s",
			 outcome_text(&refusal, text, sizeof(text)));
	else
		say_line(FD_OUT, "ether auto   %s%s%s", attach_name(plan.attach),
			 plan.why[0] ? ": " : "", plan.why);
	return 0;
}

int status_check(const struct status *status, const char *user, struct caller *who,
		 struct outcome *outcome)
{
	char name[REQUEST_USER_SIZE];
	struct decision decision;
	int count;

	if (status->policy_outcome->code) {
		*outcome = *status->policy_outcome;
		return -1;
	}
	if (user[0]) {
		if (number_parse(user, strlen(user), UINT32_MAX - 1, &who->uid) &&
		    text_find_name(status->users, user, &who->uid))
			return outcome_set(outcome, OUTCOME_USAGE, "there is no user %s in /etc/passwd",
					   user);
		name_of(status->users, who->uid, name, sizeof(name));
		text_find_group_of(status->users, name, &who->gid);
		count = text_find_groups(status->groups, name, who->groups, 65536);
		who->group_count = count < 0 ? 0 : (size_t)count;
	}
	decision = policy_decide(status->policy, who);
	if (decision.line)
		say_line(FD_OUT, "user %u: %s by %s:%u", who->uid, decision.allow ? "allowed" : "denied",
			 POLICY_FILE, decision.line);
	else
		say_line(FD_OUT, "user %u: %s, no line of %s matches", who->uid,
			 decision.allow ? "allowed as root" : "denied", POLICY_FILE);
	return decision.allow ? 0 : policy_permit(status->policy, who, outcome);
}
