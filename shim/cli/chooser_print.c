/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chooser_print.c: see chooser_print.h.
 */
#include "chooser_print.h"

#include "cli.h"

const char *chooser_format_address(struct at_address address, char *text)
{
	snprintf(text, CHOOSER_ADDRESS_SIZE, "%u.%u", address.net, address.node);
	return text;
}

static void print_json_text(const char *key, const struct at_text *text)
{
	char utf8[AT_TEXT_UTF8_SIZE];

	printf("\"%s\": ", key);
	cli_json_string(stdout, at_text_format(text, utf8));
}

/* ---- what is told of ourselves ---- */

void chooser_print_self_json(const struct node *node)
{
	char mac[MAC_TEXT_LEN], address[CHOOSER_ADDRESS_SIZE];
	struct bt_status status;

	bt_get_status(node->device, &status, sizeof(status));
	printf("{\"version\": 1, \"node\": {\"address\": \"%s\", \"mac\": \"%s\", \"mode\": "
	       "\"%s\", \"attach\": \"%s\"}, ",
	       chooser_format_address(node->address, address), mac_format(&node->mac, mac),
	       status.bridged ? "bridge" : "p2p", status.attach);
	if (!node->routed) {
		printf("\"router\": null");
		return;
	}
	printf("\"router\": {\"address\": \"%s\", \"mac\": \"%s\", \"networks\": [%u, %u], ",
	       chooser_format_address(node->router, address), mac_format(&node->router_mac, mac),
	       node->info.first, node->info.last);
	print_json_text("zone", &node->info.zone);
	putchar('}');
}

void chooser_print_self(const struct node *node)
{
	char own[CHOOSER_ADDRESS_SIZE], router[CHOOSER_ADDRESS_SIZE], zone[AT_TEXT_UTF8_SIZE];

	chooser_format_address(node->address, own);
	if (!node->routed) {
		fprintf(stderr, "basilisk-tap: joined AppleTalk as %s; no router, so no zones\n",
			own);
		return;
	}
	fprintf(stderr,
		"basilisk-tap: joined AppleTalk as %s; router %s, networks %u to %u, zone %s\n",
		own, chooser_format_address(node->router, router), node->info.first,
		node->info.last, at_text_format(&node->info.zone, zone));
}

/* ---- the list ---- */

void chooser_print_list_json(const struct look *look)
{
	char address[CHOOSER_ADDRESS_SIZE], utf8[AT_TEXT_UTF8_SIZE];

	printf(", \"complete\": %s, \"zones\": [", look->cut ? "false" : "true");
	for (unsigned int i = 0; i < look->zones; i++) {
		fputs(i ? ", " : "", stdout);
		cli_json_string(stdout, at_text_format(&look->zone[i], utf8));
	}
	printf("], \"names\": [");
	for (unsigned int i = 0; i < look->names; i++) {
		const struct nbp_tuple *name = &look->name[i];

		fputs(i ? ",\n  {" : "\n  {", stdout);
		print_json_text("type", &name->type);
		fputs(", ", stdout);
		print_json_text("name", &name->object);
		fputs(", ", stdout);
		print_json_text("zone", &name->zone);
		printf(", \"address\": \"%s\", \"socket\": %u}",
		       chooser_format_address(name->address, address), name->socket);
	}
	puts(look->names ? "\n]}" : "]}");
}

/* Characters, which for Mac OS Roman's are columns. */
static size_t columns(const char *utf8)
{
	size_t n = 0;

	for (; *utf8; utf8++)
		n += (*utf8 & 0xc0) != 0x80;
	return n;
}

static void print_column(const char *utf8, size_t width)
{
	printf("%s%*s", utf8, (int)(width - columns(utf8)) + 2, "");
}

static size_t widest(size_t width, const struct at_text *text)
{
	return text->len > width ? text->len : width;
}

void chooser_print_list(const struct look *look)
{
	size_t type = 4, name = 4, zone = 4;
	char utf8[AT_TEXT_UTF8_SIZE], address[CHOOSER_ADDRESS_SIZE];

	if (look->cut)
		cli_fail(
			0,
			"there are more than %d zones or %d names, and not all are listed: choose a "
			"zone by --zone",
			LOOK_ZONES_MAX, LOOK_NAMES_MAX);
	if (!look->names) {
		cli_fail(0, "nobody on this AppleTalk network has a name: is AppleTalk on in the "
			    "Macs? 'basilisk-tap doctor' tells what is in the way here");
		return;
	}
	for (unsigned int i = 0; i < look->names; i++) {
		type = widest(type, &look->name[i].type);
		name = widest(name, &look->name[i].object);
		zone = widest(zone, &look->name[i].zone);
	}
	print_column("TYPE", type);
	print_column("NAME", name);
	print_column("ZONE", zone);
	puts("ADDRESS:SOCKET");
	for (unsigned int i = 0; i < look->names; i++) {
		print_column(at_text_format(&look->name[i].type, utf8), type);
		print_column(at_text_format(&look->name[i].object, utf8), name);
		print_column(at_text_format(&look->name[i].zone, utf8), zone);
		printf("%s:%u\n", chooser_format_address(look->name[i].address, address),
		       look->name[i].socket);
	}
}
