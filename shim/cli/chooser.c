/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chooser.c: `basilisk-tap chooser`: what a Mac on this network would see in its Chooser, without
 * a Mac. Joins the network as an emulator does, and is gone when it ends.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "chooser_look.h"
#include "chooser_print.h"
#include "clock.h"
#include "cli.h"
#include "number.h"
#include "terminal.h"

#define WAIT_DEFAULT  3
#define WAIT_MAX      60
#define COUNT_DEFAULT 4
#define COUNT_MAX     1000
#define GAP_MS	      250 /* between two echoes */

static const char usage[] =
	"usage: basilisk-tap chooser [OPTION]...\n"
	"       basilisk-tap chooser ping [OPTION]... NAME[:TYPE[@ZONE]] | NET.NODE\n"
	"\n"
	"Joins the network as `ether auto` does, and lists what a Mac's Chooser would list: all\n"
	"names that answer, by type, with zone and AppleTalk address. Takes 7 seconds, with a\n"
	"router 8. ping sends echoes to a name or an address.\n"
	"\n"
	"  --zone NAME    look in that zone only, instead of all that the router tells of\n"
	"  --wait N       look for names for N seconds, 1 to 60; otherwise 3\n"
	"  --count N      ping: so many echoes, 1 to 1000; otherwise 4\n"
	"  --ether VALUE  join as an emulator with that line in its prefs, for example auto-p2p\n"
	"  --json         as one JSON object\n"
	"  --help         this text\n"
	"\n"
	"Exit status: 0 something answered; 1 no network; 2 a word is not understood; 3 nothing\n"
	"answered.\n";

struct chooser {
	bool json;
	const char *zone_text, *wait_text, *count_text, *ether;
	struct at_text zone;
	uint32_t wait;	/* s */
	uint32_t count; /* echoes */
	struct node node;
	struct look look;
};

static int list(struct chooser *chooser)
{
	static const struct nbp_tuple all = { .object = { 1, "=" }, .type = { 1, "=" } };
	struct look *look = &chooser->look;
	int error;

	terminal_progress("looking for names");
	error = look_for_names(look, &all, chooser->wait * 1000, false);
	terminal_progress("");
	if (error)
		return error;
	look_sort(look);
	if (chooser->json) {
		chooser_print_self_json(&chooser->node);
		chooser_print_list_json(look);
	} else {
		chooser_print_list(look);
	}
	return look->names ? CLI_OK : CLI_NOTHING;
}

/* ---- ping ---- */

/* "NET.NODE" */
static bool parse_address(const char *text, struct at_address *address)
{
	size_t net_len = strcspn(text, ".");
	uint32_t net, node;

	if (!text[net_len] || number_parse(text, net_len, APPLETALK_STARTUP_LAST, &net) < 0 ||
	    number_parse(text + net_len + 1, strlen(text + net_len + 1), 0xfe, &node) < 0 || !node)
		return false;
	address->net = (uint16_t)net;
	address->node = (uint8_t)node;
	return true;
}

/* Finds whom @target means. CLI_OK, CLI_NOTHING with a word said, or a negative errno. */
static int find(struct chooser *chooser, const struct nbp_tuple *wanted, const char *name,
		struct at_address *address)
{
	struct look *look = &chooser->look;
	int error = look_for_names(look, wanted, chooser->wait * 1000, true);

	terminal_progress("");
	if (error)
		return error;
	if (!look->names)
		return cli_fail(CLI_NOTHING,
				"nobody answers to the name '%s': see who does by 'basilisk-tap "
				"chooser'",
				name);
	*address = look->name[0].address;
	return CLI_OK;
}

struct echoes {
	unsigned int sent, answered;
	unsigned int best, worst; /* µs */
	uint64_t sum;		  /* µs */
};

static void count_echo(struct echoes *echoes, unsigned int us)
{
	if (!echoes->answered || us < echoes->best)
		echoes->best = us;
	if (us > echoes->worst)
		echoes->worst = us;
	echoes->sum += us;
	echoes->answered++;
}

/* A pause in which others still get an answer from us. */
static int wait_for_next(struct chooser *chooser)
{
	uint32_t deadline = clock_ms() + GAP_MS;
	struct node_news news;
	int error;

	while ((error = node_receive(&chooser->node, deadline, &news)) == 0)
		;
	return error == -ETIMEDOUT ? 0 : error;
}

