/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor.h: what the checks of `basilisk-tap doctor` share. Each check is a small function that
 * looks at one thing and adds a finding if it is in the way; doctor.c has their table. They look
 * without privilege, and change nothing.
 */
#ifndef BASILISK_TAP_CLI_DOCTOR_H
#define BASILISK_TAP_CLI_DOCTOR_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "mac.h"

#define DOCTOR_FINDINGS_MAX 32
#define DOCTOR_STATUS_SIZE  65536

struct finding {
	const char *check; /* stable, for scripts */
	bool problem;	   /* in the way; otherwise good to know */
	char what[400];
	char remedy[400];
};

struct doctor {
	/* What `basilisk-tap-helper --status --json` said, or "". */
	char status[DOCTOR_STATUS_SIZE];
	const char *helper;	  /* the program's path, or NULL: none is to be asked */
	bool socket;		  /* a service manager answers for it */
	char uplink[IF_NAMESIZE]; /* the card, or "" */
	struct finding finding[DOCTOR_FINDINGS_MAX];
	size_t findings;
};

/* Adds a finding; gives it back, for doctor_remedy(). */
struct finding *doctor_find(struct doctor *doctor, const char *check, bool problem,
			    const char *what, ...) __attribute__((format(printf, 4, 5)));
void doctor_remedy(struct finding *finding, const char *remedy, ...)
	__attribute__((format(printf, 2, 3)));
bool doctor_has(const struct doctor *doctor, const char *check);

/*
 * The value of @key in the first fact @fact of the helper's status, into @value of @size bytes, ""
 * where there is none. Returns true where there is. Pure.
 */
bool doctor_fact(const char *status, const char *fact, const char *key, char *value, size_t size);

/* Asks the helper; fills in status, helper, socket and uplink. */
void doctor_ask_helper(struct doctor *doctor);

/* doctor_helper.c: the program and its policy */
void doctor_check_helper_file(struct doctor *doctor);
void doctor_check_no_new_privs(struct doctor *doctor);
void doctor_check_login_groups(struct doctor *doctor);
void doctor_check_refusal(struct doctor *doctor); /* after all those that explain it */
void doctor_check_attachment(struct doctor *doctor);

/* doctor_card.c: the network card */
void doctor_check_wireless(struct doctor *doctor);
void doctor_check_ingress(struct doctor *doctor);
void doctor_check_macvlan(struct doctor *doctor);
void doctor_check_manager(struct doctor *doctor);

/* True where @folder, a /sys/class/net/NAME, is that of a wireless card. */
bool doctor_is_wireless(const char *folder);

/* doctor_host.c: this machine */
void doctor_check_kernel(struct doctor *doctor);
void doctor_check_prefs(struct doctor *doctor);
void doctor_check_machine_id(struct doctor *doctor);

/*
 * Whether the kernel has @module: 1, 0, or -1 where that cannot be told. @folder holds its modules
 * (/lib/modules/RELEASE), @loaded those that are loaded (/sys/module).
 */
int doctor_has_module(const char *folder, const char *loaded, const char *module);

/* True where the prefs at @path turn stock udptunnel on. */
bool doctor_uses_udptunnel(const char *path);

/* doctor_firewall.c: the ports */
void doctor_check_firewall(struct doctor *doctor);

/* doctor_peers.c: the other emulators; takes a second and a half */
void doctor_check_peers(struct doctor *doctor);

/* Adds what is to be said of a guest @mac that has this host's part, "on" a host or "at" an
 * address. */
void doctor_tell_twin(struct doctor *doctor, const struct mac *mac, const char *at,
		      const char *where);

/* doctor_neighbours.c: machines with a guest's address; takes seconds if there may be one */
void doctor_check_neighbours(struct doctor *doctor);

#endif
