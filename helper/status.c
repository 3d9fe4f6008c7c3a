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

/* One piece of a fact: text, or where that is NULL a number. */
struct field {
	const char *key;
	const char *text;
	unsigned long long number;
};

struct printer {
	bool json;
	bool any; /* something was printed already */
};

static size_t put(char *line, size_t len, size_t size, const char *text, bool quoted)
{
	for (; *text && len + 3 < size; text++) {
		if (quoted && (*text == '"' || *text == '\\'))
			line[len++] = '\\';
		line[len++] = (char)(*text < ' ' || *text > '~' ? '?' : *text);
	}
	return len;
}

/*
 * A fact is one line: for people "name  value, key value, …", and as JSON one object of the list
 * "facts", {"fact": name, key: value, …}. The first field's key is left out for people.
 */
static void fact(struct printer *p, const char *name, const struct field *fields, size_t count)
{
	char line[480], number[24];
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		const struct field *f = &fields[i];
		const bool text = f->text != NULL;

		snprintf(number, sizeof(number), "%llu", f->number);
		len = put(line, len, sizeof(line), p->json || i ? ", " : "", false);
		if (p->json)
			len = put(line, len, sizeof(line), "\"", false);
		if (p->json || i)
			len = put(line, len, sizeof(line), f->key, false);
		len = put(line, len, sizeof(line),
			  p->json ? (text ? "\": \"" : "\": ") :
			  i	  ? " " :
				    "",
			  false);
		len = put(line, len, sizeof(line), text ? f->text : number, p->json);
		if (p->json && text)
			len = put(line, len, sizeof(line), "\"", false);
	}
	line[len] = '\0';
	if (p->json)
		say_line(FD_OUT, "  %s{\"fact\": \"%s\"%s}", p->any ? "," : "", name, line);
	else
		say_line(FD_OUT, "%-12s %s", name, line);
	p->any = true;
}

#define FACT(p, name, ...)                                                                         \
	fact(p, name, (const struct field[]){ __VA_ARGS__ },                                       \
	     sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field))

static void print_policy(struct printer *p, const struct status *s)
{
	static const char *const whom[] = { "all", "user", "group" };
	char text[OUTCOME_TEXT_SIZE], name[REQUEST_USER_SIZE];

	FACT(p, "policy", { "file", POLICY_FILE, 0 },
	     { "state",
	       s->policy_outcome->code ? outcome_text(s->policy_outcome, text, sizeof(text)) :
	       s->policy->missing      ? "missing: only root is allowed" :
					 "valid",
	       0 });
	for (size_t i = 0; i < s->policy->rule_count; i++) {
		const struct policy_rule *r = &s->policy->rules[i];

		name_of(r->who == POLICY_USER ? s->users : s->groups, r->id, name, sizeof(name));
		FACT(p, "rule", { "verdict", r->allow ? "allow" : "deny", 0 },
		     { whom[r->who], r->who == POLICY_ALL ? "users" : name, 0 },
		     { "line", NULL, r->line });
	}
}

static void print_tap(struct printer *p, struct nl *nl, const struct status *s,
		      const struct tap *tap, const struct link *link)
{
	char name[REQUEST_USER_SIZE], mac[MAC_TEXT_LEN];
	const char *pid = strstr(link->alias, " pid=");
	uint64_t drops = 0;

	tc_drops(nl, tap->index, &drops);
	/* as the guest counts: what the TAP receives is what the guest sent */
	FACT(p, "tap", { "name", tap->name, 0 },
	     { "user", name_of(s->users, tap->uid, name, sizeof(name)), 0 },
	     { "slot", NULL, tap->slot }, { "mac", mac_format(&tap->guest, mac), 0 },
	     { "pid", pid ? pid + 5 : "unknown", 0 }, { "sent", NULL, link->rx_packets },
	     { "received", NULL, link->tx_packets }, { "forged", NULL, drops });
}