static int send_echoes(struct chooser *chooser, struct at_address address, const struct mac *mac,
		       struct echoes *echoes)
{
	for (uint32_t i = 1; i <= chooser->count; i++) {
		int us = look_echo(&chooser->node, address, mac, i), error;

		echoes->sent++;
		if (us < 0 && us != -ETIMEDOUT)
			return us;
		if (us >= 0)
			count_echo(echoes, (unsigned int)us);
		if (!chooser->json && us >= 0)
			printf("echo %u: %.2f ms\n", i, us / 1000.0);
		else if (!chooser->json)
			printf("echo %u: no answer\n", i);
		fflush(stdout);
		if (i == chooser->count)
			break;
		error = wait_for_next(chooser);
		if (error)
			return error;
	}
	return 0;
}

/* @address, @mac: NULL where that was not found out. */
static void print_echoes(const struct chooser *chooser, const struct at_address *address,
			 const struct mac *mac, const struct echoes *echoes)
{
	double mean = echoes->answered ? (double)echoes->sum / echoes->answered / 1000 : 0;
	char text[CHOOSER_ADDRESS_SIZE], mac_text[MAC_TEXT_LEN];

	if (!chooser->json) {
		printf("%u sent, %u answered", echoes->sent, echoes->answered);
		if (echoes->answered)
			printf("; %.2f/%.2f/%.2f ms at least, on average, at most",
			       echoes->best / 1000.0, mean, echoes->worst / 1000.0);
		putchar('\n');
		return;
	}
	chooser_print_self_json(&chooser->node);
	printf(", \"ping\": {\"address\": ");
	printf(address ? "\"%s\"" : "null", address ? chooser_format_address(*address, text) : "");
	printf(mac ? ", \"mac\": \"%s\"" : ", \"mac\": null", mac ? mac_format(mac, mac_text) : "");
	printf(", \"sent\": %u, \"answered\": %u", echoes->sent, echoes->answered);
	if (echoes->answered)
		printf(", \"ms\": {\"min\": %.3f, \"mean\": %.3f, \"max\": %.3f}",
		       echoes->best / 1000.0, mean, echoes->worst / 1000.0);
	puts("}}");
}

static int ping(struct chooser *chooser, const char *name, const struct nbp_tuple *wanted)
{
	char address_text[CHOOSER_ADDRESS_SIZE], mac_text[MAC_TEXT_LEN];
	struct echoes echoes = { 0 };
	struct at_address address = { 0 };
	struct mac mac;
	int status;

	if (!parse_address(name, &address)) {
		terminal_progress("looking for the name");
		status = find(chooser, wanted, name, &address);
		if (status == CLI_NOTHING && chooser->json)
			print_echoes(chooser, NULL, NULL, &echoes);
		if (status != CLI_OK)
			return status;
	}
	terminal_progress("");
	status = node_resolve(&chooser->node, address, &mac);
	if (status == -EHOSTUNREACH) {
		if (chooser->json)
			print_echoes(chooser, &address, NULL, &echoes);
		return cli_fail(CLI_NOTHING,
				"nobody has the AppleTalk address %s: see who is there by "
				"'basilisk-tap chooser'",
				chooser_format_address(address, address_text));
	}
	if (status)
		return status;
	if (!chooser->json)
		printf("%s is %s at MAC %s\n", name, chooser_format_address(address, address_text),
		       mac_format(&mac, mac_text));
	status = send_echoes(chooser, address, &mac, &echoes);
	if (status)
		return status;
	print_echoes(chooser, &address, &mac, &echoes);
	return echoes.answered ? CLI_OK : CLI_NOTHING;
}

/* ---- the command ---- */

static int read_number(const char *option, const char *text, uint32_t max, uint32_t *number)
{
	if (text && (number_parse(text, strlen(text), max, number) < 0 || !*number))
		return cli_fail(CLI_USAGE, "chooser: %s '%s' is no number from 1 to %u", option,
				text, max);
	return CLI_OK;
}

