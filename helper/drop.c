/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drop.c: see drop.h. Relies on libcap-ng, and keeps to it although capset() would be faster by
 * some 70 us: see "Libraries" in CONTRIBUTING.md. uid 0 without capabilities still owns root's
 * files, so it must go too; and what was dropped is never believed, but read back from the kernel.
 */
#include "drop.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* KEEP_CAPS stays unlocked: libcap-ng sets and clears it itself. */
#define SECUREBITS                                                                                 \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                           \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |                             \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

const char *drop_mode_name(enum drop_mode mode)
{
	return mode == DROP_ROOT ? "root" : mode == DROP_CAPABILITY ? "capability" : "none";
}

/* The sets that this process has, by the kernel's word. */
struct sets {
	uint64_t permitted, effective, inheritable;
};

static bool read_sets(struct sets *sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	sets->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	sets->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	sets->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return true;
}

enum drop_mode drop_look(void)
{
	struct sets sets;

	if (!read_sets(&sets) || !(sets.permitted & 1 << CAP_NET_ADMIN))
		return DROP_NONE;
	return geteuid() == 0 ? DROP_ROOT : DROP_CAPABILITY;
}

/* True where no capability but the one that is left can be used or passed on. */
static bool is_dropped(bool net_admin, bool bounding)
{
	const uint64_t left = net_admin ? 1 << CAP_NET_ADMIN : 0;
	struct sets sets;

	if (!read_sets(&sets) || sets.permitted != left || sets.effective != left ||
	    sets.inheritable != 0)
		return false;
	/* the kernel lets nothing be ambient that is not permitted as well */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0) == 1)
		return false;
	for (int cap = 0, bound; bounding && (bound = prctl(PR_CAPBSET_READ, cap)) >= 0; cap++)
		if (bound)
			return false;
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
	int err = 0, unknown = 0;

	capng_clear(CAPNG_SELECT_ALL);
	if (net_admin)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	if (root) {
		err = prctl(PR_SET_SECUREBITS, SECUREBITS);
		/* not CAPNG_CLEAR_BOUNDING, which opens /proc three times while still root */
		for (int cap = 0; !err && prctl(PR_CAPBSET_DROP, cap) == 0; cap++)
			; /* up to the last that the kernel knows: is_dropped() sees to that */
		errno = 0;
		if (!err)
			err = capng_change_id((int)user, (int)group,
					      CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_AMBIENT);
		unknown = err && errno == EINVAL; /* of setresuid() and setresgid() */
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
	if (unknown)
		return outcome_set(outcome, OUTCOME_FOREIGN_NAMESPACE,
				   "this user namespace has no user %u", user);
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
