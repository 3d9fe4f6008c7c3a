/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tap.c: see tap.h. A TAP is never persistent and never a port of a bridge. "Exists" never means
 * "configured": everything is said again at each run. Liveness is asked of TUNSETIFF alone;
 * carrier, owner and persistence are the holder's to change.
 */
#include "tap.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "wiring.h"

/* #syscall ioctl fd=TUN request=TUNSETIFF */
static int set_interface(int tun, const struct tap *tap, int flags)
{
	struct ifreq request = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags) };

	memcpy(request.ifr_name, tap->name, sizeof(tap->name));
	return ioctl(tun, TUNSETIFF, &request) < 0 ? -errno : 0;
}

int tap_is_alive(struct nl *nl, int tun, const struct tap *tap)
{
	struct link link;
	int err = link_find(nl, tap->name, 0, &link);

	if (err)
		return err == -ENODEV ? 0 : err;
	if (strcmp(link.kind, "tun") != 0)
		return -EEXIST;
	/* only a holder makes ours persistent, and has it with its alias */
	if (link.leftover && strncmp(link.alias, TAPS_ALIAS, strlen(TAPS_ALIAS)) != 0)
		return -EEXIST;
	err = set_interface(tun, tap, 0);
	if (err)
		return err == -EBUSY ? 1 : err;
	/* deleting the device also frees the descriptor for the next TUNSETIFF */
	err = link_find(nl, tap->name, 0, &link);
	return err ? err : link_delete(nl, link.index);
}

static int claim(struct nl *nl, int tun, const struct tap *tap)
{
	int err = set_interface(tun, tap, IFF_TUN_EXCL);

	if (err != -EBUSY)
		return err;
	err = tap_is_alive(nl, tun, tap);
	if (err == 0)
		err = set_interface(tun, tap, IFF_TUN_EXCL);
	return err > 0 ? -EBUSY : err;
}

/*
 * Counted when ours is there, whose index is noted by the way: of two that race for the last place
 * both may lose, never both win.
 */
static int check_quota(struct nl *nl, uint32_t host, const struct policy *policy, struct tap *tap,
		       struct taps *taps, struct outcome *outcome)
{
	int err = taps_list(nl, host, taps);
	const struct tap *twin = taps_twin(taps, tap);
	size_t own = 0;

	if (err != -ENOSPC && outcome_set_errno(outcome, err, "counting TAPs"))
		return -1;
	if (twin) /* one would get the other's frames */
		return outcome_set(outcome, OUTCOME_SLOT_BUSY,
				   "slot %u has the MAC of user %u's slot %u", tap->slot, twin->uid,
				   twin->slot);
	for (size_t i = 0; i < taps->count; i++) {
		own += taps->tap[i].uid == tap->uid;
		if (strcmp(taps->tap[i].name, tap->name) == 0)
			tap->index = taps->tap[i].index;
	}
	/* an error: there are more than are ever counted */
	if (policy_check_quota(policy, own, err ? SIZE_MAX : taps->count, outcome))
		return -1;
	if (!tap->index)
		return outcome_set_errno(outcome, -ENODEV, "making %s", tap->name);
	return 0;
}

void tap_sweep(struct nl *nl, int tun, uint32_t host)
{
	static struct taps taps;

	if (taps_list(nl, host, &taps) == 0)
		for (size_t i = 0; i < taps.count; i++)
			if (taps.link[i].leftover)
				tap_is_alive(nl, tun, &taps.tap[i]);
}

/* #syscall ioctl fd=TUN request=TUNSETOWNER */
int tap_create(struct nl *nl, int tun, uint32_t host, const struct caller *caller, int slot,
	       const struct policy *policy, struct tap *tap, struct taps *taps,
	       struct outcome *outcome)
{
	/* QEMU's from the top, so that they leave the emulators' alone */
	unsigned int first = slot < 0 ? MAC_SLOTS - 1 : (unsigned int)slot;
	unsigned int last = slot < 0 ? MAC_SLOTS - policy->max_taps : first;
	int err = -EBUSY;

