/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_status.c: the status socket, both sides of it. What a client sends is answered only if it
 * is the word; what an emulator answers, which may be another user's program, is printed so that a
 * terminal may see it, and as JSON that is JSON. An answer of our own is read back as it was meant.
 *
 * The first byte: bit 0 the answering side or the asking one, bit 1 the form that is printed.
 */
#include <pthread.h>
#include <sys/socket.h>

#include "input.h"
#include "output.h"

#include "../../shim/lib/status.c"
#include "../../shim/cli/status.c"

static void no_watch(AvahiWatch *watch)
{
	(void)watch;
}

static void make_pair(int fd[2])
{
	insist(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) == 0);
}

/* A peer, or a line said, that is as odd as the rest of the library lets it be. */
static void furnish(struct bt_device *device, struct input *in)
{
	size_t len;
	const uint8_t *said = take_some(in, 100, &len);

	if (len)
		memcpy(device->said.reason, said, len);
	for (size_t i = 0; i < len; i++) /* proto/reply.c lets nothing else through */
		if (said[i] < ' ' || said[i] > '~')
			device->said.reason[i] = '?';
	strcpy(device->said.tap, "btap3e8-0");
	device->attach = take_byte(in) % ATTACH_COUNT;
	device->counters.sent = take_u16(in);
	while (in->left) {
		struct mac mac = { { 0xb2, 1, 2, 3, 4, take_byte(in) } };
		struct address address = { { [0] = 0xfd, [15] = take_byte(in) } };
		struct peer *peer = peers_find(&device->peers, &mac);
		int at;

		if (!peer)
			peer = peers_add(&device->peers, &mac, clock_ms() - take_byte(in));
		if (!peer)
			break;
		peer->attach = take_byte(in) % ATTACH_COUNT;
		peer->port = take_u16(in);
		at = peer_address_add(peer, &address);
		if (at >= 0 && take_byte(in) & 1) {
			peer_confirm(&device->peers, peer, at);
			peer->sending = (unsigned int)at % PEER_ADDRESSES;
		}
	}
}

/* The way from an answer to the screen. How many peers were told. */
static unsigned int show(char *text, bool json)
{
	struct output output;
	char **lines = cli_split(text);
	unsigned int peers = 0;

	insist(lines);
	for (char **l = lines; *l; l++)
		peers += strncmp(*l, "peer=", 5) == 0;
	output_begin(&output);
	if (json)
		print_json(lines, 7001, true);
	else
		print_text(lines, 7001, true);
	output_end(&output);
	insist(is_plain_text(output.text, output.len));
	if (json)
		insist(is_json(output.text));
	free(output.text);
	free(lines);
	return peers;
}

/* The answer that waits in @fd, as status_ask() takes it. */
static char *taken(int fd)
{
	static char text[STATUS_TEXT_SIZE];
	ssize_t n = take_answer(fd, text);

	if (n <= 0)
		return NULL;
	insist((size_t)n < sizeof(text) && strlen(text) == (size_t)n);
	/* a copy of its own, so that a read beyond it is seen */
	return (char *)copy_of(text, (size_t)n + 1);
}

static void answering(struct input *in, bool json)
{
	static const AvahiPoll poll = { .watch_free = no_watch };
	static struct bt_device device;
	struct status status = { .poll = &poll, .device = &device };
	struct client *client = &status.client[0];
	const uint8_t *word;
	char *text;
	size_t len;
	int fd[2];

	memset(&device, 0, sizeof(device));
	pthread_mutex_init(&device.lock, NULL);
	insist(peers_init(&device.peers, 3) == 0);
	device.mac = (struct mac){ { 0xb2, 1, 2, 3, 4, 0 } };
	word = take_some(in, 40, &len);
	furnish(&device, in);
	make_pair(fd);
	insist(send(fd[1], word, len, 0) == (ssize_t)len);
	*client = (struct client){ &status, (AvahiWatch *)&status, fd[0] };
	on_client(client->watch, fd[0], AVAHI_WATCH_IN, client);
	insist(!client->watch && client->fd == -1); /* one word, one answer, and the end */
	text = taken(fd[1]);
	insist(!text == !(len == 6 && memcmp(word, "status", 6) == 0));
	if (text)
		insist(show(text, json) == device.peers.count);
	free(text);
	close(fd[1]);
	peers_free(&device.peers);
	pthread_mutex_destroy(&device.lock);
}

static void asking(struct input *in, bool json)
{
	char *text;
	int fd[2];

	make_pair(fd);
	insist(send(fd[1], in->at, in->left, 0) == (ssize_t)in->left);
	text = taken(fd[0]);
	if (text)
		show(text, json);
	free(text);
	close(fd[0]);
	close(fd[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t what = take_byte(&in);

	if (what & 1)
		answering(&in, what & 2);
	else
		asking(&in, what & 2);
	return 0;
}
