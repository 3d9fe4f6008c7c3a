/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_neighbours.c: has a machine of the LAN a MAC address that is for a guest of this host?
 * Such a one need not announce itself: a guest of QEMU's, or one behind a switch that filters
 * multicast. The kernel's list of neighbours knows it once it has spoken to this host, and the
 * kernel asks it by ARP or neighbour discovery, for everyone who sends it a datagram. So this
 * needs no privilege, and is silent where no neighbour looks like a guest of ours.
 */
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "doctor.h"
#include "identity.h"
#include "mac.h"
#include "rtnl.h"

#define SUSPECTS_MAX 16
#define DISCARD_PORT 9
/* The kernel waits 5 s for other signs of life before it asks, and asks three times. */
#define ANSWER_MS 10000
#define STEP_MS	  100

struct suspect {
	struct mac mac;
	sa_family_t family;
	uint8_t address[sizeof(struct in6_addr)];
	int index;
	uint16_t state;
};

struct search {
	uint32_t host;
	struct suspect suspect[SUSPECTS_MAX];
	size_t n;
};

/* True for the guest of a TAP that is here, as the TAP's name tells. */
static bool is_here(const struct search *search, const struct mac *mac)
{
	struct if_nameindex *links = if_nameindex();
	bool here = false;

	for (const struct if_nameindex *l = links; l && l->if_index && !here; l++) {
		unsigned long uid, slot;
		struct mac guest;
		char *end;

		if (strncmp(l->if_name, "btap", 4) != 0)
			continue;
		uid = strtoul(l->if_name + 4, &end, 16);
		slot = *end == '-' ? strtoul(end + 1, &end, 16) : MAC_SLOTS;
		if (*end || slot >= MAC_SLOTS)
			continue;
		guest = mac_make(search->host, (uint32_t)uid, (unsigned int)slot);
		here = mac_equal(&guest, mac);
	}
	if_freenameindex(links);
	return here;
}

/* Notes a neighbour with this host's part in its MAC address, or its state of now. */
static bool note(const void *body, struct rtattr *attributes, int len, void *user)
{
	const struct ndmsg *nd = body;
	const size_t size = nd->ndm_family == AF_INET ? 4 : sizeof(struct in6_addr);
	struct rtattr *to = rtnl_attribute(attributes, len, NDA_DST);
	struct rtattr *mac = rtnl_attribute(attributes, len, NDA_LLADDR);
	struct search *search = user;
	struct suspect found = { .family = nd->ndm_family,
				 .index = nd->ndm_ifindex,
				 .state = nd->ndm_state };
	const struct mac own = mac_make(search->host, 0, 0);

	if (!to || !mac || RTA_PAYLOAD(to) != size || RTA_PAYLOAD(mac) != MAC_LEN ||
	    (nd->ndm_state & (NUD_NOARP | NUD_PERMANENT | NUD_FAILED)))
		return false;
	memcpy(found.address, RTA_DATA(to), size);
	memcpy(found.mac.byte, RTA_DATA(mac), MAC_LEN);
	if (!mac_same_host(&found.mac, &own) || is_here(search, &found.mac) ||
	    search->n == SUSPECTS_MAX)
		return false;
	search->suspect[search->n++] = found;
	return false;
}

static void look(struct search *search)
{
	search->n = 0;
	rtnl_dump(RTM_GETNEIGH, sizeof(struct ndmsg), AF_INET, note, search);
	rtnl_dump(RTM_GETNEIGH, sizeof(struct ndmsg), AF_INET6, note, search);
}

/* A datagram to where nobody listens: before it goes out the kernel sees who is there. */
static void poke(const struct suspect *s)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to = { 0 };
	int fd = socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s->family == AF_INET) {
		to.v4.sin_port = htons(DISCARD_PORT);
		memcpy(&to.v4.sin_addr, s->address, sizeof(to.v4.sin_addr));
	} else {
		to.v6.sin6_port = htons(DISCARD_PORT);
		to.v6.sin6_scope_id = (uint32_t)s->index;
		memcpy(&to.v6.sin6_addr, s->address, sizeof(to.v6.sin6_addr));
	}
	to.any.sa_family = s->family;
	/* what cannot be sent leaves the neighbour unasked: then nothing is said of it */
	if (fd >= 0) {
		sendto(fd, "", 0, MSG_DONTWAIT, &to.any,
		       s->family == AF_INET ? sizeof(to.v4) : sizeof(to.v6));
		close(fd);
	}
}

/* One who has answered of late, or NULL; in *@asked whether another may still answer. */
static const struct suspect *who_answered(const struct search *search, bool *asked)
{
	*asked = false;
	for (size_t i = 0; i < search->n; i++) {
		const struct suspect *s = &search->suspect[i];

		if (s->state & NUD_REACHABLE)
			return s;
		*asked = *asked || (s->state & (NUD_DELAY | NUD_PROBE));
	}
	return NULL;
}

void doctor_check_neighbours(struct doctor *doctor)
{
	struct search search = { .host = identity_host() };
	const uint32_t deadline = clock_ms() + ANSWER_MS;
	char address[INET6_ADDRSTRLEN];
	const struct suspect *twin;
	bool asked;

	look(&search);
	for (size_t i = 0; i < search.n; i++)
		poke(&search.suspect[i]);
	if (search.n)
		look(&search);
	twin = who_answered(&search, &asked);
	while (!twin && asked && (int32_t)(deadline - clock_ms()) > 0) {
		poll(NULL, 0, STEP_MS);
		look(&search);
		twin = who_answered(&search, &asked);
	}
	if (twin) {
		inet_ntop(twin->family, twin->address, address, sizeof(address));
		doctor_tell_twin(doctor, &twin->mac, "at", address);
	}
}
