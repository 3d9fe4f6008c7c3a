/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper_socket.c: see helper_socket.h. Relies on helper_reply.h; starts no process.
 */
#include "helper_socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "helper_client.h"
#include "helper_reply.h"

#define FD_NAMED 3 /* "--fd" in the message: any number; the reply comes over the connection */

bool helper_socket_is(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && access(path, W_OK) == 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int sock, err;

	if (strlen(path) >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	strcpy(name.sun_path, path);
	/* not blocking: a full backlog is EAGAIN at once, and not a wait for whoever fills it */
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return -errno;
	if (connect(sock, (const struct sockaddr *)&name, sizeof(name)) == 0)
		return sock;
	err = -errno;
	close(sock);
	return err;
}

/* Waits until there is something to read, signals or not. 0 or a negative errno. */
static int await_answer(int sock)
{
	const uint32_t begin = clock_ms();
	struct pollfd p = { .fd = sock, .events = POLLIN };
	uint32_t spent;

	while ((spent = clock_ms() - begin) < HELPER_DEADLINE_MS) {
		const uint32_t left = HELPER_DEADLINE_MS - spent;
		struct timespec wait = { left / 1000, left % 1000 * 1000000L };
		int n = ppoll(&p, 1, &wait, NULL);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

int helper_socket_call(const char *path, const struct request *request, struct reply *reply,
		       int *tap)
{
	struct request words = *request;
	char message[REQUEST_MESSAGE_MAX];
	size_t len;
	int sock, err;

	*tap = -1;
	memset(reply, 0, sizeof(*reply));
	words.fd = FD_NAMED;
	len = request_format(&words, message);
	sock = connect_to(path);
	if (sock < 0)
		return helper_reply_problem(reply, sock,
					    "the helper's socket %s: %s: see whether "
					    "basilisk-tap.socket is active",
					    path, strerrordesc_np(-sock));
	err = send(sock, message, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EPIPE;
	if (!err)
		err = await_answer(sock);
	if (!err)
		err = helper_reply_take(sock, path, request, reply, tap);
	close(sock);
	if (err == -ENOMSG || (err && !reply->text[0]))
		return helper_reply_problem(reply, err == -ENOMSG ? -EIO : err,
					    "the helper behind %s gave no reply (%s): see what the "
					    "service manager says of basilisk-tap@.service",
					    path, strerrordesc_np(err == -ENOMSG ? EPIPE : -err));
	return err;
}
