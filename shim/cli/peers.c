/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers.c: `basilisk-tap peers`: who is on the network, whether or not an emulator runs here.
 * Only listens and asks; announces nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "discovery.h"
#include "log.h"
#include "loop.h"
#include "number.h"
#include "status.h"
#include "terminal.h"

#define WAIT_MS	      1500 /* answers are in by then: those who announced a second ago, too */
#define ADDRESSES_MAX 8
#define TEXT_SIZE     (INET6_ADDRSTRLEN + IF_NAMESIZE + 1)

static const char usage[] =
	"usage: basilisk-tap peers [--json] [--watch]\n"
	"\n"
	"Lists the emulators on the network: MAC address, where it is reached, bridge or p2p\n"
	"and how it is attached, its host, and how long ago it was heard of: by an emulator of\n"
	"this user's if one runs, otherwise by its announcement. Takes 1.5 seconds. This\n"
	"machine's own emulators are among them.\n"
	"\n"
	"  --json       as one JSON object\n"
	"  --watch      goes on until interrupted, one line for each change, \"+\" or \"-\" "
	"before\n"
	"               it; with --json, one object a line\n"
	"  --help       this text\n";

struct guest {
	struct txt txt;
	struct sockaddr_in6 address[ADDRESSES_MAX];
	size_t n;
	time_t heard; /* seconds of CLOCK_MONOTONIC */
};

struct peers {
	struct loop *loop;
	bool json;
	bool watch;
	struct guest *guest;
	size_t n;
	size_t room;
	bool changed;
	AvahiTimeout *settle;
	char state[256];
};

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* An address for people, without its port. */
static char *format_address(const struct sockaddr_in6 *address, char *text)
{
	char name[IF_NAMESIZE];
	bool mapped = IN6_IS_ADDR_V4MAPPED(&address->sin6_addr);

	inet_ntop(mapped ? AF_INET : AF_INET6,
		  mapped ? &address->sin6_addr.s6_addr[12] : address->sin6_addr.s6_addr, text,
		  INET6_ADDRSTRLEN);
	if (address->sin6_scope_id && if_indextoname(address->sin6_scope_id, name)) {
		strcat(text, "%");
		strcat(text, name);
	}
	return text;
}

/* How much a person would rather see this address: IPv4 of the network first. */
static int rank(const struct sockaddr_in6 *address)
{
	const struct in6_addr *ip = &address->sin6_addr;

	if (IN6_IS_ADDR_V4MAPPED(ip))
		return ip->s6_addr[12] == 127 ? 3 : 0;
	if (IN6_IS_ADDR_LOOPBACK(ip))
		return 4;
	return IN6_IS_ADDR_LINKLOCAL(ip) ? 1 : 2;
}

static int compare_addresses(const void *a, const void *b)
{
	int by_rank = rank(a) - rank(b);

	return by_rank ? by_rank : memcmp(a, b, sizeof(struct sockaddr_in6));
}

static int compare_guests(const void *a, const void *b)
{
	const struct guest *one = a, *other = b;

	return memcmp(&one->txt.mac, &other->txt.mac, sizeof(one->txt.mac));
}

static struct guest *find(struct peers *peers, const struct mac *mac)
{
	for (size_t i = 0; i < peers->n; i++) {
		if (mac_equal(&peers->guest[i].txt.mac, mac))
			return &peers->guest[i];
	}
	return NULL;
}

/* ---- what running emulators of this user's have heard ---- */

/* "MAC key=value … heard=MS …" of a status answer: the MAC, and the milliseconds. */
static bool parse_heard(const char *line, struct mac *mac, uint32_t *ms)
{
	const char *heard = strstr(line, " heard=");

	return heard && mac_parse(line, strcspn(line, " "), mac) == 0 &&
	       number_parse(heard + 7, strcspn(heard + 7, " "), UINT32_MAX, ms) == 0;
}

