/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.h: what is asked of the helper. The same words stand on its command line and, in
 * socket mode, in the one message a caller sends: each word followed by a NUL.
 */
#ifndef BASILISK_TAP_PROTO_REQUEST_H
#define BASILISK_TAP_PROTO_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ifname.h"
#include "outcome.h"

#define REQUEST_WORDS_MAX   8	/* words after the program's name */
#define REQUEST_MESSAGE_MAX 256 /* bytes of all words with their NULs */
#define REQUEST_USER_SIZE   33	/* a login name: 32 characters and a NUL, as in useradd(8) */

enum request_verb {
	REQUEST_ATTACH,	 /* hand over a TAP */
	REQUEST_REPAIR,	 /* ensure again everything of a TAP that is alive */
	REQUEST_STATUS,	 /* tell what is there */
	REQUEST_CHECK,	 /* dry-run the policy */
	REQUEST_RELEASE, /* take the attachment down */
	REQUEST_HELP,
	REQUEST_VERSION,
};

/* Owned by whoever declared it. */
struct request {
	enum request_verb verb;
	int fd;	       /* attach, repair: where the reply goes. In a message any number from 3:
			* the reply comes over the connection */
	bool has_slot; /* the shim's call: a slot is asked for, the reply is reply.h's */
	unsigned int slot;
	char br[IFNAME_SIZE];	      /* a bridge's name; "" = what the policy says */
	char user[REQUEST_USER_SIZE]; /* check: for whom; "" = the caller */
	bool json;		      /* status */
	bool socket;		      /* the request comes as a message on descriptor 0 */
};

/*
 * Reads the command line. Accepted are --fd=N --slot=N --br=NAME --use-vnet --repair --status
 * --json --check --user=NAME (or --user NAME) --release --socket --help --version. Returns 0, or
 * -1 with @outcome set (OUTCOME_USAGE, OUTCOME_BAD_NAME or OUTCOME_BAD_DESCRIPTOR) naming the word.
 * @argv[0] is not looked at.
 */
int request_parse(int argc, char *const argv[], struct request *request, struct outcome *outcome);

/*
 * Writes an attach or repair request as words, each followed by a NUL, into @message of
 * REQUEST_MESSAGE_MAX bytes. Returns the length.
 */
size_t request_format(const struct request *request, char *message);

/*
 * Splits a message into words: @words gets pointers into @message, a NULL after the last, and has
 * room for REQUEST_WORDS_MAX + 1. Returns the number of words, or -EINVAL (empty, too long, too
 * many words, the last byte not NUL).
 */
int request_split(char *message, size_t len, char *words[]);

/*
 * Reads the message of @len bytes that a caller has sent, which can ask for a TAP alone. As
 * request_parse(); @message is taken apart.
 */
int request_read_message(char *message, size_t len, struct request *request,
			 struct outcome *outcome);

#endif
