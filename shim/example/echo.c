/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * echo.c: what an emulator's author needs to know of libbasilisk-tap, in a program that sends every
 * frame of EtherType 0x88B5 back to where it came from, until its standard input ends.
 *
 *   cc echo.c -o echo $(pkg-config --cflags --libs libbasilisk-tap) && ./echo auto
 */
#include <basilisk-tap.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void echo(struct bt_device *device)
{
	uint8_t frame[BT_FRAME_MAX], sender[BT_MAC_LEN];
	ssize_t n;

	/* until there is none; a frame may come at any time between */
	while ((n = bt_receive(device, frame, sizeof(frame))) >= BT_FRAME_MIN) {
		if (frame[12] != 0x88 || frame[13] != 0xb5)
			continue;
		memcpy(sender, frame + BT_MAC_LEN, BT_MAC_LEN);
		bt_mac(device, frame + BT_MAC_LEN);
		memcpy(frame, sender, BT_MAC_LEN);
		bt_send(device, frame, (size_t)n);
	}
}

int main(int argc, char **argv)
{
	const char *ether = argc > 1 ? argv[1] : "auto";
	struct bt_device *device;
	struct bt_status status;
	struct pollfd wait[2] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	char byte;

	if (!bt_is_ours(ether)) {
		fprintf(stderr, "%s: not a value for this library\n", ether);
		return 2;
	}
	if (bt_open(ether, &device) < 0)
		return 1; /* the reason is on stderr already */
	bt_get_status(device, &status, sizeof(status));
	printf("%s as %02x:%02x:%02x:%02x:%02x:%02x\n", status.bridged ? "bridged" : "peer to peer",
	       status.mac[0], status.mac[1], status.mac[2], status.mac[3], status.mac[4],
	       status.mac[5]);
	fflush(stdout);
	wait[0].fd = bt_fd(device);
	while (poll(wait, 2, -1) >= 0) {
		if (wait[0].revents)
			echo(device);
		if (wait[1].revents && read(STDIN_FILENO, &byte, 1) <= 0)
			break;
	}
	bt_get_status(device, &status, sizeof(status));
	printf("%llu received, %llu sent, %llu dropped, %u peers\n",
	       (unsigned long long)status.received, (unsigned long long)status.sent,
	       (unsigned long long)status.dropped, status.peers);
	bt_close(device);
	return 0;
}
