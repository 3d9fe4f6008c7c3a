/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_host.c: what of this machine may be in the way: its kernel, firewall, name and identity.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "mac.h"

#define LINE_SIZE  4096
#define PATH_SIZE  512
#define MDNS_PORT  5353
#define FIRST_PORT 6066 /* of an emulator, and the next where that is taken */
#define PORTS	   16
#define PROBE_MS   300

/* ---- kernel ---- */

/* True where a line of the file has "/NAME.ko", a module with either of its two dashes. */
static bool is_listed(const char *path, const char *module, bool *readable)
{
	FILE *file = fopen(path, "re");
	char line[LINE_SIZE], name[64];
	bool found = false;

	if (!file)
		return false;
	*readable = true;
	snprintf(name, sizeof(name), "/%s.ko", module);
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, ":")] = '\0'; /* behind it: what the module needs */
		for (char *p = line; *p; p++)
			*p = *p == '-' ? '_' : *p;
		found = strstr(line, name) != NULL;
	}
	fclose(file);
	return found;
}

int doctor_has_module(const char *folder, const char *loaded, const char *module)
{
	static const char *const lists[] = { "modules.builtin", "modules.dep" };
	bool readable = false;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", loaded, module);
	if (access(path, F_OK) == 0)
		return 1;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, lists[i]);
		if (is_listed(path, module, &readable))
			return 1;
	}
	return readable ? 0 : -1;
}

void doctor_check_kernel(struct doctor *doctor)
{
	static const struct {
		const char *module, *option;
	} needed[] = { { "tun", "CONFIG_TUN" },
		       { "veth", "CONFIG_VETH" },
		       { "cls_bpf", "CONFIG_NET_CLS_BPF" },
		       { "act_mirred", "CONFIG_NET_ACT_MIRRED" } };
	char folder[PATH_SIZE];
	struct utsname kernel;

	uname(&kernel);
	snprintf(folder, sizeof(folder), "/lib/modules/%s", kernel.release);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (doctor_has_module(folder, "/sys/module", needed[i].module) != 0)
			continue;
		doctor_remedy(
			doctor_find(doctor, "kernel", true,
				    "the kernel %s has no %s, which the patch port needs",
				    kernel.release, needed[i].module),
			"install the package with the rest of its modules, or a kernel with %s",
			needed[i].option);
	}
}

/* ---- firewall ---- */

/*
 * A multicast datagram that may not leave the host (its time to live is 0) comes back to us as if
 * it had come by the card, through the same rules as one of another host: 1 it came, 0 it did not,
 * -1 that cannot be told here.
 */
static int probe_port(unsigned int index, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct ip_mreqn on = { .imr_ifindex = (int)index };
	const int one = 1, zero = 0;
	char data[] = "basilisk-tap doctor 00000000", got[sizeof(data)];
	int in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = -1;
	int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd readable = { .fd = in, .events = POLLIN };

	snprintf(data, sizeof(data), "basilisk-tap doctor %08x", (unsigned int)getpid());
	inet_pton(AF_INET, "224.0.0.251", &to.sin_addr);
	on.imr_multiaddr = to.sin_addr;
	/* an mDNS responder shares its port; an emulator does not, then this one is not probed */
	if (port == MDNS_PORT)
		setsockopt(in, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(in, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &on, sizeof(on)) < 0 ||
	    setsockopt(out, IPPROTO_IP, IP_MULTICAST_IF, &on, sizeof(on)) < 0 ||
	    setsockopt(out, IPPROTO_IP, IP_MULTICAST_TTL, &zero, sizeof(zero)) < 0 ||
	    setsockopt(out, IPPROTO_IP, IP_MULTICAST_LOOP, &one, sizeof(one)) < 0)
		goto out;
	if (sendto(out, data, sizeof(data), 0, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		result = errno == EPERM ? 0 : -1; /* a firewall may keep it from leaving, too */
		goto out;
	}
	result = 0;
	while (!result && poll(&readable, 1, PROBE_MS) > 0) {
		ssize_t n = recv(in, got, sizeof(got), MSG_DONTWAIT);

		result = n == (ssize_t)sizeof(data) && memcmp(got, data, sizeof(data)) == 0;
	}
out:
	close(in);
	close(out);
	return result;
}

/* By which card others reach us: the default route's, or else the one that guests get. */
static void find_card(const struct doctor *doctor, char *name)
{
	FILE *file = fopen("/proc/net/route", "re");
	char line[LINE_SIZE], card[IF_NAMESIZE];
	unsigned int to;

	strcpy(name, doctor->uplink);
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%15s %8x", card, &to) == 2 && to == 0) {
			strcpy(name, card);
			break;
		}
	}
	if (file)
		fclose(file);
}

