/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_question.h: the questions to the network that are open, each with the records that
 * answer it at present. A question that the driver refuses is asked again, ever more seldom.
 *
 * No I/O but through the driver.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_QUESTION_H
#define BASILISK_TAP_SHIM_DISCOVERY_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <avahi-common/watch.h>

#include "records.h"

/* Of what answers all questions: each announced guest takes some 2,000, on a host with one card. */
#define QUESTION_BYTES (1024 * 1024)

/* A record as a driver saw it. The data belong to the caller. */
struct sighting {
	int interface; /* its index */
	int protocol;
	const uint8_t *data;
	size_t len;
};

/* A record that was seen. The question's. */
struct seen {
	struct seen *next; /* older */
	int interface;
	int protocol;
	size_t len;
	uint8_t data[];
};

/* In place, at an address that does not change, from question_open() to question_close(). */
struct question {
	struct question *next;
	const char *name; /* as text; its owner's */
	enum record_type type;
	void *owner;	   /* what it is about: for whoever opened it */
	void *handle;	   /* the driver's; NULL: not asked at present */
	void *driver;	   /* likewise: whose handle it is */
	struct seen *seen; /* newest first */
};

/* What it takes to ask: question->handle is set by the one, NULL after the other. */
struct question_events {
	int (*ask)(void *user, struct question *question); /* 0 or a negative errno: refused */
	void (*forget)(void *user, struct question *question);
};

struct questions;

/* No questions yet, in *@questions, owned by the caller: 0 or -ENOMEM. */
int questions_new(const AvahiPoll *poll, const struct question_events *events, void *user,
		  struct questions **questions);

/* There is a driver: asks all questions. */
void questions_ask(struct questions *questions);

/* The driver has gone, and with it all handles and all that it had seen. */
void questions_void(struct questions *questions);

/* Every question must have been closed. NULL is nothing. */
void questions_free(struct questions *questions);

/* Fills *@question, and asks it if there is a driver. @name must stay in place. */
void question_open(struct questions *questions, struct question *question, const char *name,
		   enum record_type type, void *owner);

/* Does not ask it any more, and forgets what it has seen. */
void question_close(struct questions *questions, struct question *question);

/*
 * A record came or went; @max are kept, and of all questions together QUESTION_BYTES. True where
 * that changes what question->seen says.
 */
bool question_record(struct questions *questions, struct question *question, bool present,
		     const struct sighting *sighting, size_t max);

#endif
