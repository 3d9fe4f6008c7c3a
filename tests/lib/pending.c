/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending.c: a thread that somebody has cancelled makes all calls of the library that must not
 * let it end in them, with frames to send, to receive and to refuse. Prints which was its last, if
 * it was ended. Built and run by tests/net/test_shim_cancel.py, with a peer on the LAN.
 */
#include <basilisk-tap.h>

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct bt_device *device;
static atomic_bool ready, cancelled;
static const char *volatile last = "none";

static void put_header(uint8_t *frame, const uint8_t *to, const uint8_t *from)
{
	memset(frame, 0, 60);
	memcpy(frame, to, BT_MAC_LEN);
	memcpy(frame + BT_MAC_LEN, from, BT_MAC_LEN);
	frame[12] = 0x88;
	frame[13] = 0xb5;
}

/* From an emulator that nobody has heard of: the library wants to know who that is. */
static void send_as_stranger(const uint8_t *mac, uint16_t port)
{
	static const uint8_t stranger[BT_MAC_LEN] = { 0xb2, 1, 2, 3, 4, 5 };
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_port = htons(port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint8_t frame[60];

	put_header(frame, mac, stranger);
	sendto(fd, frame, sizeof(frame), 0, (const struct sockaddr *)&to, sizeof(to));
	close(fd);
}

static void *run(void *argument)
{
	static const uint8_t all[BT_MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint8_t frame[BT_FRAME_MAX], mac[BT_MAC_LEN];
	struct bt_status status;
	int old;

	(void)argument;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	ready = true;
	while (!cancelled)
		;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	last = "bt_mac";
	bt_mac(device, mac);
	last = "bt_send to all";
	put_header(frame, all, mac);
	bt_send(device, frame, 60);
	last = "bt_receive";
	for (int i = 0; i < 100; i++)
		bt_receive(device, frame, sizeof(frame));
	last = "bt_get_status";
	bt_get_status(device, &status, sizeof(status));
	last = "bt_fd";
	bt_fd(device);
	last = NULL;
	pthread_testcancel();
	return NULL;
}

int main(void)
{
	struct bt_status status = { 0 };
	uint8_t frame[BT_FRAME_MAX];
	pthread_t thread;

	if (bt_open("auto-p2p", &device) < 0)
		return 1;
	while (!status.peers) {
		bt_wait(device, 10);
		bt_receive(device, frame, sizeof(frame));
		bt_get_status(device, &status, sizeof(status));
	}
	send_as_stranger(status.mac, status.port);
	if (pthread_create(&thread, NULL, run, NULL) != 0)
		return 1;
	while (!ready)
		;
	pthread_cancel(thread);
	cancelled = true;
	pthread_join(thread, NULL);
	printf("ended in %s\n", last ? last : "nothing of the library");
	fflush(stdout);
	_exit(0); /* whatever was held by the thread is held for ever */
}
