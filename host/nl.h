/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nl.h: asking the kernel by netlink: one request, its answer or its error.
 *
 * A struct nl owns its socket's handle and both buffers; it is set up before privileges are
 * dropped (nl_open) and used from then on without any allocation. Not for several threads.
 */
#ifndef BASILISK_TAP_HOST_NL_H
#define BASILISK_TAP_HOST_NL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#define NL_REQUEST_MAX 8192 /* bytes; the longest is a filter with about 100 instructions */

struct nl {
	struct mnl_socket *socket;
	uint32_t sequence;
	bool interrupted; /* the last list may lack something, or have it twice */
	uint8_t request[NL_REQUEST_MAX] __attribute__((aligned(8)));
	uint8_t answer[32768] __attribute__((aligned(8))); /* what the kernel wants for dumps */
};

/* A bound netlink socket whose answers time out, or a negative errno. */
int nl_socket(int family);

/* Takes over the bound netlink socket @fd, whose answers time out. 0 or a negative errno. */
int nl_open(struct nl *nl, int fd);

/* Begins a request in nl->request; the payload begins with @header of @len bytes. */
struct nlmsghdr *nl_begin(struct nl *nl, uint16_t type, uint16_t flags, const void *header,
			  size_t len);

/*
 * Sends the request that was begun and waits for the kernel's word. Each message of the answer
 * goes to @each (may be NULL), whose result is MNL_CB_OK or less. 0 or a negative errno.
 */
int nl_ask(struct nl *nl, mnl_cb_t each, void *user);

/* The number of a generic netlink family. 0, -ENOENT, or another negative errno. */
int nl_find_family(struct nl *generic, const char *name, uint16_t *family);

/* The @size bytes that an answer's payload begins with, or NULL where it is shorter. */
const void *nl_payload(const struct nlmsghdr *message, size_t size);

/* True where an attribute is that string, with its NUL or without. */
bool nl_is(const struct nlattr *attr, const char *text);

/* The number in an attribute of 1, 2 or 4 bytes (host byte order); 0 in any other. */
uint32_t nl_number(const struct nlattr *attr);

#endif
