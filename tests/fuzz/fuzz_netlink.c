/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_netlink.c: the kernel's answers as the helper reads them. The kernel is trusted, but an
 * answer that is longer, shorter or odder than today's must not be read beyond its end. The
 * messages go where mnl_cb_run() gives the kernel's.
 */
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* the walkers are static in there */
#include "../../helper/link.c"
#include "../../helper/tc.c"

static int ignore_link(const struct link *link, void *user)
{
	(void)user;
	if (strnlen(link->name, sizeof(link->name)) == sizeof(link->name) ||
	    strnlen(link->alias, sizeof(link->alias)) == sizeof(link->alias))
		abort();
	return 0;
}

static int ignore_mac(const struct mac *mac, void *user)
{
	(void)mac;
	(void)user;
	return 0;
}

static int ignore_place(const struct tc_place *place, void *user)
{
	(void)place;
	(void)user;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a copy that ends where the message ends, so that a read beyond it is seen; libmnl relies on
	 * the kernel's ending every message at a multiple of four bytes */
	struct nlmsghdr *message;
	struct walk_any {
		mnl_cb_t run;
		void *user;
	} walks[4];
	struct link_walk links = { .each = ignore_link, .accepted = ignore_mac, .index = 3 };
	struct tc_walk filters = { .each = ignore_place, .place = { .index = 3 } };

	size &= ~(size_t)3;
	if (size < sizeof(*message) || size > 4096)
		return 0;
	message = malloc(size);
	memcpy(message, data, size);
	message->nlmsg_len = (uint32_t)size;
	message->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
	message->nlmsg_seq = 0;
	message->nlmsg_pid = 0;
	walks[0] = (struct walk_any){ on_link, &links };
	walks[1] = (struct walk_any){ on_accepted, &links };
	walks[2] = (struct walk_any){ on_qdisc, &filters };
	walks[3] = (struct walk_any){ on_filter, &filters };
	mnl_cb_run(message, size, 0, 0, walks[data[0] % 4].run, walks[data[0] % 4].user);
	free(message);
	return 0;
}