/* One of them sees frames and answers, we only announcements, which may be old ones. */
static void ask_emulators(struct peers *peers)
{
	static const char peer[] = "peer=";
	char *text = malloc(STATUS_TEXT_SIZE);

	for (unsigned int slot = 0; text && slot < MAC_SLOTS; slot++) {
		char **lines = NULL;

		if (status_ask(getuid(), slot, text) > 0)
			lines = cli_split(text);
		for (char **l = lines; l && *l; l++) {
			struct guest *guest;
			struct mac mac;
			uint32_t ms;

			if (strncmp(*l, peer, strlen(peer)) != 0 ||
			    !parse_heard(*l + strlen(peer), &mac, &ms))
				continue;
			guest = find(peers, &mac);
			if (guest)
				guest->heard = now() - ms / 1000;
		}
		free(lines);
	}
	free(text);
}

/* ---- output ---- */

static void print_json_guest(const struct guest *guest)
{
	char mac[MAC_TEXT_LEN], text[TEXT_SIZE];

	printf("{\"mac\": \"%s\", \"mode\": \"%s\", \"attach\": \"%s\", \"hostname\": ",
	       mac_format(&guest->txt.mac, mac), guest->txt.bridged ? "bridge" : "p2p",
	       attach_name(guest->txt.attach));
	cli_json_string(stdout, guest->txt.hostname);
	printf(", \"port\": %u, \"seen\": %ld, \"addresses\": [", guest->txt.port,
	       (long)(now() - guest->heard));
	for (size_t i = 0; i < guest->n; i++) {
		fputs(i ? ", " : "", stdout);
		cli_json_string(stdout, format_address(&guest->address[i], text));
	}
	printf("]}");
}

static void print_guest(const struct guest *guest, const char *before)
{
	char mac[MAC_TEXT_LEN], text[TEXT_SIZE] = "", at[TEXT_SIZE + 16], mode[24], seen[24];
	bool mapped = guest->n && IN6_IS_ADDR_V4MAPPED(&guest->address[0].sin6_addr);

	if (guest->n)
		format_address(&guest->address[0], text);
	snprintf(at, sizeof(at), mapped ? "%s:%u" : "[%s]:%u", text, guest->txt.port);
	snprintf(mode, sizeof(mode), "%s (%s)", guest->txt.bridged ? "bridge" : "p2p",
		 attach_name(guest->txt.attach));
	snprintf(seen, sizeof(seen), "%ld s ago", (long)(now() - guest->heard));
	printf("%s%s  %-22s  %s%-15s%s  %-8s  %s\n", before, mac_format(&guest->txt.mac, mac), at,
	       terminal_colour(stdout, guest->txt.bridged ? TERMINAL_GOOD : TERMINAL_WARNING), mode,
	       terminal_colour(stdout, TERMINAL_PLAIN), seen, guest->txt.hostname);
}

static void print_all(const struct peers *peers)
{
	if (peers->json) {
		printf("{\"version\": 1, \"discovery\": ");
		cli_json_string(stdout, peers->state);
		printf(", \"peers\": [");
		for (size_t i = 0; i < peers->n; i++) {
			fputs(i ? ",\n  " : "\n  ", stdout);
			print_json_guest(&peers->guest[i]);
		}
		puts(peers->n ? "\n]}" : "]}");
		return;
	}
	if (!peers->n) {
		cli_fail(0,
			 "no emulator on the network (%s): start one with 'ether auto' in its "
			 "prefs",
			 peers->state);
		return;
	}
	printf("%s%-17s  %-22s  %-15s  %-8s  %s%s\n", terminal_colour(stdout, TERMINAL_BOLD), "MAC",
	       "ADDRESS", "MODE", "HEARD", "HOST", terminal_colour(stdout, TERMINAL_PLAIN));
	for (size_t i = 0; i < peers->n; i++)
		print_guest(&peers->guest[i], "");
}

static void print_change(const struct peers *peers, const struct guest *guest, bool here)
{
	if (peers->json) {
		printf("{\"event\": \"%s\", \"peer\": ", here ? "found" : "lost");
		print_json_guest(guest);
		puts("}");
	} else {
		print_guest(guest, here ? "+ " : "- ");
	}
	if (fflush(stdout) == EOF)
		loop_quit(peers->loop); /* nobody gets what is told from now on */
}

/* ---- what discovery tells ---- */