	if (slot >= (int)policy->max_taps)
		return outcome_set(outcome, OUTCOME_QUOTA, "slot %d: 'max-taps' allows 0 to %u",
				   slot, policy->max_taps - 1);
	taps->count = 0;
	if (slot < 0 && taps_list(nl, host, taps))
		taps->count = 0; /* check_quota() looks again */
	for (unsigned int s = first + 1; s-- > last && err == -EBUSY;) {
		taps_name(tap, host, caller->uid, s);
		err = taps_twin(taps, tap) ? -EBUSY : claim(nl, tun, tap);
	}
	if (err == -EBUSY && slot >= 0)
		return outcome_set(outcome, OUTCOME_SLOT_BUSY, "%s is in use", tap->name);
	if (err == -EBUSY)
		return policy_check_quota(policy, SIZE_MAX, 0, outcome);
	if (err == -EINVAL || err == -EEXIST)
		return outcome_set(outcome, OUTCOME_FOREIGN_DEVICE, "%s is no TAP of ours",
				   tap->name);
	/* set anyway: a leftover can then be attached to by its own user only */
	if (!err && ioctl(tun, TUNSETOWNER, (unsigned long)caller->uid) < 0)
		err = -errno;
	if (outcome_set_errno(outcome, err, "making %s", tap->name))
		return -1;
	tap->fresh = true;
	tap->index = 0;
	return check_quota(nl, host, policy, tap, taps, outcome);
}

int tap_find(struct nl *nl, int tun, uint32_t host, const struct caller *caller, int slot,
	     struct tap *tap, struct outcome *outcome)
{
	struct link link;
	int err;

	taps_name(tap, host, caller->uid, (unsigned int)slot);
	err = link_find(nl, tap->name, 0, &link);
	if (!err && strcmp(link.kind, "tun") != 0)
		return outcome_set(outcome, OUTCOME_FOREIGN_DEVICE, "%s is no TAP", tap->name);
	if (!err)
		err = tap_is_alive(nl, tun, tap) == 1 ? 0 : -ENODEV;
	if (err)
		return outcome_set(outcome, OUTCOME_NOT_ALIVE, "%s: %s", tap->name, strerror(-err));
	tap->index = link.index;
	return 0;
}

int tap_hold(struct nl *nl, int tun, const char *name, struct link *hold)
{
	struct tap tap = { .index = 0 };
	int err;

	snprintf(tap.name, sizeof(tap.name), "%s", name);
	err = set_interface(tun, &tap, IFF_TUN_EXCL);
	return err ? err : link_find(nl, tap.name, 0, hold);
}

static const char *write_note(char *alias, const struct tap *tap, const struct caller *caller,
			      const struct plan *plan)
{
	snprintf(alias, LINK_ALIAS_SIZE,
		 TAPS_ALIAS "%u slot=%u attach=%d uplink=%d asked=%d pid=%d", tap->uid, tap->slot,
		 plan->attach, plan->uplink.index, plan->asked, caller->pid);
	return alias;
}

int tap_note(struct nl *nl, int index, const struct tap *tap, const struct caller *caller,
	     const struct plan *plan)
{
	char alias[LINK_ALIAS_SIZE];

	return link_set(nl, index,
			&(struct link_change){ .alias = write_note(alias, tap, caller, plan) });
}

int tap_configure(struct nl *nl, const struct tap *tap, const struct caller *caller,
		  const struct plan *plan, int hub)
{
	const struct mac mac = mac_of_tap(tap->guest);
	struct tc_filters filters;
	char alias[LINK_ALIAS_SIZE];
	int err;

	err = link_set(nl, tap->index,
		       &(struct link_change){ .mac = &mac,
					      .alias = write_note(alias, tap, caller, plan),
					      .flags = IFF_NOARP,
					      .mask = IFF_NOARP,
					      .quiet = true });
	if (!err)
		err = tc_ensure_clsact(nl, tap->index);
	wiring_tap(&filters, tap, hub);
	if (!err)
		err = tc_each_of(nl, &filters, tap->fresh ? tc_put : tc_ensure);
	if (!err)
		err = link_set(nl, tap->index,
			       &(struct link_change){ .flags = IFF_UP, .mask = IFF_UP });
	return err;
}
