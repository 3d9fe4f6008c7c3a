/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * outcome.h: how a run of the helper ended. One stable code for each way, which is the exit
 * status, the code in the reply, and what documentation and scripts may rely on.
 */
#ifndef BASILISK_TAP_PROTO_OUTCOME_H
#define BASILISK_TAP_PROTO_OUTCOME_H

#include <stddef.h>

/* On the wire and in scripts: never renumber, add at the end. */
enum outcome_code {
	OUTCOME_OK = 0,
	OUTCOME_SYSTEM = 1,	     /* the kernel refused what should work */
	OUTCOME_USAGE = 2,	     /* a word of the command line is not understood */
	OUTCOME_DENIED = 3,	     /* the policy says no */
	OUTCOME_NO_POLICY = 4,	     /* there is no policy file: only root */
	OUTCOME_BAD_POLICY = 5,	     /* the policy is not to be trusted or not understood */
	OUTCOME_NO_PRIVILEGE = 6,    /* neither setuid, nor a capability, nor root */
	OUTCOME_NO_TUN = 7,	     /* /dev/net/tun is missing, or nothing is behind it */
	OUTCOME_BAD_NAME = 8,	     /* an interface name that no interface can have */
	OUTCOME_BAD_DESCRIPTOR = 9,  /* --fd is not the caller's own connected unix stream socket */
	OUTCOME_NO_UPLINK = 10,	     /* the policy wants an uplink and there is none */
	OUTCOME_UPLINK_UNFIT = 11,   /* the uplink cannot carry what the policy wants */
	OUTCOME_BRIDGE_REFUSED = 12, /* that bridge is not there, or no 'join' line names it */
	OUTCOME_OTHER_ATTACHMENT = 13,	/* guests of this host are attached elsewhere already */
	OUTCOME_QUOTA = 14,		/* all slots of the user, or of the host, are taken */
	OUTCOME_SLOT_BUSY = 15,		/* that slot's TAP is alive */
	OUTCOME_FOREIGN_DEVICE = 16,	/* an interface with a name of ours is not ours */
	OUTCOME_FOREIGN_NAMESPACE = 17, /* a network namespace that is not the administrator's */
	OUTCOME_NOT_ALIVE = 18,		/* --repair of a TAP that is not there */
	OUTCOME_IN_USE = 19,		/* --release while TAPs are alive */
	OUTCOME_NOT_ROOT = 20,		/* --release by someone else */
	OUTCOME_HANDOVER = 21,		/* the caller did not take the reply */
	OUTCOME_HOSTILE_START = 22,	/* no argv, no room for descriptors: not a start to trust */
	OUTCOME_DROP = 23,		/* privileges could not be given up */
	OUTCOME_TUN_DENIED = 24,	/* /dev/net/tun is there, and may not be opened */
	OUTCOME_NO_REPORT = 25,		/* what tells of the helper is not where it was installed */
	OUTCOME_COUNT
};

#define OUTCOME_WHAT_SIZE 192 /* with the final NUL */
#define OUTCOME_TEXT_SIZE 320 /* with the final NUL: what, and the remedy */

/* Owned by whoever declared it; all zero is OUTCOME_OK. */
struct outcome {
	enum outcome_code code;
	char what[OUTCOME_WHAT_SIZE]; /* what was wrong, with the value; one line */
};

/*
 * Notes @code and what was wrong, and returns -1, so that a function can end with it. The
 * first failure stays: what is noted after it is only its consequence. Bytes of @format's
 * arguments that are not printable ASCII come out as '?': they may be a caller's.
 */
int outcome_set(struct outcome *outcome, enum outcome_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Why /dev/net/tun did not open: the positive errno @err. As outcome_set(). */
int outcome_set_tun(struct outcome *outcome, int err);

/*
 * Where @err is a negative errno, notes OUTCOME_SYSTEM with "what: what the errno means", and
 * returns -1 as outcome_set() does; else 0.
 */
int outcome_set_errno(struct outcome *outcome, int err, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

/* A word for the code ("denied"), or NULL beyond OUTCOME_COUNT. */
const char *outcome_name(unsigned int code);

/* One sentence for the code, where no run has told more. NULL beyond OUTCOME_COUNT. */
const char *outcome_sentence(unsigned int code);

/* What would fix it; "" for OUTCOME_OK. NULL beyond OUTCOME_COUNT. */
const char *outcome_remedy(unsigned int code);

/* "what: remedy" on one line into @text of @size bytes, cut if too long. Returns @text. */
char *outcome_text(const struct outcome *outcome, char *text, size_t size);

#endif