/* Why this caller would be refused now, before the network is looked at. */
static void find_refusal(const struct status *s, struct outcome *refusal)
{
	*refusal = *s->policy_outcome;
	if (!refusal->code && s->mode == DROP_NONE)
		outcome_set(refusal, OUTCOME_NO_PRIVILEGE, "the helper has no CAP_NET_ADMIN");
	if (!refusal->code && s->early->tun < 0)
		outcome_set_tun(refusal, -s->early->tun);
	if (!refusal->code)
		policy_permit(s->policy, s->caller, refusal);
}

/* What `ether auto` would get now, and why not more. */
static void print_auto(struct printer *p, const struct outcome *refusal, const struct plan *plan)
{
	char text[OUTCOME_TEXT_SIZE];

	FACT(p, "ether auto",
	     { "attach", refusal->code ? "peer to peer only" : attach_name(plan->attach), 0 },
	     { "code", outcome_name(refusal->code), 0 },
	     { "because",
	       refusal->code ? outcome_text(refusal, text, sizeof(text)) :
	       plan->why[0]  ? plan->why :
			       plan->chosen,
	       0 });
}

int status_print(struct nl *route, struct nl *generic, const struct status *status, bool json,
		 struct outcome *outcome)
{
	static struct taps taps;
	struct outcome refusal, uplink = { 0 };
	struct printer p = { .json = json };
	struct plan plan;
	struct hub hub;
	uint64_t drops = 0;
	int err;

	if (hub_find(route, status->host, &hub, outcome))
		return -1;
	route->counters = true;
	err = tap_list(route, status->host, &taps);
	if (err)
		return outcome_set(outcome, OUTCOME_SYSTEM, "listing TAPs: %s", strerror(-err));
	if (json)
		say_line(FD_OUT, "{\"version\": 1, \"facts\": [");
	find_refusal(status, &refusal);
	uplink_plan(route, generic, status->policy, "", &plan, &uplink);
	print_policy(&p, status);
	FACT(&p, "privilege", { "mode", drop_mode_name(status->mode), 0 },
	     { "user", NULL, status->caller->uid });
	FACT(&p, "uplink", { "name", plan.uplink.index ? plan.uplink.name : "none", 0 },
	     { "because",
	       uplink.code	 ? uplink.what :
	       plan.uplink.index ? plan.chosen :
				   plan.why,
	       0 });
	if (hub.lan)
		tc_drops(route, hub.lan, &drops);
	FACT(&p, "attachment", { "attach", hub.index ? attach_name(hub.attach) : "none stands", 0 },
	     { "taps", NULL, taps.count }, { "refused", NULL, drops });
	for (size_t i = 0; i < taps.count; i++)
		print_tap(&p, route, status, &taps.tap[i], &taps.link[i]);
	print_auto(&p, refusal.code ? &refusal : &uplink, &plan);
	if (json)
		say_line(FD_OUT, "] }");
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
			return outcome_set(outcome, OUTCOME_USAGE,
					   "there is no user %s in /etc/passwd", user);
		name_of(status->users, who->uid, name, sizeof(name));
		who->gid = UINT32_MAX; /* nobody's, where passwd does not say */
		text_find_group_of(status->users, name, &who->gid);
		count = text_find_groups(status->groups, name, who->groups, 65536);
		if (count < 0)
			return outcome_set(outcome, OUTCOME_SYSTEM,
					   "user %u is in more groups than a process can have",
					   who->uid);
		who->group_count = (size_t)count;
	}
	decision = policy_decide(status->policy, who);
	if (decision.line)
		say_line(FD_OUT, "user %u: %s by %s:%u", who->uid,
			 decision.allow ? "allowed" : "denied", POLICY_FILE, decision.line);
	else
		say_line(FD_OUT, "user %u: %s, no line of %s matches", who->uid,
			 decision.allow ? "allowed as root" : "denied", POLICY_FILE);
	return decision.allow ? 0 : policy_permit(status->policy, who, outcome);
}
