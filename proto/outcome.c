/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * outcome.c: see outcome.h. Pure: no I/O, no globals, no allocation.
 */
#include "outcome.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const char *sentence;
	const char *remedy;
} table[OUTCOME_COUNT] = {
	[OUTCOME_OK] = { "ok", "done", "" },
	[OUTCOME_SYSTEM] = { "system", "the kernel refused a step",
			     "run 'basilisk-tap-helper --status', and report this if it repeats" },
	[OUTCOME_USAGE] = { "usage", "the command line is not understood",
			    "see 'basilisk-tap-helper --help'" },
	[OUTCOME_DENIED] = { "denied", "the policy does not allow this user",
			     "ask the administrator for an 'allow' line in "
			     "/etc/basilisk-tap/helper.conf, or to join a group it allows" },
	[OUTCOME_NO_POLICY] = { "no-policy", "there is no policy file, so only root is allowed",
				"create /etc/basilisk-tap/helper.conf with a line such as "
				"'allow group netdev'" },
	[OUTCOME_BAD_POLICY] = { "bad-policy", "the policy file is not valid, so nobody is allowed",
				 "correct it as root; 'basilisk-tap-helper --check' tests it" },
	[OUTCOME_NO_PRIVILEGE] = { "no-privilege", "the helper has no CAP_NET_ADMIN",
				   "as root: chown root and chmod 4755 the helper, or setcap "
				   "cap_net_admin+ep it, with no nosuid or no_new_privs in the "
				   "way" },
	[OUTCOME_NO_TUN] = { "no-tun", "/dev/net/tun cannot be opened",
			     "load the kernel module tun ('modprobe tun' as root)" },
	[OUTCOME_BAD_NAME] = { "bad-name", "that is no interface name",
			       "names have 1 to 15 printable characters without / : and %" },
	[OUTCOME_BAD_DESCRIPTOR] = { "bad-descriptor", "the reply descriptor cannot be used",
				     "--fd takes a descriptor from 3 up, one end of the caller's "
				     "own connected AF_UNIX stream socket pair" },
	[OUTCOME_NO_UPLINK] = { "no-uplink", "there is no network card to attach to",
				"connect one, name it by 'uplink' in the policy, or allow "
				"'attach auto'" },
	[OUTCOME_UPLINK_UNFIT] = { "uplink-unfit", "the uplink cannot be used that way",
				   "name another 'uplink' or 'attach' in the policy" },
	[OUTCOME_BRIDGE_REFUSED] = { "bridge-refused", "that bridge may not be joined",
				     "create the bridge and add a 'join' line with its name to "
				     "the policy" },
	[OUTCOME_OTHER_ATTACHMENT] = { "other-attachment",
				       "the guests of this host are attached elsewhere",
				       "end them, or ask for the bridge that 'basilisk-tap-helper "
				       "--status' tells, --br=auto where it is none" },
	[OUTCOME_QUOTA] = { "quota", "all slots are taken",
			    "end an emulator, or raise that number in the policy" },
	[OUTCOME_SLOT_BUSY] = { "slot-busy", "that slot is in use", "ask for another slot" },
	[OUTCOME_FOREIGN_DEVICE] = { "foreign-device",
				     "an interface with a name of ours is not ours",
				     "rename or remove it; the helper never takes over what it "
				     "did not make" },
	[OUTCOME_FOREIGN_NAMESPACE] = { "foreign-namespace",
					"this network belongs to a user namespace",
					"start the emulator outside of the container or sandbox" },
	[OUTCOME_NOT_ALIVE] = { "not-alive", "there is no such TAP to repair",
				"start the emulator again" },
	[OUTCOME_IN_USE] = { "in-use", "TAPs are still alive", "end their emulators first" },
	[OUTCOME_NOT_ROOT] = { "not-root", "only root may do this", "run it with sudo" },
	[OUTCOME_HANDOVER] = { "handover", "the caller did not take the reply",
			       "keep the socket open and read from it" },
	[OUTCOME_HOSTILE_START] = { "hostile-start", "the helper was started in a way it distrusts",
				    "start it with a name, free descriptors and the usual limits" },
	[OUTCOME_DROP] = { "drop", "privileges could not be given up",
			   "report this with the kernel's version" },
	[OUTCOME_TUN_DENIED] = { "tun-denied", "/dev/net/tun may not be opened",
				 "allow it: mode 0666, for a container '--device "
				 "/dev/net/tun', for a service 'DeviceAllow=/dev/net/tun rw'" },
	[OUTCOME_NO_REPORT] = { "no-report", "the program that tells of the helper does not start",
				"install basilisk-tap as a whole" },
};

int outcome_set(struct outcome *outcome, enum outcome_code code, const char *format, ...)
{
	va_list args;

	if (outcome->code != OUTCOME_OK)
		return -1;
	outcome->code = code;
	va_start(args, format);
	vsnprintf(outcome->what, sizeof(outcome->what), format, args);
	va_end(args);
	for (char *p = outcome->what; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return -1;
}

int outcome_set_errno(struct outcome *outcome, int err, const char *what, ...)
{
	char text[OUTCOME_WHAT_SIZE];
	va_list args;

	if (err >= 0)
		return 0;
	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	return outcome_set(outcome, OUTCOME_SYSTEM, "%s: %s", text, strerror(-err));
}

int outcome_set_tun(struct outcome *outcome, int err)
{
	return outcome_set(outcome,
			   err == EACCES || err == EPERM ? OUTCOME_TUN_DENIED : OUTCOME_NO_TUN,
			   "/dev/net/tun: %s", strerror(err));
}

const char *outcome_name(unsigned int code)
{
	return code < OUTCOME_COUNT ? table[code].name : NULL;
}

const char *outcome_sentence(unsigned int code)
{
	return code < OUTCOME_COUNT ? table[code].sentence : NULL;
}

const char *outcome_remedy(unsigned int code)
{
	return code < OUTCOME_COUNT ? table[code].remedy : NULL;
}

char *outcome_text(const struct outcome *outcome, char *text, size_t size)
{
	const char *what = outcome->what[0] ? outcome->what : outcome_sentence(outcome->code);

	if (outcome->code == OUTCOME_OK)
		snprintf(text, size, "%s", what);
	else
		snprintf(text, size, "%s: %s", what, outcome_remedy(outcome->code));
	return text;
}
