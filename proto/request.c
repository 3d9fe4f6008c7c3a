/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.c: see request.h. Pure: no I/O, no globals, no allocation.
 */
#include "request.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "mac.h"
#include "number.h"

#define FD_MIN 3 /* 0-2 are the standard streams, and in socket mode the caller */

/* The value behind "NAME=" if @word begins so, else NULL. */
static const char *value_of(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

/* What is said of a word that is not understood; @word may be one that lacks its value. */
static int refuse(const char *word, struct outcome *outcome)
{
	static const char *const with_value[] = { "--fd", "--slot", "--br", "--user" };

	for (size_t i = 0; i < sizeof(with_value) / sizeof(with_value[0]); i++)
		if (strcmp(word, with_value[i]) == 0)
			return outcome_set(outcome, OUTCOME_USAGE, "%s wants a value: %s=...", word,
					   word);
	return outcome_set(outcome, OUTCOME_USAGE, "unknown word %.60s", word);
}

static int read_fd(const char *text, struct request *r, struct outcome *outcome)
{
	uint32_t value;

	if (number_parse(text, strlen(text), INT_MAX, &value) || value < FD_MIN)
		return outcome_set(outcome, OUTCOME_BAD_DESCRIPTOR,
				   "--fd=%.20s is no descriptor number from %d up", text, FD_MIN);
	r->fd = (int)value;
	return 0;
}

static int read_slot(const char *text, struct request *r, struct outcome *outcome)
{
	uint32_t value;

	if (number_parse(text, strlen(text), MAC_SLOTS - 1, &value))
		return outcome_set(outcome, OUTCOME_USAGE, "--slot=%.20s is no number from 0 to %d",
				   text, MAC_SLOTS - 1);
	r->slot = value;
	r->has_slot = true;
	return 0;
}

static int read_br(const char *text, struct request *r, struct outcome *outcome)
{
	int err = ifname_check(text, strlen(text));

	if (err == -ENAMETOOLONG)
		return outcome_set(outcome, OUTCOME_BAD_NAME,
				   "--br=%.40s is %zu bytes long, an interface name has at most %d",
				   text, strlen(text), IFNAME_SIZE - 1);
	if (err)
		return outcome_set(outcome, OUTCOME_BAD_NAME, "--br=%.40s cannot name an interface",
				   text);
	/* both mean: what the policy's 'attach' says */
	if (strcmp(text, "auto") == 0 || strcmp(text, "br-basilisk") == 0)
		text = "";
	memset(r->br, 0, sizeof(r->br));
	memcpy(r->br, text, strlen(text));
	return 0;
}

static int read_user(const char *text, struct request *r, struct outcome *outcome)
{
	size_t len = strlen(text);

	if (len == 0 || len >= sizeof(r->user))
		return outcome_set(outcome, OUTCOME_USAGE,
				   "--user=%.40s is no login name (1 to %zu characters)", text,
				   sizeof(r->user) - 1);
	memcpy(r->user, text, len + 1);
	return 0;
}

static int read_verb(enum request_verb verb, bool *chosen, const char *word, struct request *r,
		     struct outcome *outcome)
{
	if (*chosen)
		return outcome_set(outcome, OUTCOME_USAGE,
				   "%.40s cannot stand beside another action", word);
	*chosen = true;
	r->verb = verb;
	return 0;
}

/* What must stand together, and what must not. */
static int check_whole(const struct request *r, bool chosen, struct outcome *outcome)
{
	bool hands_over = r->verb == REQUEST_ATTACH || r->verb == REQUEST_REPAIR;

	if (!chosen && !r->socket && r->fd < 0)
		return outcome_set(outcome, OUTCOME_USAGE,
				   "nothing to do: neither --fd=N nor an action is given");
	if (!hands_over && (r->fd >= 0 || r->has_slot || r->br[0]))
		return outcome_set(outcome, OUTCOME_USAGE,
				   "--fd, --slot and --br belong to a request for a TAP alone");
	if (r->verb == REQUEST_REPAIR && !r->has_slot)
		return outcome_set(outcome, OUTCOME_USAGE, "--repair needs --slot=N");
	if (r->verb == REQUEST_REPAIR && r->fd < 0)
		return outcome_set(outcome, OUTCOME_USAGE, "--repair needs --fd=N");
	if (r->user[0] && r->verb != REQUEST_CHECK)
		return outcome_set(outcome, OUTCOME_USAGE, "--user belongs to --check alone");
	if (r->json && r->verb != REQUEST_STATUS)
		return outcome_set(outcome, OUTCOME_USAGE, "--json belongs to --status alone");
	if (r->socket && (chosen || r->fd >= 0 || r->has_slot || r->br[0]))
		return outcome_set(outcome, OUTCOME_USAGE,
				   "--socket stands alone: the request comes as a message");
	return 0;
}

int request_parse(int argc, char *const argv[], struct request *request, struct outcome *outcome)
{
	static const struct {
		const char *word;
		enum request_verb verb;
	} verbs[] = {
		{ "--repair", REQUEST_REPAIR }, { "--status", REQUEST_STATUS },
		{ "--check", REQUEST_CHECK },	{ "--release", REQUEST_RELEASE },
		{ "--help", REQUEST_HELP },	{ "--version", REQUEST_VERSION },
	};
	struct request r = { .verb = REQUEST_ATTACH, .fd = -1 };
	bool chosen = false;
	int err = 0;

	for (int i = 1; i < argc && !err; i++) {
		const char *word = argv[i];
		const char *value;
		size_t v = 0;

		while (v < sizeof(verbs) / sizeof(verbs[0]) && strcmp(word, verbs[v].word) != 0)
			v++;
		if (v < sizeof(verbs) / sizeof(verbs[0]))
			err = read_verb(verbs[v].verb, &chosen, word, &r, outcome);
		else if ((value = value_of(word, "--fd")))
			err = read_fd(value, &r, outcome);
		else if ((value = value_of(word, "--slot")))
			err = read_slot(value, &r, outcome);
		else if ((value = value_of(word, "--br")))
			err = read_br(value, &r, outcome);
		else if ((value = value_of(word, "--user")))
			err = read_user(value, &r, outcome);
		else if (strcmp(word, "--user") == 0 && i + 1 < argc)
			err = read_user(argv[++i], &r, outcome);
		else if (strcmp(word, "--json") == 0)
			r.json = true;
		else if (strcmp(word, "--socket") == 0)
			r.socket = true;
		/* QEMU says --use-vnet whenever it can; a TAP without IFF_VNET_HDR serves it too */
		else if (strcmp(word, "--use-vnet") != 0)
			err = refuse(word, outcome);
	}
	if (!err)
		err = check_whole(&r, chosen, outcome);
	if (!err)
		*request = r;
	return err;
}

size_t request_format(const struct request *request, char *message)
{
	size_t len = 0;

	/* the longest: "--repair" "--fd=2147483647" "--slot=15" "--br=" and 15 bytes: under 64 */
	if (request->verb == REQUEST_REPAIR)
		len += (size_t)sprintf(message + len, "--repair") + 1;
	if (request->fd >= 0)
		len += (size_t)sprintf(message + len, "--fd=%d", request->fd) + 1;
	if (request->has_slot)
		len += (size_t)sprintf(message + len, "--slot=%u", request->slot) + 1;
	len += (size_t)sprintf(message + len, "--br=%.15s", request->br[0] ? request->br : "auto") +
	       1;
	return len;
}

int request_split(char *message, size_t len, char *words[])
{
	int n = 0;

	if (len == 0 || len > REQUEST_MESSAGE_MAX || message[len - 1] != '\0')
		return -EINVAL;
	for (size_t at = 0; at < len; at += strlen(message + at) + 1) {
		if (n == REQUEST_WORDS_MAX)
			return -EINVAL;
		words[n++] = message + at;
	}
	words[n] = NULL;
	return n;
}

int request_read_message(char *message, size_t len, struct request *request,
			 struct outcome *outcome)
{
	char name[] = "", *words[REQUEST_WORDS_MAX + 2] = { name };
	const int count = request_split(message, len, words + 1);
	struct request asked;

	if (count < 0)
		return outcome_set(outcome, OUTCOME_USAGE, "the request is no message of words");
	if (request_parse(count + 1, words, &asked, outcome))
		return -1;
	if ((asked.verb != REQUEST_ATTACH && asked.verb != REQUEST_REPAIR) || asked.socket)
		return outcome_set(outcome, OUTCOME_USAGE, "only a TAP can be asked for here");
	*request = asked;
	return 0;
}
