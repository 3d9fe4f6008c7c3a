/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_card.c: the network card that guests are attached to, and what else is on it. Asks the
 * kernel by route netlink, which answers everyone, and reads /sys and /run.
 */
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "rtnl.h"

#define PATH_SIZE 128

static bool is_ingress(const void *body, struct rtattr *attributes, int len, void *user)
{
	const struct tcmsg *tc = body;

	return tc->tcm_ifindex == *(const int *)user &&
	       rtnl_is_text(rtnl_attribute(attributes, len, TCA_KIND), "ingress");
}

void doctor_check_ingress(struct doctor *doctor)
{
	int index = (int)if_nametoindex(doctor->uplink);

	if (!index || !rtnl_dump(RTM_GETQDISC, sizeof(struct tcmsg), AF_UNSPEC, is_ingress, &index))
		return;
	doctor_remedy(
		doctor_find(doctor, "ingress", true,
			    "%s has an 'ingress' qdisc, which keeps the patch port out",
			    doctor->uplink),
		"have whatever made it use 'clsact' instead, which does the same and more; or "
		"as root: tc qdisc del dev %s ingress",
		doctor->uplink);
}

struct child {
	int parent;
	char name[IF_NAMESIZE];
};

static bool is_macvlan(const void *body, struct rtattr *attributes, int len, void *user)
{
	struct child *child = user;
	struct rtattr *link = rtnl_attribute(attributes, len, IFLA_LINK);
	struct rtattr *info = rtnl_attribute(attributes, len, IFLA_LINKINFO);
	struct rtattr *name = rtnl_attribute(attributes, len, IFLA_IFNAME), *kind;
	int parent;

	(void)body;
	if (!link || !info || !name || RTA_PAYLOAD(link) < sizeof(parent))
		return false;
	memcpy(&parent, RTA_DATA(link), sizeof(parent));
	kind = rtnl_attribute(RTA_DATA(info), (int)RTA_PAYLOAD(info), IFLA_INFO_KIND);
	if (parent != child->parent ||
	    !(rtnl_is_text(kind, "macvlan") || rtnl_is_text(kind, "macvtap")))
		return false;
	snprintf(child->name, sizeof(child->name), "%.*s", (int)RTA_PAYLOAD(name),
		 (const char *)RTA_DATA(name));
	return true;
}

void doctor_check_macvlan(struct doctor *doctor)
{
	struct child child = { .parent = (int)if_nametoindex(doctor->uplink) };

	if (!child.parent ||
	    !rtnl_dump(RTM_GETLINK, sizeof(struct ifinfomsg), AF_UNSPEC, is_macvlan, &child))
		return;
	doctor_remedy(doctor_find(doctor, "macvlan", false,
				  "%s is a macvlan child of %s: Macs and what uses it cannot talk",
				  child.name, doctor->uplink),
		      "give it a bridge of its own on %s instead, and name the bridge by 'join' in "
		      "helper.conf",
		      doctor->uplink);
}

bool doctor_is_wireless(const char *folder)
{
	char path[PATH_SIZE + 16];

	snprintf(path, sizeof(path), "%s/wireless", folder);
	if (access(path, F_OK) == 0)
		return true;
	snprintf(path, sizeof(path), "%s/phy80211", folder);
	return access(path, F_OK) == 0;
}

void doctor_check_wireless(struct doctor *doctor)
{
	char folder[PATH_SIZE];

	snprintf(folder, sizeof(folder), "/sys/class/net/%s", doctor->uplink);
	if (!doctor->uplink[0] || !doctor_is_wireless(folder))
		return;
	doctor_remedy(doctor_find(doctor, "wireless", true,
				  "%s is wireless: access points drop what comes from another "
				  "address than the station's, so Macs reach this host, and other "
				  "emulators by UDP, but not the LAN",
				  doctor->uplink),
		      "connect a cable; 'uplink' in helper.conf names another card");
}

/* True where the file at "@folder/@index" is there. */
static bool has_entry(const char *folder, unsigned int index)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%u", folder, index);
	return access(path, F_OK) == 0;
}

/* ifupdown notes "NAME=NAME" in a line. */
static bool is_in_ifstate(const char *name)
{
	FILE *file = fopen("/run/network/ifstate", "re");
	char line[PATH_SIZE];
	size_t len = strlen(name);
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strncmp(line, name, len) == 0 && line[len] == '=';
	if (file)
		fclose(file);
	return found;
}

void doctor_check_manager(struct doctor *doctor)
{
	unsigned int index = if_nametoindex(doctor->uplink);
	const char *manager = NULL;

	if (!index)
		return;
	if (has_entry("/run/NetworkManager/devices", index))
		manager = "NetworkManager";
	else if (has_entry("/run/systemd/netif/links", index))
		manager = "systemd-networkd";
	else if (is_in_ifstate(doctor->uplink))
		manager = "ifupdown";
	if (!manager)
		return;
	doctor_remedy(doctor_find(doctor, "manager", false, "%s is looked after by %s",
				  doctor->uplink, manager),
		      "nothing: it will not notice; only for 'attach bridge' in helper.conf take "
		      "the card out of its hands first");
}
