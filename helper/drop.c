/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drop.c: see drop.h. Relies on libcap-ng. uid 0 without capabilities still owns root's files,
 * so it must go too; and what was dropped is never believed, but read back from the kernel.
 */
#include "drop.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* KEEP_CAPS stays unlocked: libcap-ng sets and clears it itself. */
#define SECUREBITS                                                                      \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |                  \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

const char *drop_mode_name(enum drop_mode mode)
{
	return mode == DROP_ROOT ? "root" : mode == DROP_CAPABILITY ? "capability" : "none";
}

enum drop_mode drop_look(void)
{
	capng_get_caps_process();
	if (!capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN))
		return DROP_NONE;
	return geteuid() == 0 ? DROP_ROOT : DROP_CAPABILITY;
}

/* True where no capability but @left is in any set that a process can use or pass on. */
static bool is_dropped(bool net_admin, bool bounding)
{
	capng_get_caps_process();
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool left = net_admin && cap == CAP_NET_ADMIN;

		if (capng_have_capability(CAPNG_PERMITTED, cap) != left ||
		    capng_have_capability(CAPNG_EFFECTIVE, cap) != left ||
		    capng_have_capability(CAPNG_INHERITABLE, cap) ||
		    capng_have_capability(CAPNG_AMBIENT, cap) ||
		    (bounding && capng_have_capability(CAPNG_BOUNDING_SET, cap)))
			return false;
	}
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE) == 0;
}

static bool is_user(uint32_t user, uint32_t group)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	return getresuid(&r, &e, &s) == 0 && getresgid(&rg, &eg, &sg) == 0 && r == user &&
	       e == user && s == user && rg == group && eg == group && sg == group &&
	       getgroups(0, NULL) == 0 && setresuid(0, 0, 0) < 0;
}

/* Nothing can go on; but what is said about it must not be said by root. */
static void drop_to_caller(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	if (setresgid(getgid(), getgid(), getgid()) || setresuid(getuid(), getuid(), getuid()) ||
	    capng_apply(CAPNG_SELECT_CAPS))
		_exit(OUTCOME_DROP);
}

int drop_to_net_admin(enum drop_mode mode, uint32_t user, uint32_t group, struct outcome *outcome)
{
	/* also without the capability: a container can have taken it from a setuid helper */
	const bool net_admin = mode != DROP_NONE, root = geteuid() == 0;
	int err = 0;

	capng_clear(CAPNG_SELECT_ALL);
	if (net_admin)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	if (root) {
		err = prctl(PR_SET_SECUREBITS, SECUREBITS);
		if (!err)
			err = capng_change_id((int)user, (int)group,
					      CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING |
						      CAPNG_CLEAR_AMBIENT);
	} else {
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
		err = capng_apply(CAPNG_SELECT_CAPS);
	}
	/* a change of user makes a process dumpable again as sysctl fs.suid_dumpable says */
	if (!err)
		err = prctl(PR_SET_DUMPABLE, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!err && is_dropped(net_admin, root) && (!root || is_user(user, group)))
		return 0;
	drop_to_caller();
	return outcome_set(outcome, OUTCOME_DROP, "privileges could not be given up (%d)", err);
}

int drop_all(struct outcome *outcome)
{
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) || !is_dropped(false, false))
		return outcome_set(outcome, OUTCOME_DROP, "dropping CAP_NET_ADMIN: %s",
				   strerror(errno));
	return 0;
}