void doctor_check_firewall(struct doctor *doctor)
{
	char card[IF_NAMESIZE];
	unsigned int index;
	int tunnel = -1, port = FIRST_PORT;

	find_card(doctor, card);
	index = if_nametoindex(card);
	if (!index)
		return;
	while (tunnel < 0 && port < FIRST_PORT + PORTS)
		tunnel = probe_port(index, (uint16_t)port++);
	if (tunnel == 0)
		doctor_remedy(
			doctor_find(doctor, "firewall-tunnel", true,
				    "a firewall closes UDP port %d on %s: emulators elsewhere "
				    "cannot reach Macs here by UDP",
				    port - 1, card),
			"let UDP ports 6066 to 6081 in, for example: ufw allow "
			"6066:6081/udp");
	if (probe_port(index, MDNS_PORT) == 0)
		doctor_remedy(doctor_find(doctor, "firewall-mdns", true,
					  "a firewall closes UDP port 5353 (multicast DNS) on %s: "
					  "emulators do not find each other",
					  card),
			      "let UDP port 5353 in, for example: ufw allow 5353/udp");
}

/* ---- name and identity ---- */

bool doctor_uses_udptunnel(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[LINE_SIZE], value[8];
	bool on = false;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "udptunnel %7s", value) == 1)
			on = strcmp(value, "true") == 0;
	}
	if (file)
		fclose(file);
	return on;
}

/* True where the host's name means an address of the loopback. */
static bool own_name_is_loopback(char *text)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found = NULL;
	char name[256] = "";
	bool loopback = false;

	gethostname(name, sizeof(name) - 1);
	if (getaddrinfo(name, NULL, &hints, &found) == 0) {
		const struct sockaddr_in *a = (const void *)found->ai_addr;

		loopback = (ntohl(a->sin_addr.s_addr) >> 24) == 127;
		inet_ntop(AF_INET, &a->sin_addr, text, INET_ADDRSTRLEN);
		freeaddrinfo(found);
	}
	return loopback;
}

void doctor_check_own_name(struct doctor *doctor)
{
	static const char *const prefs[] = { ".basilisk_ii_prefs", ".sheepshaver_prefs" };
	const char *home = getenv("HOME");
	char path[PATH_SIZE], address[INET_ADDRSTRLEN];

	for (size_t i = 0; home && i < sizeof(prefs) / sizeof(prefs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", home, prefs[i]);
		if (!doctor_uses_udptunnel(path) || !own_name_is_loopback(address))
			continue;
		doctor_remedy(
			doctor_find(doctor, "own-name", true,
				    "%s has 'udptunnel true', and this host's name means %s: "
				    "every host with such a line gives its Mac the same address",
				    path, address),
			"replace the line by 'ether auto'; or give the name its real address "
			"in /etc/hosts");
	}
}

void doctor_check_machine_id(struct doctor *doctor)
{
	FILE *file = fopen("/etc/machine-id", "re");
	char id[64];
	size_t n = file ? fread(id, 1, sizeof(id), file) : 0;

	if (file)
		fclose(file);
	if (mac_identity_len(id, n) && strncmp(id, "uninitialized", 13) != 0)
		return;
	doctor_remedy(
		doctor_find(doctor, "machine-id", true,
			    "/etc/machine-id is missing, empty or not readable: the host's name "
			    "has to stand for it, and Macs on hosts of the same name clash"),
		"as root: systemd-machine-id-setup, or dbus-uuidgen --ensure=/etc/machine-id");
}
