/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_peers.c: how others are found here, and whether one of them has what must be this
 * host's alone: its part of the MAC addresses. Listens and asks for a moment; announces nothing.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "discovery.h"
#include "doctor.h"
#include "identity.h"
#include "log.h"
#include "loop.h"

#define WAIT_MS	  1500
#define TWINS_MAX 16

/* A guest with this host's part in its address. */
struct twin {
	struct txt txt;
	bool here; /* at one of our addresses: that is as it should be */
};

struct search {
	struct loop *loop;
	struct mac own; /* of this user's first slot */
	struct twin twin[TWINS_MAX];
	size_t n;
	char state[256];
};

static bool is_own_address(const struct sockaddr_in6 *address)
{
	const struct in6_addr *ip = &address->sin6_addr;
	struct ifaddrs *list;
	bool own = IN6_IS_ADDR_LOOPBACK(ip) || (IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[12] == 127);

	if (getifaddrs(&list) < 0)
		return own;
	for (const struct ifaddrs *i = list; i && !own; i = i->ifa_next) {
		const struct sockaddr_in *v4 = (const void *)i->ifa_addr;
		const struct sockaddr_in6 *v6 = (const void *)i->ifa_addr;

		if (!i->ifa_addr)
			continue;
		if (i->ifa_addr->sa_family == AF_INET && IN6_IS_ADDR_V4MAPPED(ip))
			own = memcmp(&v4->sin_addr, ip->s6_addr + 12, 4) == 0;
		else if (i->ifa_addr->sa_family == AF_INET6)
			own = memcmp(&v6->sin6_addr, ip, sizeof(*ip)) == 0;
	}
	freeifaddrs(list);
	return own;
}

static void on_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	struct search *search = user;
	struct twin *twin = search->twin;

	if (!mac_same_host(&txt->mac, &search->own))
		return;
	while (twin < search->twin + search->n && !mac_equal(&twin->txt.mac, &txt->mac))
		twin++;
	if (twin == search->twin + TWINS_MAX)
		return;
	if (twin == search->twin + search->n) {
		search->n++;
		twin->txt = *txt;
	}
	twin->here = twin->here || is_own_address(address);
}

static void on_state(void *user, const char *line)
{
	struct search *search = user;

	snprintf(search->state, sizeof(search->state), "%s", line);
}

static void on_time(AvahiTimeout *timeout, void *user)
{
	struct search *search = user;

	(void)timeout;
	loop_quit(search->loop);
}

static int look(struct search *search)
{
	static const struct discovery_events events = { .found = on_found, .state = on_state };
	struct discovery *discovery = NULL;
	const AvahiPoll *poll;
	struct timeval at;
	int error = loop_new(&search->loop);

	if (error)
		return error;
	poll = loop_api(search->loop);
	error = discovery_start(poll, NULL, &events, search, &discovery);
	if (!error && !poll->timeout_new(poll, loop_after(&at, WAIT_MS), on_time, search))
		error = -ENOMEM;
	if (!error)
		error = loop_run(search->loop);
	discovery_stop(discovery);
	loop_free(search->loop);
	return error;
}

/* The user's part of the address, without the slot. */
static bool is_same_user(const struct mac *a, const struct mac *b)
{
	return a->byte[4] == b->byte[4] && (a->byte[5] & 0xf0) == (b->byte[5] & 0xf0);
}

void doctor_tell_twin(struct doctor *doctor, const struct mac *mac, const char *at,
		      const char *where)
{
	const struct mac own = mac_make(identity_host(), getuid(), 0);
	bool clash = is_same_user(mac, &own);
	char text[MAC_TEXT_LEN];

	if (doctor_has(doctor, clash ? "mac-clash" : "cloned-machine-id"))
		return;
	doctor_remedy(
		doctor_find(doctor, clash ? "mac-clash" : "cloned-machine-id", true,
			    clash ? "the Mac %s %s %s has an address of this user's: the two "
				    "hosts have the same machine-id" :
				    "the Mac %s %s %s has this host's part in its address: the "
				    "two have the same machine-id",
			    mac_format(mac, text), at, where),
		"one of them is a copy; there, as root: rm /etc/machine-id && "
		"systemd-machine-id-setup, and start anew");
}

static void tell_twins(struct doctor *doctor, const struct search *search)
{
	for (size_t i = 0; i < search->n; i++) {
		const struct twin *twin = &search->twin[i];

		if (!twin->here)
			doctor_tell_twin(doctor, &twin->txt.mac, "on", twin->txt.hostname);
	}
}

void doctor_check_peers(struct doctor *doctor)
{
	struct search search = { .own = mac_make(identity_host(), getuid(), 0) };
	int error;

	log_start();
	error = look(&search);
	if (error)
		snprintf(search.state, sizeof(search.state), "no discovery: %s", strerror(-error));
	if (strncmp(search.state, "no discovery", strlen("no discovery")) == 0)
		doctor_remedy(doctor_find(doctor, "discovery", true, "%s", search.state),
			      "install and start avahi-daemon");
	else if (strstr(search.state, "no avahi-daemon"))
		doctor_remedy(
			doctor_find(doctor, "no-avahi-daemon", false,
				    "no avahi-daemon runs; emulators find each other without"),
			"nothing; with one, each emulator does less: install and start "
			"avahi-daemon");
	tell_twins(doctor, &search);
}
