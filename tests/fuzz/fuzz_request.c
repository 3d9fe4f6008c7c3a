/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_request.c: the helper's words, from a command line or a message. What is understood must
 * come back the same when it is written and read again.
 */
#include <stdlib.h>
#include <string.h>

#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char message[REQUEST_MESSAGE_MAX], again[REQUEST_MESSAGE_MAX];
	char *words[REQUEST_WORDS_MAX + 2] = { (char *)"" };
	struct request request, second;
	struct outcome outcome = { 0 };
	int count;

	if (size > sizeof(message))
		return 0;
	memcpy(message, data, size);
	count = request_split(message, size, words + 1);
	if (count < 0)
		return 0;
	if (request_parse(count + 1, words, &request, &outcome)) {
		if (outcome.code == OUTCOME_OK || !outcome.what[0])
			abort();
		return 0;
	}
	if (strnlen(request.br, sizeof(request.br)) == sizeof(request.br))
		abort();
	if (request.verb > REQUEST_REPAIR || request.socket)
		return 0;
	count = request_split(again, request_format(&request, again), words + 1);
	if (count < 0 || request_parse(count + 1, words, &second, &outcome) ||
	    second.fd != request.fd || second.verb != request.verb ||
	    second.has_slot != request.has_slot || second.slot != request.slot ||
	    strcmp(second.br, request.br) != 0)
		abort();
	return 0;
}
