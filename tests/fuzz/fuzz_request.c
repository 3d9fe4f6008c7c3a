/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_request.c: the helper's words, from a command line (any number, of any length, as execve()
 * gives them) and from a message. What is understood must come back the same when it is written
 * and read again, and a message must mean the same as the command line with its words.
 */
#include "input.h"
#include "request.h"

#define ARGUMENTS_MAX 64

static void check(const struct request *request)
{
	char again[REQUEST_MESSAGE_MAX];
	char *words[REQUEST_WORDS_MAX + 2] = { (char *)"" };
	struct request second;
	struct outcome outcome = { 0 };
	int count;

	insist(strnlen(request->br, sizeof(request->br)) < sizeof(request->br));
	insist(strnlen(request->user, sizeof(request->user)) < sizeof(request->user));
	insist(request->fd == -1 || request->fd >= 3);
	insist(request->slot < 16);
	if (request->verb > REQUEST_REPAIR || request->socket)
		return;
	count = request_split(again, request_format(request, again), words + 1);
	insist(count > 0 && request_parse(count + 1, words, &second, &outcome) == 0);
	insist(second.fd == request->fd && second.verb == request->verb &&
	       second.has_slot == request->has_slot && second.slot == request->slot &&
	       strcmp(second.br, request->br) == 0);
}

/* A refusal that names the word, in one line of what a terminal may see. */
static void check_refusal(const struct outcome *outcome)
{
	insist(outcome->code == OUTCOME_USAGE || outcome->code == OUTCOME_BAD_NAME ||
	       outcome->code == OUTCOME_BAD_DESCRIPTOR);
	insist(outcome->what[0] &&
	       strnlen(outcome->what, sizeof(outcome->what)) < sizeof(outcome->what));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = (char *)copy_of(data, size), *message = (char *)copy_of(data, size);
	char *whole = (char *)copy_of(data, size);
	char *argv[ARGUMENTS_MAX + 2] = { (char *)"" }, *words[REQUEST_WORDS_MAX + 2] = { 0 };
	struct request request, same;
	struct outcome outcome = { 0 };
	int argc = 1, count, refused;

	/* what is behind the last NUL is no word */
	for (size_t at = 0; at < size && argc <= ARGUMENTS_MAX;) {
		size_t len = strnlen(bytes + at, size - at);

		if (len == size - at)
			break;
		argv[argc++] = bytes + at;
		at += len + 1;
	}
	refused = request_parse(argc, argv, &request, &outcome);
	if (refused)
		check_refusal(&outcome);
	else
		check(&request);
	count = request_split(message, size, words + 1);
	if (count > 0) {
		insist(count + 1 == argc && words[argc] == NULL);
		words[0] = argv[0];
		insist(request_parse(argc, words, &same, &outcome) == refused);
	}
	/* and of these only what a caller behind a socket may ask for */
	outcome.code = OUTCOME_OK;
	if (request_read_message(whole, size, &same, &outcome) == 0)
		insist(!refused && count > 0 && same.fd == request.fd && !same.socket &&
		       same.verb == request.verb && same.verb <= REQUEST_REPAIR);
	else
		insist(outcome.code != OUTCOME_OK);
	free(bytes);
	free(message);
	free(whole);
	return 0;
}
