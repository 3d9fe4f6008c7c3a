/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.c: what a child after fork() gets of its parent's device, and that one of its own works,
 * the parent's all the while. Built and run by tests/net/test_shim_api.py.
 */
#include <basilisk-tap.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: " #condition "\n", __LINE__);                    \
			_exit(99);                                                                 \
		}                                                                                  \
	} while (0)

static void send_one(struct bt_device *device, ssize_t expected)
{
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	bt_mac(device, frame + BT_MAC_LEN);
	CHECK(bt_send(device, frame, sizeof(frame)) == expected);
}

static int child(struct bt_device *parents)
{
	uint8_t frame[BT_FRAME_MAX];
	struct bt_device *own;
	struct bt_status status;

	CHECK(bt_fd(parents) == -ECHILD && bt_wait(parents, 0) == -ECHILD);
	CHECK(bt_receive(parents, frame, sizeof(frame)) == -ECHILD);
	send_one(parents, -ECHILD);
	bt_close(parents);
	CHECK(bt_open("auto-p2p", &own) == 0);
	bt_get_status(own, &status, sizeof(status));
	send_one(own, 60);
	CHECK(bt_fd(own) >= 0);
	bt_close(own);
	return status.slot;
}

int main(void)
{
	struct bt_device *device;
	struct bt_status before, after;
	int fd, status;
	pid_t pid;

	CHECK(bt_open("auto-p2p", &device) == 0);
	bt_get_status(device, &before, sizeof(before));
	fd = bt_fd(device);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		exit(child(device));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	send_one(device, 60);
	bt_get_status(device, &after, sizeof(after));
	CHECK(after.sent == 1 && bt_fd(device) == fd && bt_wait(device, 0) >= 0);
	bt_close(device);
	printf("parent %d, child %d\n", before.slot, WEXITSTATUS(status));
	return 0;
}
