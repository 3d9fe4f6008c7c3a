/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c: --status: what stands, who may attach, and what `ether auto` would get. Only reads.
 */
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include "counters.h"
#include "hub.h"
#include "report.h"
#include "request.h"
#include "state.h"
#include "taps.h"
#include "uplink.h"

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

/* Names and sentences are printable ASCII; what else is in them came from outside. */
static void print_text(const char *text, bool quoted)
{
	for (; *text; text++) {
		if (quoted && (*text == '"' || *text == '\\'))
			putchar('\\');
		putchar(*text < ' ' || *text > '~' ? '?' : *text);
	}
}

/* "key": "text", or a number as it is. */
static void print_json(const struct field *f)
{
	printf(", \"%s\": ", f->key);
	if (!f->text) {
		printf("%llu", f->number);
		return;
	}
	putchar('"');
	print_text(f->text, true);
	putchar('"');
}

static void print_plain(const struct field *f, bool first)
{
	if (!first)
		printf(", %s ", f->key);
	if (f->text)
		print_text(f->text, false);
	else
		printf("%llu", f->number);
}

/*
 * A fact is one line: for people "name  value, key value, …", and as JSON one object of the list
 * "facts", {"fact": name, key: value, …}. The first field's key is left out for people.
 */
static void fact(struct printer *p, const char *name, const struct field *fields, size_t count)
{
	if (p->json)
		printf("  %s{\"fact\": \"%s\"", p->any ? "," : "", name);
	else
		printf("%-12s ", name);
	for (size_t i = 0; i < count; i++) {
		if (p->json)
			print_json(&fields[i]);
		else
			print_plain(&fields[i], i == 0);
	}
	puts(p->json ? "}" : "");
	p->any = true;
}

#define FACT(p, name, ...)                                                                         \
	fact(p, name, (const struct field[]){ __VA_ARGS__ },                                       \
	     sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field))

static void print_policy(struct printer *p, struct report *r)
{
	static const char *const whom[] = { "all", "user", "group" };
	char text[OUTCOME_TEXT_SIZE], name[REQUEST_USER_SIZE];

	FACT(p, "policy", { "file", POLICY_FILE, 0 },
	     { "state",
	       r->policy_outcome.code ? outcome_text(&r->policy_outcome, text, sizeof(text)) :
	       r->policy.missing      ? "missing: only root is allowed" :
					"valid",
	       0 });
	for (size_t i = 0; i < r->policy.rule_count; i++) {
		const struct policy_rule *rule = &r->policy.rules[i];

		report_name_of(rule->who == POLICY_USER ? &r->users : &r->groups, rule->id, name,
			       sizeof(name));
		FACT(p, "rule", { "verdict", rule->allow ? "allow" : "deny", 0 },
		     { whom[rule->who], rule->who == POLICY_ALL ? "users" : name, 0 },
		     { "line", NULL, rule->line });
	}
}

static void print_tap(struct printer *p, struct report *r, const struct tap *tap,
		      const struct link *link)
{
	char name[REQUEST_USER_SIZE], mac[MAC_TEXT_LEN];
	const char *pid = strstr(link->alias, " pid=");
	struct counters counters;

	counters_read(&r->route, tap->index, &counters);
	/* as the guest counts: what the TAP receives is what the guest sent */
	FACT(p, "tap", { "name", tap->name, 0 },
	     { "user", report_name_of(&r->users, tap->uid, name, sizeof(name)), 0 },
	     { "slot", NULL, tap->slot }, { "mac", mac_format(&tap->guest, mac), 0 },
	     { "pid", pid ? pid + 5 : "unknown", 0 }, { "sent", NULL, counters.received },
	     { "received", NULL, counters.sent }, { "forged", NULL, counters.dropped });
}

