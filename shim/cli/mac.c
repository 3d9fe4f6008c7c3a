/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mac.c: `basilisk-tap mac`. The helper's answer to QEMU has no room for the MAC address that the
 * guest must use, so people put it on QEMU's command line.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "identity.h"
#include "mac.h"
#include "number.h"

static const char usage[] =
	"usage: basilisk-tap mac [--slot N] [--user NAME]\n"
	"\n"
	"Prints the MAC address for a guest of QEMU's, for example\n"
	"  qemu-system-x86_64 -device e1000,netdev=n,mac=$(basilisk-tap mac) \\\n"
	"    -netdev bridge,id=n,br=auto,helper=/usr/lib/basilisk-tap/basilisk-tap-helper\n"
	"\n"
	"  --slot N     of that slot, 0 to 15; otherwise of the one that QEMU's next guest gets:\n"
	"               the highest that is free, as emulators take the lowest\n"
	"  --user NAME  of that user, by name or number; otherwise of the caller\n"
	"  --help       this text\n";

/* The highest slot without a TAP, which the helper gives out next; or -1. */
static int next_slot(uid_t uid)
{
	char name[IF_NAMESIZE];

	for (int slot = MAC_SLOTS - 1; slot >= 0; slot--) {
		snprintf(name, sizeof(name), "btap%x-%x", (unsigned int)uid,
			 (unsigned int)slot & 0xf);
		if (!if_nametoindex(name))
			return slot;
	}
	return -1;
}

int mac_main(int argc, char *argv[])
{
	const char *slot_text = NULL, *user = NULL;
	const struct cli_option options[] = {
		{ .name = "--slot", .value = &slot_text },
		{ .name = "--user", .value = &user },
		{ .name = NULL },
	};
	char text[MAC_TEXT_LEN];
	struct mac mac;
	uint32_t slot;
	int status;
	uid_t uid;

	if (!cli_only_options(argc, argv, options, usage, &status))
		return status;
	if (!cli_user(user, &uid))
		return CLI_FAILED;
	if (slot_text) {
		if (number_parse(slot_text, strlen(slot_text), MAC_SLOTS - 1, &slot) < 0)
			return cli_fail(CLI_USAGE, "mac: '%s' is no slot: 0 to %d", slot_text,
					MAC_SLOTS - 1);
	} else {
		int next = next_slot(uid);

		if (next < 0)
			return cli_fail(CLI_FAILED,
					"mac: all slots of user %u are taken: end an emulator or a "
					"guest",
					uid);
		slot = (uint32_t)next;
	}
	mac = mac_make(identity_host(), uid, slot);
	puts(mac_format(&mac, text));
	return CLI_OK;
}
