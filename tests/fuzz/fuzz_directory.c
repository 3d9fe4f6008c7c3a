/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_directory.c: multicast DNS as anybody on the LAN can speak it: records that answer our
 * questions come and go, well-formed or not, on one interface or several. The driver is a
 * stand-in: it notes what is asked, refuses some, and hands in what the input says.
 */
#include <errno.h>
#include <strings.h>

#include "discovery_directory.h"
#include "discovery_known.h"
#include "input.h"
#include "records.h"
#include "still_poll.h"

enum { STEPS_MAX = 80, ASKED_MAX = 4 * STEPS_MAX + 1, GUESTS = 8 };

static struct {
	struct question *asked[ASKED_MAX];
	unsigned int n;
	unsigned int refuse; /* so many more questions */
} t;

unseen static int ask(void *user, struct question *question)
{
	(void)user;
	insist(!question->handle);
	if (t.refuse) {
		t.refuse--;
		return -EAGAIN;
	}
	insist(t.n < ASKED_MAX);
	t.asked[t.n++] = question;
	question->handle = &t;
	return 0;
}

unseen static void forget(void *user, struct question *question)
{
	(void)user;
	for (unsigned int i = 0; i < t.n; i++) {
		if (t.asked[i] != question)
			continue;
		t.asked[i] = t.asked[--t.n];
		question->handle = NULL;
		return;
	}
	insist(!"what is forgotten is asked");
}

static struct mac guest_mac(unsigned int n)
{
	return (struct mac){ { 0xb2, 1, 1, 1, 0, (uint8_t)(n % GUESTS) } };
}

unseen static bool is_own(void *user, const char *name)
{
	struct mac own = guest_mac(0);
	char ours[RECORD_INSTANCE_SIZE];

	(void)user;
	insist(strlen(name) < RECORD_NAME_SIZE);
	return strcasecmp(name, records_instance(&own, ours)) == 0;
}

unseen static void on_guest(void *user, const struct txt *txt, const struct sockaddr_in6 *addresses,
			    size_t n)
{
	(void)user;
	insist(mac_is_guest(&txt->mac) && n <= KNOWN_ADDRESSES);
	insist(!n || txt->port >= 1024);
	for (size_t i = 0; i < n; i++) {
		const struct in6_addr *ip = &addresses[i].sin6_addr;

		insist(!IN6_IS_ADDR_MULTICAST(ip) && !IN6_IS_ADDR_UNSPECIFIED(ip));
		insist(ntohs(addresses[i].sin6_port) == txt->port);
		for (size_t k = 0; k < i; k++)
			insist(memcmp(&addresses[k], &addresses[i], sizeof(*addresses)) != 0);
	}
}

/* The answer that belongs to a question: of a guest, a host, an address that the input names. */
unseen static size_t well_formed(const struct question *q, struct input *in, uint8_t *data)
{
	struct txt txt = { .mac = guest_mac(take_byte(in)), .port = 6066 };
	struct record records[RECORDS_OF_SERVICE];
	char host[] = "hosta.local";
	uint8_t what = take_byte(in);

	host[4] = (char)('a' + what % 4);
	txt.port = what & 0x10 ? 6066 : 80;
	txt.attach = what % ATTACH_COUNT;
	insist(records_of_service(&txt, host, records) == 0);
	for (int i = 0; i < RECORDS_OF_SERVICE; i++) {
		if (records[i].type != q->type)
			continue;
		memcpy(data, records[i].data, records[i].len);
		return records[i].len;
	}
	memset(data, 0, 16);
	data[0] = q->type == RECORD_A ? 10 : 0xfd;
	data[1] = what;
	return q->type == RECORD_A ? 4 : 16;
}

static void record_step(struct directory *directory, struct input *in)
{
	uint8_t what = take_byte(in), where = take_byte(in), data[RECORD_DATA_MAX + 4];
	struct sighting sighting = { .interface = 1 + (where & 3), .protocol = where >> 2 & 1 };
	const uint8_t *bytes;
	uint8_t *copy;

	if (!t.n)
		return;
	if (what & 0x80) {
		bytes = take_some(in, 255, &sighting.len);
		if (sighting.len)
			memcpy(data, bytes, sighting.len);
		if (where == 0xff)
			sighting.len = sizeof(data);
	} else {
		sighting.len = well_formed(t.asked[what % t.n], in, data);
	}
	copy = copy_of(data, sighting.len);
	sighting.data = copy;
	directory_record(directory, t.asked[what % t.n], !(where & 0x80), &sighting);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct directory_events events = { { ask, forget }, is_own, on_guest };
	struct discovery_counts counts = { 0 };
	struct directory *directory;
	struct input in = { data, size };

	memset(&t, 0, sizeof(t));
	insist(directory_new(&still_poll, &counts, &events, NULL, &directory) == 0);
	directory_ask(directory);
	for (int step = 0; in.left && step < STEPS_MAX; step++) {
		switch (take_byte(&in) % 8) {
		case 0:
		case 1:
			still_time_passes();
			break;
		case 2:
			if (take_byte(&in) & 1)
				t.refuse = 3;
			break;
		case 3:
			if (take_byte(&in) < 0xf0)
				break;
			/* the driver has gone with all its handles, and comes back */
			for (unsigned int i = 0; i < t.n; i++)
				t.asked[i]->handle = NULL;
			t.n = 0;
			directory_clear(directory);
			directory_ask(directory);
			break;
		default:
			record_step(directory, &in);
		}
	}
	still_time_passes();
	directory_free(directory);
	insist(t.n == 0);
	still_check_empty();
	return 0;
}