static void print_attachment(struct printer *p, struct report *r, const struct hub *hub,
			     const struct taps *taps)
{
	const char *amiss = hub->index ? state_amiss(&r->route, hub, taps, r->policy.serve) : NULL;
	struct counters counters = { 0 };
	struct link to = { .index = 0 };
	char state[80];

	snprintf(state, sizeof(state),
		 "%s is not as the helper makes it: the next start mends that", amiss ? amiss : "");
	if (hub->lan)
		counters_read(&r->route, hub->lan, &counters);
	if (hub->uplink)
		link_find(&r->route, NULL, hub->uplink, &to);
	FACT(p, "attachment",
	     { "attach", hub->index ? attach_name(hub->attach) : "none stands", 0 },
	     { "to", to.index ? to.name : "none", 0 }, { "taps", NULL, taps->count },
	     { "refused", NULL, counters.dropped },
	     { "state",
	       !hub->index ? "nothing" :
	       amiss	   ? state :
			     "whole",
	       0 });
}

/* Why this caller would be refused now, before the network is looked at. */
static void find_refusal(const struct report *r, struct outcome *refusal)
{
	*refusal = r->policy_outcome;
	if (!refusal->code && strcmp(r->facts.mode, "none") == 0)
		outcome_set(refusal, OUTCOME_NO_PRIVILEGE, "the helper has no CAP_NET_ADMIN");
	if (!refusal->code && r->facts.tun)
		outcome_set_tun(refusal, -r->facts.tun);
	if (!refusal->code)
		policy_permit(&r->policy, &r->caller, refusal);
}

/*
 * What else would be in the way of one more TAP of the caller's, or make less of it, in the order
 * in which the helper looks. What a holder has left behind the next start removes: it is not
 * counted.
 */
static void find_obstacle(struct report *r, const struct hub *hub, struct taps *taps,
			  struct plan *plan, struct outcome *refusal)
{
	size_t own = 1, live = 0;

	for (size_t i = 0; i < taps->count; i++) {
		if (taps->link[i].leftover && !taps->link[i].carrier)
			continue;
		own += taps->tap[i].uid == r->caller.uid;
		taps->tap[live] = taps->tap[i];
		taps->link[live++] = taps->link[i];
	}
	taps->count = live;
	if (policy_check_quota(&r->policy, own, live + 1, refusal) == 0 &&
	    hub_check_others(hub, r->host, taps, live, plan, refusal) == 0)
		uplink_check_card(&r->route, &r->policy, hub->attach, hub->uplink, plan, refusal);
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

static int open_netlink(struct nl *nl, int family, struct outcome *outcome)
{
	const int fd = nl_socket(family), err = fd < 0 ? fd : nl_open(nl, fd);

	return outcome_set_errno(outcome, err, "netlink");
}

int report_status(struct report *r, bool json, struct outcome *outcome)
{
	static struct taps taps;
	struct outcome refusal, uplink = { 0 }, foreign = { 0 };
	struct printer p = { .json = json };
	struct plan plan;
	struct hub hub;
	int err;

	if (open_netlink(&r->route, NETLINK_ROUTE, outcome) ||
	    open_netlink(&r->generic, NETLINK_GENERIC, outcome))
		return -1;
	/* somebody else has our names: that, too, is to be told */
	if (hub_find(&r->route, r->host, &hub, &foreign) &&
	    foreign.code != OUTCOME_FOREIGN_DEVICE) {
		*outcome = foreign;
		return -1;
	}
	err = taps_list(&r->route, r->host, &taps);
	if (outcome_set_errno(outcome, err, "listing TAPs"))
		return -1;
	if (json)
		puts("{\"version\": 1, \"facts\": [");
	find_refusal(r, &refusal);
	uplink_plan(&r->route, &r->generic, &r->policy, "", &plan, &uplink);
	print_policy(&p, r);
	FACT(&p, "privilege", { "mode", r->facts.mode, 0 }, { "user", NULL, r->caller.uid });
	FACT(&p, "uplink", { "name", plan.uplink.index ? plan.uplink.name : "none", 0 },
	     { "because",
	       uplink.code	 ? uplink.what :
	       plan.uplink.index ? plan.chosen :
				   plan.why,
	       0 });
	print_attachment(&p, r, &hub, &taps);
	for (size_t i = 0; i < taps.count; i++)
		print_tap(&p, r, &taps.tap[i], &taps.link[i]);
	if (!refusal.code)
		refusal = uplink.code ? uplink : foreign;
	if (!refusal.code)
		find_obstacle(r, &hub, &taps, &plan, &refusal);
	print_auto(&p, &refusal, &plan);
	if (json)
		puts("] }");
	return 0;
}
