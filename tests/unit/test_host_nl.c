/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_host_nl.c: the helper's netlink, where the kernel answers what none does. The socket is a
 * stand-in: it gives one error message, and then nothing more in time.
 */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "nl.h"
#include "suite.h"

static struct nl nl;
static int error;
static bool answered;

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *request, size_t len)
{
	(void)socket;
	(void)request;
	return (ssize_t)len;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *socket)
{
	(void)socket;
	return 7;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t size)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr body;
	} answer = { .header = { .nlmsg_len = sizeof(answer),
				 .nlmsg_type = NLMSG_ERROR,
				 .nlmsg_seq = nl.sequence,
				 .nlmsg_pid = 7 },
		     .body = { .error = error } };

	(void)socket;
	if (answered) {
		errno = EAGAIN;
		return -1;
	}
	answered = true;
	ck_assert_uint_le(sizeof(answer), size);
	memcpy(buffer, &answer, sizeof(answer));
	return sizeof(answer);
}

static int ask(int kernels)
{
	const uint32_t header = 0;

	error = kernels;
	answered = false;
	nl_begin(&nl, 20, 0, &header, sizeof(header));
	return nl_ask(&nl, NULL, NULL);
}

START_TEST(test_an_errors_number_comes_back_negative_whatever_was_answered)
{
	ck_assert_int_eq(ask(0), 0);
	ck_assert_int_eq(ask(-ENODEV), -ENODEV);
	ck_assert_int_eq(ask(INT_MIN), -EIO);
	ck_assert_int_eq(ask(INT_MIN + 1), -INT_MAX);
	for (int odd = 1; odd < 200; odd++)
		ck_assert_int_lt(ask(odd), 0);
	ck_assert_int_lt(ask(INT_MAX), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("host_nl");
	TCase *cases = tcase_create("nl");

	tcase_add_test(cases, test_an_errors_number_comes_back_negative_whatever_was_answered);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