static int read_values(struct chooser *chooser)
{
	int status = read_number("--wait", chooser->wait_text, WAIT_MAX, &chooser->wait);

	if (!status)
		status = read_number("--count", chooser->count_text, COUNT_MAX, &chooser->count);
	if (!status && chooser->zone_text &&
	    at_text_parse(chooser->zone_text, strlen(chooser->zone_text), &chooser->zone) < 0)
		status = cli_fail(
			CLI_USAGE,
			"chooser: '%s' is no name of a zone: 1 to 32 of a Mac's characters",
			chooser->zone_text);
	if (!status && !bt_is_ours(chooser->ether))
		status = cli_fail(CLI_USAGE,
				  "chooser: --ether '%s' is none of auto, auto-bridge, auto-p2p",
				  chooser->ether);
	return status;
}

static int join(struct chooser *chooser)
{
	struct look *look = &chooser->look;
	int error;

	terminal_progress("joining the network");
	error = node_join(&chooser->node);
	terminal_progress("");
	if (error)
		return error;
	if (!chooser->json)
		chooser_print_self(&chooser->node);
	look->node = &chooser->node;
	if (!chooser->zone.len)
		return look_for_zones(look);
	look->zone[look->zones++] = chooser->zone;
	return 0;
}

static int run(struct chooser *chooser, const char *name, const struct nbp_tuple *wanted)
{
	int status = node_open(&chooser->node, chooser->ether);

	if (status) {
		node_close(&chooser->node);
		return status == -EINVAL ? CLI_USAGE : CLI_FAILED; /* the library has said why */
	}
	status = join(chooser);
	if (!status)
		status = name ? ping(chooser, name, wanted) : list(chooser);
	terminal_progress("");
	look_free(&chooser->look);
	node_close(&chooser->node);
	if (status == -EINTR)
		return cli_fail(CLI_FAILED, "chooser: interrupted");
	if (status == -EADDRINUSE)
		return cli_fail(CLI_FAILED, "chooser: all AppleTalk addresses tried are taken: "
					    "somebody answers to every one");
	if (status < 0)
		return cli_fail(CLI_FAILED, "chooser: %s", strerror(-status));
	return status;
}

/*
 * Reads the words; sets *@name where one is to be pinged. CLI_OK: go on; otherwise, or with
 * *@done, end with that status.
 */
static int read_words(struct chooser *chooser, int argc, char *argv[], const char **name,
		      bool *done)
{
	const struct cli_option options[] = {
		{ .name = "--json", .flag = &chooser->json },
		{ .name = "--zone", .value = &chooser->zone_text },
		{ .name = "--wait", .value = &chooser->wait_text },
		{ .name = "--count", .value = &chooser->count_text },
		{ .name = "--ether", .value = &chooser->ether },
		{ .name = NULL },
	};
	int status, next = cli_options(argc, argv, options, usage, &status);
	bool is_ping = next >= 0 && next < argc && strcmp(argv[next], "ping") == 0;

	if (is_ping) {
		argc -= next;
		argv += next;
		next = cli_options(argc, argv, options, usage, &status);
	}
	*done = next < 0;
	if (*done)
		return status;
	if (is_ping && next == argc)
		return cli_fail(CLI_USAGE, "chooser ping: whom? (try --help)");
	if (is_ping)
		*name = argv[next++];
	if (next < argc)
		return cli_fail(CLI_USAGE, "chooser: '%s' is not understood (try --help)",
				argv[next]);
	return read_values(chooser);
}

int chooser_main(int argc, char *argv[])
{
	struct chooser chooser = { .wait = WAIT_DEFAULT, .count = COUNT_DEFAULT, .ether = "auto" };
	struct nbp_tuple wanted = { .type = { 1, "=" } };
	struct at_address address;
	const char *name = NULL;
	bool done;
	int status = read_words(&chooser, argc, argv, &name, &done);

	if (status || done)
		return status;
	if (name && !parse_address(name, &address) && nbp_parse(name, &wanted) < 0)
		return cli_fail(CLI_USAGE,
				"chooser ping: '%s' is no name of AppleTalk's: NAME[:TYPE[@ZONE]], "
				"of 32 of a Mac's characters each, or NET.NODE",
				name);
	if (!chooser.zone.len)
		chooser.zone = wanted.zone;
	return run(&chooser, name, &wanted);
}
