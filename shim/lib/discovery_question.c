/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_question.c: see discovery_question.h.
 */
#include "discovery_question.h"
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS     1000 /* after the first refusal; doubles with each */
#define RETRY_MAX_MS 60000

struct questions {
	const AvahiPoll *poll;
	struct question_events events;
	void *user;
	struct question *first;
	size_t bytes; /* of all that was seen */
	bool driver;  /* there is one */
	AvahiTimeout *retry;
	bool refused; /* some question was: the timeout is set */
	unsigned int retry_ms;
};

/* Something was refused, most likely because it was too much: not again at once. */
static void refuse(struct questions *questions)
{
	if (questions->refused)
		return;
	questions->refused = true;
	loop_set_timeout(questions->poll, questions->retry, (int)questions->retry_ms);
	questions->retry_ms *= 2;
	if (questions->retry_ms > RETRY_MAX_MS)
		questions->retry_ms = RETRY_MAX_MS;
}

static void ask_all(struct questions *questions)
{
	questions->refused = false;
	for (struct question *q = questions->first; q && questions->driver; q = q->next) {
		if (!q->handle && questions->events.ask(questions->user, q) < 0) {
			refuse(questions);
			return;
		}
	}
	questions->retry_ms = RETRY_MS;
}

static void on_retry(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	ask_all(user);
}

int questions_new(const AvahiPoll *poll, const struct question_events *events, void *user,
		  struct questions **questions)
{
	struct questions *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->poll = poll;
	q->events = *events;
	q->user = user;
	q->retry_ms = RETRY_MS;
	q->retry = poll->timeout_new(poll, NULL, on_retry, q);
	if (!q->retry) {
		free(q);
		return -ENOMEM;
	}
	*questions = q;
	return 0;
}

void questions_ask(struct questions *questions)
{
	questions->driver = true;
	questions->retry_ms = RETRY_MS;
	ask_all(questions);
}

static void forget_one(struct questions *questions, struct seen **at)
{
	struct seen *seen = *at;

	*at = seen->next;
	questions->bytes -= sizeof(*seen) + seen->len;
	free(seen);
}

static void forget_seen(struct questions *questions, struct question *question)
{
	while (question->seen)
		forget_one(questions, &question->seen);
}

void questions_void(struct questions *questions)
{
	questions->driver = false;
	for (struct question *q = questions->first; q; q = q->next) {
		q->handle = NULL;
		forget_seen(questions, q);
	}
	questions->refused = false;
	questions->poll->timeout_update(questions->retry, NULL);
}

void questions_free(struct questions *questions)
{
	if (!questions)
		return;
	questions->poll->timeout_free(questions->retry);
	free(questions);
}

void question_open(struct questions *questions, struct question *question, const char *name,
		   enum record_type type, void *owner)
{
	struct question **last = &questions->first;

	*question = (struct question){ .name = name, .type = type, .owner = owner };
	while (*last)
		last = &(*last)->next;
	*last = question; /* at the end: in the order in which they matter */
	if (questions->driver && !questions->refused &&
	    questions->events.ask(questions->user, question) < 0)
		refuse(questions);
}

void question_close(struct questions *questions, struct question *question)
{
	struct question **at = &questions->first;

	while (*at && *at != question)
		at = &(*at)->next;
	if (*at)
		*at = question->next;
	if (question->handle)
		questions->events.forget(questions->user, question);
	forget_seen(questions, question);
}

bool question_record(struct questions *questions, struct question *question, bool present,
		     const struct sighting *sighting, size_t max)
{
	struct seen **at = &question->seen, *seen;
	size_t n = 0;

	for (; (seen = *at); at = &seen->next, n++) {
		if (seen->interface == sighting->interface &&
		    seen->protocol == sighting->protocol && seen->len == sighting->len &&
		    memcmp(seen->data, sighting->data, seen->len) == 0)
			break;
	}
	if (seen && !present) {
		forget_one(questions, at);
		return true;
	}
	if (seen || !present || n >= max ||
	    questions->bytes + sizeof(*seen) + sighting->len > QUESTION_BYTES)
		return false;
	seen = malloc(sizeof(*seen) + sighting->len);
	if (!seen)
		return false;
	questions->bytes += sizeof(*seen) + sighting->len;
	seen->interface = sighting->interface;
	seen->protocol = sighting->protocol;
	seen->len = sighting->len;
	memcpy(seen->data, sighting->data, sighting->len);
	seen->next = question->seen;
	question->seen = seen;
	return true;
}
