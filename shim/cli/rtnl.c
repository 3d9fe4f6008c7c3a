/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtnl.c: see rtnl.h. One request and one list in answer, with a deadline.
 */
#include "rtnl.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static bool look_through(char *buffer, int n, size_t body_len, rtnl_look *look, void *user,
			 bool *done)
{
	for (struct nlmsghdr *m = (void *)buffer; NLMSG_OK(m, (unsigned int)n);
	     m = NLMSG_NEXT(m, n)) {
		char *body = NLMSG_DATA(m);
		int len = (int)(m->nlmsg_len - NLMSG_LENGTH(body_len));

		*done = m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR;
		if (*done)
			return false;
		if (len >= 0 && look(body, (void *)(body + NLMSG_ALIGN(body_len)), len, user))
			return true;
	}
	return false;
}

bool rtnl_dump(int type, size_t body_len, unsigned char family, rtnl_look *look, void *user)
{
	const struct timeval deadline = { .tv_sec = 2 };
	struct {
		struct nlmsghdr header;
		unsigned char body[64]; /* the family comes first in each kind */
	} request = { .header = { .nlmsg_len = (uint32_t)NLMSG_LENGTH(body_len),
				  .nlmsg_type = (uint16_t)type,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		      .body = { family } };
	_Alignas(struct nlmsghdr) char buffer[32768];
	bool found = false, done = false;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	if (send(fd, &request, request.header.nlmsg_len, 0) < 0)
		done = true;
	while (!done && !found) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n <= 0)
			break;
		found = look_through(buffer, (int)n, body_len, look, user, &done);
	}
	close(fd);
	return found;
}

struct rtattr *rtnl_attribute(struct rtattr *attributes, int len, unsigned short type)
{
	for (struct rtattr *a = attributes; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	}
	return NULL;
}

bool rtnl_is_text(const struct rtattr *a, const char *text)
{
	size_t size = strlen(text) + 1;

	return a && RTA_PAYLOAD(a) >= size && memcmp(RTA_DATA(a), text, size) == 0;
}
