/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chatter.c: a stand-in for an emulator, and said to be one, light enough to be started a thousand
 * times:  chatter ETHER DESCRIPTOR [held]
 *
 * Opens a device of the library, and speaks the test ROM's protocol (tests/rom/testproto.s) with
 * everybody who does, the real Macs included: calls out to all once a second, asks somebody it has
 * heard of for an echo twenty times a second, gives echoes itself. The descriptor is a socket of
 * whoever started it: "open MAC" goes out first; "quiet" and "loud" are obeyed, and "ask MS MAC…",
 * whose answer is "missing MAC…": those that gave no echo within that time, though asked every
 * tenth of a second; and "held", answered by "held BYTES BLOCKS CALLER…" for each place that holds
 * memory (held.h), and "held" alone behind the last; by who was started with that word. "trim"
 * gives the kernel back what malloc() keeps without need, and is answered by "trimmed".
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "basilisk-tap.h"
#include "held.h"

#define KNOWN_MAX 128
#define ASK_MAX	  64
#define TICK_MS	  50
#define CALL_MS	  1000

enum { AT_TYPE = 12, AT_MAGIC = 14, AT_LETTER = 18, AT_NUMBER = 20, SHORTEST = 60 };

static const uint8_t head[] = { 0x88, 0xb5, 'B', 'I', 'I', 'R' };
static const uint8_t everybody[BT_MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

struct chatter {
	struct bt_device *device;
	int owner;
	uint8_t mac[BT_MAC_LEN];
	uint8_t known[KNOWN_MAX][BT_MAC_LEN];
	unsigned int n, next, serial;
	bool quiet;
	/* what "ask" is about */
	uint8_t asked[ASK_MAX][BT_MAC_LEN];
	unsigned int asks;
	long ask_until; /* 0: nothing is asked */
};

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void say(struct chatter *c, const uint8_t *to, char letter, size_t len)
{
	uint8_t frame[BT_FRAME_MAX];

	memcpy(frame, to, BT_MAC_LEN);
	memcpy(frame + BT_MAC_LEN, c->mac, BT_MAC_LEN);
	memcpy(frame + AT_TYPE, head, sizeof(head));
	frame[AT_LETTER] = (uint8_t)letter;
	for (size_t i = AT_LETTER + 1; i < len; i++)
		frame[i] = (uint8_t)(c->serial + i);
	c->serial++;
	bt_send(c->device, frame, len);
}

static void remember(struct chatter *c, const uint8_t *mac)
{
	for (unsigned int i = 0; i < c->n; i++)
		if (memcmp(c->known[i], mac, BT_MAC_LEN) == 0)
			return;
	if (c->n < KNOWN_MAX)
		c->next = c->n++;
	else
		c->next = (c->next + 1) % KNOWN_MAX;
	memcpy(c->known[c->next], mac, BT_MAC_LEN);
}

static void answered(struct chatter *c, const uint8_t *mac)
{
	for (unsigned int i = 0; i < c->asks; i++) {
		if (memcmp(c->asked[i], mac, BT_MAC_LEN) != 0)
			continue;
		memcpy(c->asked[i], c->asked[--c->asks], BT_MAC_LEN);
		return;
	}
}

static void take(struct chatter *c, uint8_t *frame, size_t len)
{
	uint8_t sender[BT_MAC_LEN];

	if (len < SHORTEST || memcmp(frame + AT_TYPE, head, sizeof(head)) != 0)
		return;
	memcpy(sender, frame + BT_MAC_LEN, BT_MAC_LEN);
	remember(c, sender);
	if (frame[AT_LETTER] == 'R')
		answered(c, sender);
	if (frame[AT_LETTER] != 'E')
		return;
	memcpy(frame + BT_MAC_LEN, c->mac, BT_MAC_LEN);
	memcpy(frame, sender, BT_MAC_LEN);
	frame[AT_LETTER] = 'R';
	bt_send(c->device, frame, len);
}

static void report(struct chatter *c)
{
	char text[16 + ASK_MAX * (2 * BT_MAC_LEN + 1)] = "missing";
	size_t len = strlen(text);

	for (unsigned int i = 0; i < c->asks; i++) {
		len += (size_t)sprintf(text + len, " ");
		for (int k = 0; k < BT_MAC_LEN; k++)
			len += (size_t)sprintf(text + len, "%02x", c->asked[i][k]);
	}
	c->ask_until = 0;
	send(c->owner, text, len, MSG_NOSIGNAL);
}

/* A caller as FILE+OFFSET, the way addr2line wants it. */
static size_t print_caller(char *text, size_t room, const void *caller)
{
	Dl_info in;
	int len;

	if (dladdr(caller, &in) && in.dli_fname)
		len = snprintf(text, room, " %s+%tx", in.dli_fname,
			       (const char *)caller - (const char *)in.dli_fbase);
	else
		len = snprintf(text, room, " ?+0");
	return len < 0 || (size_t)len >= room ? 0 : (size_t)len;
}

static void tell_held(const struct chatter *c)
{
	char text[HELD_DEPTH * 128];
	struct held held;
	size_t at = 0;

	while (held_next(&at, &held) == 0) {
		size_t len = (size_t)snprintf(text, sizeof(text), "held %zu %zu", held.bytes,
					      held.blocks);

		for (int i = 0; i < HELD_DEPTH && held.caller[i]; i++)
			len += print_caller(text + len, sizeof(text) - len, held.caller[i]);
		send(c->owner, text, len, MSG_NOSIGNAL);
	}
	send(c->owner, "held", strlen("held"), MSG_NOSIGNAL);
}

static void obey(struct chatter *c, char *text)
{
	char *save, *word = strtok_r(text, " ", &save);

	if (!word)
		return;
	if (strcmp(word, "held") == 0) {
		tell_held(c);
		return;
	}
	if (strcmp(word, "trim") == 0) {
		malloc_trim(0);
		send(c->owner, "trimmed", strlen("trimmed"), MSG_NOSIGNAL);
		return;
	}
	c->quiet = strcmp(word, "loud") != 0;
	if (strcmp(word, "ask") != 0)
		return;
	word = strtok_r(NULL, " ", &save);
	c->ask_until = now_ms() + (word ? atol(word) : 0);
	c->asks = 0;
	while ((word = strtok_r(NULL, " ", &save)) && c->asks < ASK_MAX) {
		for (int k = 0; k < BT_MAC_LEN; k++)
			sscanf(word + 2 * k, "%2hhx", &c->asked[c->asks][k]);
		c->asks++;
	}
}

/* Every TICK_MS. */
static void tick(struct chatter *c, unsigned int number)
{
	if (c->ask_until && (!c->asks || now_ms() > c->ask_until))
		report(c);
	for (unsigned int i = 0; c->ask_until && number % 2 == 0 && i < c->asks; i++)
		say(c, c->asked[i], 'E', SHORTEST);
	if (c->quiet)
		return;
	if (number % (CALL_MS / TICK_MS) == 0)
		say(c, everybody, 'W', SHORTEST);
	if (c->n)
		say(c, c->known[number % c->n], 'E',
		    SHORTEST + number * 37 % (BT_FRAME_MAX - SHORTEST + 1));
}

static int live(struct chatter *c)
{
	struct pollfd wait[2] = { { bt_fd(c->device), POLLIN, 0 }, { c->owner, POLLIN, 0 } };
	uint8_t frame[BT_FRAME_MAX];
	char text[2048];
	unsigned int number = 0;
	long next = now_ms();
	ssize_t n;

	for (;;) {
		long left = next - now_ms();

		if (left <= 0) {
			tick(c, number++);
			next = now_ms() + TICK_MS;
			continue;
		}
		if (poll(wait, 2, (int)left) < 0 && errno != EINTR)
			return 1;
		if (wait[0].revents & ~POLLIN)
			return 2; /* the descriptor must never show anything else */
		while (wait[0].revents && (n = bt_receive(c->device, frame, sizeof(frame))) > 0)
			take(c, frame, (size_t)n);
		if (!wait[1].revents)
			continue;
		n = recv(c->owner, text, sizeof(text) - 1, MSG_DONTWAIT);
		if (n <= 0)
			return 0;
		text[n] = '\0';
		obey(c, text);
	}
}

int main(int argc, char *argv[])
{
	struct chatter chatter = { .owner = argc > 2 ? atoi(argv[2]) : -1 };
	char text[32];
	int status;

	if (argc > 3)
		held_begin();
	if (argc < 3 || bt_open(argv[1], &chatter.device) < 0)
		return 1;
	bt_mac(chatter.device, chatter.mac);
	status = snprintf(text, sizeof(text), "open %02x%02x%02x%02x%02x%02x", chatter.mac[0],
			  chatter.mac[1], chatter.mac[2], chatter.mac[3], chatter.mac[4],
			  chatter.mac[5]);
	send(chatter.owner, text, (size_t)status, MSG_NOSIGNAL);
	status = live(&chatter);
	bt_close(chatter.device);
	return status;
}