static struct guest *add(struct peers *peers)
{
	if (peers->n == peers->room) {
		size_t room = peers->room + 64;
		struct guest *more = realloc(peers->guest, room * sizeof(*more));

		if (!more)
			return NULL;
		peers->guest = more;
		peers->room = room;
	}
	return memset(&peers->guest[peers->n++], 0, sizeof(struct guest));
}

/* Not all bytes: what is between the fields has no value. */
static bool is_same(const struct txt *one, const struct txt *other)
{
	return mac_equal(&one->mac, &other->mac) && one->port == other->port &&
	       one->bridged == other->bridged && one->attach == other->attach &&
	       strcmp(one->hostname, other->hostname) == 0;
}

static void on_found(void *user, const struct txt *txt, const struct sockaddr_in6 *address)
{
	struct peers *peers = user;
	struct guest *guest = find(peers, &txt->mac);
	bool news = !guest || !is_same(&guest->txt, txt);

	if (!guest)
		guest = add(peers);
	if (!guest)
		return;
	if (news)
		guest->n = 0;
	guest->txt = *txt;
	guest->heard = now();
	if (guest->n < ADDRESSES_MAX)
		guest->address[guest->n++] = *address;
	qsort(guest->address, guest->n, sizeof(*address), compare_addresses);
	if (peers->watch && news)
		print_change(peers, guest, true);
}

static void on_lost(void *user, const struct mac *mac)
{
	struct peers *peers = user;
	struct guest *guest = find(peers, mac);

	if (!guest)
		return;
	if (peers->watch)
		print_change(peers, guest, false);
	*guest = peers->guest[--peers->n];
}

static void on_state(void *user, const char *line)
{
	struct peers *peers = user;

	snprintf(peers->state, sizeof(peers->state), "%s", line);
	log_say(LOG_DEBUG, "%s", line);
}

static void on_time(AvahiTimeout *timeout, void *user)
{
	struct peers *peers = user;

	(void)timeout;
	loop_quit(peers->loop);
}

/* Not only when there is a change to be told, which may be hours away. */
static void on_reader_gone(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *user)
{
	struct peers *peers = user;

	(void)watch;
	(void)fd;
	(void)event;
	loop_quit(peers->loop);
}

/* Until when: with --watch, as long as somebody reads. 0 or -ENOMEM. */
static int set_end(struct peers *peers, const AvahiPoll *poll)
{
	struct timeval at;

	if (!peers->watch)
		return poll->timeout_new(poll, loop_after(&at, WAIT_MS), on_time, peers) ? 0 :
											   -ENOMEM;
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		return 0; /* closed from the start: the first change tells that it cannot be told */
	/* waits for nothing: an error or a hang-up is told unasked */
	return poll->watch_new(poll, STDOUT_FILENO, 0, on_reader_gone, peers) ? 0 : -ENOMEM;
}

int peers_main(int argc, char *argv[])
{
	static const struct discovery_events events = {
		.found = on_found,
		.lost = on_lost,
		.state = on_state,
	};
	struct peers peers = { 0 };
	const struct cli_option options[] = {
		{ .name = "--json", .flag = &peers.json },
		{ .name = "--watch", .flag = &peers.watch },
		{ .name = NULL },
	};
	struct discovery *discovery = NULL;
	const AvahiPoll *poll;
	int status, error;

	if (!cli_only_options(argc, argv, options, usage, &status))
		return status;
	log_start();
	error = loop_new(&peers.loop);
	if (error)
		goto out;
	poll = loop_api(peers.loop);
	error = discovery_start(poll, NULL, &events, &peers, &discovery);
	if (error)
		goto out;
	error = set_end(&peers, poll);
	if (error)
		goto out;
	if (!peers.watch)
		terminal_progress("listening");
	error = loop_run(peers.loop);
	terminal_progress("");
	if (!error && !peers.watch) {
		ask_emulators(&peers);
		if (peers.n) /* without, there is no array either */
			qsort(peers.guest, peers.n, sizeof(*peers.guest), compare_guests);
		print_all(&peers);
	}
out:
	discovery_stop(discovery);
	loop_free(peers.loop);
	free(peers.guest);
	return error ? cli_fail(CLI_FAILED, "peers: %s", strerror(-error)) : CLI_OK;
}
