/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover.c: see handover.h. Never waits for the caller longer than say_wait() does, never sends
 * to a descriptor that it has not judged.
 */
#include "handover.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>

#include "early.h"
#include "reply.h"
#include "run.h"
#include "say.h"

static int option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

/* Whether @fd is a connected unix stream socket, and who is at its other end. */
static int look_at_peer(int fd, struct ucred *peer, const char **why)
{
	socklen_t len = sizeof(*peer);
	int domain = option(fd, SO_DOMAIN);

	*why = domain == -EBADF ? "is not open" : domain == -ENOTSOCK ? "is no socket" : NULL;
	if (*why)
		return -1;
	*why = domain != AF_UNIX		  ? "is no AF_UNIX socket" :
	       option(fd, SO_TYPE) != SOCK_STREAM ? "is no stream socket" :
	       option(fd, SO_ACCEPTCONN) != 0	  ? "is a listening socket" :
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) < 0 || peer->pid == 0 ?
						"is not connected" :
						NULL;
	return *why ? -1 : 0;
}

int handover_check(int fd, uint32_t uid, int *pid, struct outcome *outcome)
{
	struct ucred peer = { 0 };
	const char *why;

	if (look_at_peer(fd, &peer, &why))
		return outcome_set(outcome, OUTCOME_BAD_DESCRIPTOR, "descriptor %d %s", fd, why);
	if (peer.uid != uid)
		return outcome_set(outcome, OUTCOME_BAD_DESCRIPTOR,
				   "descriptor %d leads to user %u, the caller is user %u", fd,
				   peer.uid, uid);
	*pid = peer.pid;
	return 0;
}

static int read_message(struct request *request, struct outcome *outcome)
{
	char message[REQUEST_MESSAGE_MAX + 1];
	int err = say_wait(0, POLLIN);
	ssize_t len;

	if (err)
		return outcome_set(outcome, OUTCOME_HANDOVER, "no request: %s", strerror(-err));
	len = recv(0, message, sizeof(message), MSG_DONTWAIT);
	err = request_read_message(message, len < 0 ? 0 : (size_t)len, request, outcome);
	/* in the words it is the caller's number for his end; ours is the connection */
	request->fd = 0;
	return err;
}

int handover_receive(int route, struct request *request, struct caller *caller,
		     struct outcome *outcome)
{
	uint64_t ours = 0, theirs = 1;
	socklen_t len = sizeof(ours), groups = sizeof(caller->groups);
	struct ucred peer;
	const char *why;

	if (getauxval(AT_SECURE))
		return outcome_set(outcome, OUTCOME_USAGE,
				   "--socket is for a service manager, not for a setuid helper");
	if (look_at_peer(0, &peer, &why))
		return outcome_set(outcome, OUTCOME_BAD_DESCRIPTOR, "descriptor 0 %s", why);
	/* from here on whoever asks is told why not, whatever his words were */
	request->fd = 0;
	request->has_slot = true;
	if (getsockopt(0, SOL_SOCKET, SO_PEERGROUPS, caller->groups, &groups) < 0)
		return outcome_set_errno(outcome, -errno, "the caller's groups");
	caller->uid = peer.uid;
	caller->gid = peer.gid;
	caller->pid = peer.pid;
	caller->group_count = groups / sizeof(caller->groups[0]);
	if (getsockopt(route, SOL_SOCKET, SO_NETNS_COOKIE, &ours, &len) < 0 ||
	    getsockopt(0, SOL_SOCKET, SO_NETNS_COOKIE, &theirs, &len) < 0 || ours != theirs)
		return outcome_set(outcome, OUTCOME_FOREIGN_NAMESPACE,
				   "the caller is in another network namespace than this service");
	return read_message(request, outcome);
}

/*
 * Sends @len bytes with descriptor @fd (or -1: none) on FD_REPLY. 0, or a negative errno.
 * #syscall sendmsg fd=REPLY
 */
static int send_with_fd(const void *message, size_t len, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(fd))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec part = { .iov_base = (void *)(uintptr_t)message, .iov_len = len };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *rights;
	ssize_t sent;
	int err;

	if (fd >= 0) {
		header.msg_control = control.bytes;
		header.msg_controllen =
			CMSG_LEN(sizeof(fd)); /* what QEMU expects, not CMSG_SPACE */
		rights = &control.align;
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	err = say_wait(FD_REPLY, POLLOUT);
	if (err)
		return err;
	sent = sendmsg(FD_REPLY, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? -errno : (size_t)sent == len ? 0 : -EMSGSIZE;
}

static int send_reply(const struct run *run)
{
	const bool hands_fd = run->outcome.code == OUTCOME_OK &&
			      run->request.verb == REQUEST_ATTACH;
	struct reply reply = { .code = run->outcome.code,
			       .attach = run->plan.attach,
			       .slot = run->tap.slot,
			       .mac = run->tap.guest };
	uint8_t message[REPLY_LEN];

	if (!run->request.has_slot) /* QEMU's: success is one NUL byte, refusal the exit status */
		return run->outcome.code ? -EACCES : send_with_fd("", 1, FD_TUN);
	memcpy(reply.tap, run->tap.name, sizeof(reply.tap));
	memcpy(reply.uplink, run->plan.uplink.name, sizeof(reply.uplink));
	if (run->outcome.code)
		outcome_text(&run->outcome, reply.text, sizeof(reply.text));
	else
		snprintf(reply.text, sizeof(reply.text), "%s", run->plan.why);
	reply_encode(&reply, message);
	return send_with_fd(message, sizeof(message), hands_fd ? FD_TUN : -1);
}

static void log_outcome(const struct run *run)
{
	const unsigned int line = policy_decide(&run->policy, &run->caller).line;

	say_log(run->early.log,
		"uid=%u pid=%d result=%s rule=%s:%u tap=%s bridge=%s attach=%s uplink=%s",
		run->caller.uid, run->caller.pid, outcome_name(run->outcome.code), POLICY_FILE,
		line, run->tap.name, run->request.br, attach_name(run->plan.attach),
		run->plan.uplink.name);
}

void hand_over(struct run *run)
{
	struct outcome *outcome = &run->outcome;
	char text[OUTCOME_TEXT_SIZE];
	int err;

	/* before the caller knows: afterwards he may be able to end us */
	log_outcome(run);
	err = run->can_reply ? send_reply(run) : -EBADF;
	if (err && outcome->code == OUTCOME_OK && run->can_reply) {
		outcome_set(outcome, OUTCOME_HANDOVER, "the reply could not be sent: %s",
			    strerror(-err));
		log_outcome(run);
	}
	if (err && outcome->code)
		say_line("%s", outcome_text(outcome, text, sizeof(text)));
}
