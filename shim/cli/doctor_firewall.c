/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_firewall.c: does a firewall here close the ports that emulators need? Found by its effect,
 * whoever made its rules and by what, which also needs no privilege to read them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor.h"

#define LINE_SIZE  128
#define MDNS_PORT  5353
#define FIRST_PORT 6066 /* of an emulator, and the next where that is taken */
#define PORTS	   16
#define PROBE_MS   300

/* What was found of a port; ordered: all that is not OPEN needs a look. */
enum gate { UNKNOWN = -1, CLOSED = 0, OPEN = 1 };

/* A pair of sockets of one family, and the group by which a datagram comes back to us. */
struct probe {
	int in, out;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	socklen_t size;
};

static bool set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

static bool has_v4(int fd, unsigned int index)
{
	struct ifreq card = { 0 };

	return if_indextoname(index, card.ifr_name) && ioctl(fd, SIOCGIFADDR, &card) == 0;
}

/* The groups are those of multicast DNS: every host may be in them already. */
static bool aim_v4(struct probe *p, unsigned int index, uint16_t port)
{
	struct ip_mreqn on = { .imr_ifindex = (int)index };

	p->to.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	p->size = sizeof(p->to.v4);
	inet_pton(AF_INET, "224.0.0.251", &p->to.v4.sin_addr);
	on.imr_multiaddr = p->to.v4.sin_addr;
	return has_v4(p->out, index) && bind(p->in, &p->to.any, p->size) == 0 &&
	       setsockopt(p->in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &on, sizeof(on)) == 0 &&
	       setsockopt(p->out, IPPROTO_IP, IP_MULTICAST_IF, &on, sizeof(on)) == 0 &&
	       set(p->out, IPPROTO_IP, IP_MULTICAST_TTL, 0) &&
	       set(p->out, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
}

static bool aim_v6(struct probe *p, unsigned int index, uint16_t port)
{
	struct ipv6_mreq on = { .ipv6mr_interface = index };

	p->to.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
					  .sin6_port = htons(port),
					  .sin6_scope_id = index };
	p->size = sizeof(p->to.v6);
	inet_pton(AF_INET6, "ff02::fb", &p->to.v6.sin6_addr);
	on.ipv6mr_multiaddr = p->to.v6.sin6_addr;
	return set(p->in, IPPROTO_IPV6, IPV6_V6ONLY, 1) && bind(p->in, &p->to.any, p->size) == 0 &&
	       setsockopt(p->in, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &on, sizeof(on)) == 0 &&
	       set(p->out, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)index) &&
	       set(p->out, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 0) &&
	       set(p->out, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
}

/* Sends a datagram that only this call can have sent, and awaits it. */
static enum gate send_through(const struct probe *p)
{
	char data[] = "basilisk-tap doctor 00000000", got[sizeof(data)];
	struct pollfd readable = { .fd = p->in, .events = POLLIN };

	snprintf(data, sizeof(data), "basilisk-tap doctor %08x", (unsigned int)getpid());
	if (sendto(p->out, data, sizeof(data), 0, &p->to.any, p->size) < 0)
		/* a firewall may keep it from leaving, too */
		return errno == EPERM ? CLOSED : UNKNOWN;
	while (poll(&readable, 1, PROBE_MS) > 0) {
		ssize_t n = recv(p->in, got, sizeof(got), MSG_DONTWAIT);

		if (n == (ssize_t)sizeof(data) && memcmp(got, data, sizeof(data)) == 0)
			return OPEN;
	}
	return CLOSED;
}

/*
 * A multicast datagram that may not leave the host (its time to live is 0) comes back to us as if
 * it had come by the card, through the same rules as one of another host.
 */
static enum gate probe_port(int family, unsigned int index, uint16_t port)
{
	struct probe p = { .in = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0),
			   .out = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	enum gate gate = UNKNOWN;

	/* an mDNS responder shares its port; an emulator does not, then this one is not probed */
	if (p.in >= 0 && p.out >= 0 &&
	    (port != MDNS_PORT || set(p.in, SOL_SOCKET, SO_REUSEADDR, 1)) &&
	    (family == AF_INET ? aim_v4(&p, index, port) : aim_v6(&p, index, port)))
		gate = send_through(&p);
	close(p.in);
	close(p.out);
	return gate;
}

/* By which card others reach us: the default route's, or else the one that guests get. */
static void find_card(const struct doctor *doctor, char *name)
{
	FILE *file = fopen("/proc/net/route", "re");
	char line[LINE_SIZE], card[IF_NAMESIZE];
	unsigned int to;

	strcpy(name, doctor->uplink);
	while (file && fgets(line, sizeof(line), file)) {
		/* NOLINTNEXTLINE(cert-err34-c): eight digits cannot be out of range */
		if (sscanf(line, "%15s %8x", card, &to) == 2 && to == 0) {
			strcpy(name, card);
			break;
		}
	}
	if (file)
		fclose(file);
}

/* The first of these ports that nobody has. */
static enum gate probe_ports(int family, unsigned int index, uint16_t first, unsigned int n,
			     uint16_t *port)
{
	enum gate gate = UNKNOWN;

	for (unsigned int i = 0; i < n && gate == UNKNOWN; i++) {
		*port = (uint16_t)(first + i);
		gate = probe_port(family, index, *port);
	}
	return gate;
}

/*
 * One finding for both families. Peers take IPv4 where they have it, so it is in the way only where
 * IPv4 is not known to be open; otherwise it is good to know.
 */
static void check(struct doctor *doctor, const char *name, unsigned int index, uint16_t first,
		  unsigned int n, const char *what, const char *remedy)
{
	uint16_t port, port6;
	enum gate v4 = probe_ports(AF_INET, index, first, n, &port);
	enum gate v6 = probe_ports(AF_INET6, index, first, n, &port6);
	char card[IF_NAMESIZE] = "";

	if (v4 != CLOSED && v6 != CLOSED)
		return;
	if_indextoname(index, card);
	doctor_remedy(doctor_find(doctor, name, v4 != OPEN,
				  "a firewall closes UDP port %u to %s on %s: %s",
				  v4 == CLOSED ? port : port6,
				  v4 != CLOSED ? "IPv6" :
				  v6 == CLOSED ? "IPv4 and IPv6" :
						 "IPv4",
				  card, what),
		      "%s", remedy);
}

void doctor_check_firewall(struct doctor *doctor)
{
	char card[IF_NAMESIZE];
	unsigned int index;

	find_card(doctor, card);
	index = if_nametoindex(card);
	if (!index)
		return;
	check(doctor, "firewall-tunnel", index, FIRST_PORT, PORTS,
	      "emulators elsewhere cannot reach Macs here that way",
	      "let UDP ports 6066 to 6081 in, for example: ufw allow 6066:6081/udp");
	check(doctor, "firewall-mdns", index, MDNS_PORT, 1,
	      "emulators do not find each other that way",
	      "let UDP port 5353 (multicast DNS) in, for example: ufw allow 5353/udp");
}
