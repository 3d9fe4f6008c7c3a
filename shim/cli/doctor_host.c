/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_host.c: what of this machine may be in the way: its kernel, prefs, name and identity.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "basilisk-tap.h"
#include "doctor.h"
#include "mac.h"

#define LINE_SIZE 4096
#define PATH_SIZE 512

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
			*p = (char)(*p == '-' ? '_' : *p);
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

/* ---- name and identity ---- */

/* The value behind @keyword in the prefs at @path, "" where there is none; the last one counts. */
static void read_pref(const char *path, const char *keyword, char *value, size_t size)
{
	FILE *file = fopen(path, "re");
	const size_t len = strlen(keyword);
	char line[LINE_SIZE];

	*value = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		const char *at = line + len;

		if (strncmp(line, keyword, len) != 0 || !strchr(" \t", *at) || !*at)
			continue;
		at += strspn(at, " \t");
		snprintf(value, size, "%.*s", (int)strcspn(at, " \t\r\n"), at);
	}
	if (file)
		fclose(file);
}

bool doctor_uses_udptunnel(const char *path)
{
	char value[8];

	read_pref(path, "udptunnel", value, sizeof(value));
	return strcmp(value, "true") == 0;
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

/* A Mac that uses the emulator's own tunnel, whatever `ether` says. */
static void check_udptunnel(struct doctor *doctor, const char *path, const char *ether)
{
	char address[INET_ADDRSTRLEN];

	if (bt_is_ours(ether))
		doctor_remedy(
			doctor_find(doctor, "udptunnel", true,
				    "%s has 'udptunnel true', which the emulator obeys before "
				    "'ether %s'",
				    path, ether),
			"take the udptunnel line out of %s", path);
	else if (own_name_is_loopback(address))
		doctor_remedy(
			doctor_find(doctor, "own-name", true,
				    "%s has 'udptunnel true', and this host's name means %s: "
				    "every host with such a line gives its Mac the same address",
				    path, address),
			"replace the line by 'ether auto'; or give the name its real address "
			"in /etc/hosts");
}

/* The user may want it so: a note. */
static void check_ether(struct doctor *doctor, const char *path, const char *ether)
{
	if (bt_is_ours(ether) || access(path, R_OK) < 0)
		return;
	doctor_remedy(*ether ? doctor_find(doctor, "ether", false,
					   "the last 'ether' line of %s is 'ether %s', so its Mac "
					   "does without basilisk-tap",
					   path, ether) :
			       doctor_find(doctor, "ether", false,
					   "%s has no 'ether' line, so its Mac has no network",
					   path),
		      "put 'ether auto' into it, as the last 'ether' line");
}

void doctor_check_prefs(struct doctor *doctor)
{
	static const char *const prefs[] = { ".basilisk_ii_prefs", ".sheepshaver_prefs" };
	const char *home = getenv("HOME");
	char path[PATH_SIZE], ether[64];

	for (size_t i = 0; home && i < sizeof(prefs) / sizeof(prefs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", home, prefs[i]);
		read_pref(path, "ether", ether, sizeof(ether));
		if (doctor_uses_udptunnel(path))
			check_udptunnel(doctor, path, ether);
		else
			check_ether(doctor, path, ether);
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
