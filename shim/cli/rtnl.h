/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtnl.h: the lists that the kernel gives everyone by route netlink: links, qdiscs, neighbours.
 * Only reads.
 */
#ifndef BASILISK_TAP_CLI_RTNL_H
#define BASILISK_TAP_CLI_RTNL_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>

/* Looks at the body of one message and its @len bytes of attributes; true ends the dump. */
typedef bool rtnl_look(const void *body, struct rtattr *attributes, int len, void *user);

/*
 * Shows @look the list that the request @type (RTM_GET…) gives, of @family where the list has
 * families; @body_len bytes come before the attributes. True where @look said so of a message.
 */
bool rtnl_dump(int type, size_t body_len, unsigned char family, rtnl_look *look, void *user);

/* The attribute of that type, or NULL. */
struct rtattr *rtnl_attribute(struct rtattr *attributes, int len, unsigned short type);

/* True where @a is there and holds @text. */
bool rtnl_is_text(const struct rtattr *a, const char *text);

#endif
