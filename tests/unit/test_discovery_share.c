/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_discovery_share.c: the sockets between instances of one user, for real, in a network
 * namespace of the test's own where that is allowed; and the messages on them.
 */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "discovery_share.h"
#include "loop.h"
#include "suite.h"

static struct {
	struct loop *loop;
	const AvahiPoll *poll;
	struct share *share;
	struct link *link;
	struct share_client *client;
	unsigned int joined, left, down, silent, messages;
	struct message to_share, to_link;
	unsigned int quit_after; /* messages to the link */
} t;

static void on_joined(void *user, struct share_client *client)
{
	(void)user;
	t.joined++;
	t.client = client;
}

static void on_request(void *user, struct share_client *client, const struct message *message)
{
	(void)user;
	ck_assert_ptr_eq(client, t.client);
	t.to_share = *message;
	loop_quit(t.loop);
}

static void on_left(void *user, struct share_client *client)
{
	(void)user;
	(void)client;
	t.left++;
	loop_quit(t.loop);
}

static const struct share_events share_events = { on_joined, on_request, on_left };

static void on_answer(void *user, const struct message *message)
{
	(void)user;
	t.to_link = *message;
	if (++t.messages == t.quit_after)
		loop_quit(t.loop);
}

static void on_down(void *user, bool silent)
{
	(void)user;
	t.down++;
	t.silent += silent;
	link_close(t.link);
	t.link = NULL;
	loop_quit(t.loop);
}

static const struct link_events link_events = { on_answer, on_down };

static void on_time(AvahiTimeout *timeout, void *user)
{
	(void)timeout;
	(void)user;
	loop_quit(t.loop);
}

static void run(unsigned int ms)
{
	struct timeval at;
	AvahiTimeout *timeout = t.poll->timeout_new(t.poll, loop_after(&at, ms), on_time, NULL);

	ck_assert_int_eq(loop_run(t.loop), 0);
	t.poll->timeout_free(timeout);
}

static void setup(void)
{
	memset(&t, 0, sizeof(t));
	t.quit_after = 1;
	/* Abstract names belong to a network namespace: nobody else's are here. */
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(loop_new(&t.loop), 0);
	t.poll = loop_api(t.loop);
}

static void teardown(void)
{
	link_close(t.link);
	share_close(t.share);
	loop_free(t.loop);
}

static void open_both(void)
{
	ck_assert_int_eq(share_open(t.poll, &share_events, NULL, &t.share), 0);
	ck_assert_int_eq(link_open(t.poll, &link_events, NULL, &t.link), 0);
	run(1000);
	ck_assert_uint_eq(t.joined, 1);
	ck_assert_int_eq(t.to_link.kind, MESSAGE_WELCOME);
}

START_TEST(test_one_has_the_share_and_others_link_to_it)
{
	struct share *second;

	open_both();
	ck_assert_int_eq(share_open(t.poll, &share_events, NULL, &second), -EADDRINUSE);
	ck_assert_ptr_eq(share_clients(t.share), t.client);
}
END_TEST

START_TEST(test_link_without_share_is_refused)
{
	ck_assert_int_eq(link_open(t.poll, &link_events, NULL, &t.link), -ECONNREFUSED);
	ck_assert_ptr_null(t.link);
}
END_TEST

START_TEST(test_share_ends_with_its_process_however_that_dies)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (share_open(t.poll, &share_events, NULL, &t.share) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		loop_run(t.loop);
		_exit(1);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(share_open(t.poll, &share_events, NULL, &t.share), -EADDRINUSE);
	ck_assert_int_eq(link_open(t.poll, &link_events, NULL, &t.link), 0);
	run(1000);
	ck_assert_uint_eq(t.messages, 1);
	kill(pid, SIGKILL);
	run(1000);
	ck_assert_uint_eq(t.down, 1);
	ck_assert_uint_eq(t.silent, 0);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(share_open(t.poll, &share_events, NULL, &t.share), 0);
}
END_TEST

START_TEST(test_stopped_share_is_noticed)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (share_open(t.poll, &share_events, NULL, &t.share) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(link_open(t.poll, &link_events, NULL, &t.link), 0);
	run(2000);
	ck_assert_uint_eq(t.down, 1);
	ck_assert_uint_eq(t.silent, 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(test_messages_arrive_in_order_even_if_nobody_reads_for_a_while)
{
	const unsigned int many = 2000; /* more than a socket takes */
	struct message message = { .kind = MESSAGE_STATE };

	open_both();
	for (unsigned int i = 0; i < many; i++) {
		snprintf(message.line, sizeof(message.line), "%u", i);
		share_send(t.client, &message);
	}
	t.messages = 0;
	t.quit_after = many;
	run(5000);
	ck_assert_uint_eq(t.messages, many);
	ck_assert_str_eq(t.to_link.line, "1999");
}
END_TEST

START_TEST(test_one_who_never_reads_is_cut_off)
{
	struct message message = { .kind = MESSAGE_STATE };

	open_both();
	memset(message.line, 'x', sizeof(message.line) - 1);
	for (unsigned int i = 0; i < 10000; i++)
		share_send(t.client, &message);
	run(1000);
	ck_assert_uint_eq(t.left, 1);
	ck_assert_ptr_null(share_clients(t.share));
}
END_TEST

START_TEST(test_what_is_no_message_ends_the_link)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int len = sprintf(name.sun_path + 1, "basilisk-tap/%u/discovery", (unsigned int)getuid());

	ck_assert_int_eq(share_open(t.poll, &share_events, NULL, &t.share), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&name,
				 (socklen_t)(sizeof(name.sun_family) + 1 + (size_t)len)),
			 0);
	ck_assert_int_eq(send(fd, "Afoo", 4, 0), 4);
	run(1000);
	ck_assert_uint_eq(t.joined, 1);
	ck_assert_uint_eq(t.left, 1);
	close(fd);
}
END_TEST

START_TEST(test_another_users_share_is_not_trusted)
{
	pid_t pid;
	int status;

	NEEDS(getuid() == 0, "only root can be two users");
	ck_assert_int_eq(share_open(t.poll, &share_events, NULL, &t.share), 0);
	pid = fork();
	if (!pid) {
		struct sockaddr_un name = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		char byte;
		int len;

		/* as another user: connects, and is not welcomed */
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		len = sprintf(name.sun_path + 1, "basilisk-tap/0/discovery");
		if (connect(fd, (struct sockaddr *)&name,
			    (socklen_t)(sizeof(name.sun_family) + 1 + (size_t)len)) < 0)
			_exit(3);
		_exit(recv(fd, &byte, 1, 0) == 0 ? 0 : 4);
	}
	run(200);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(t.joined, 0);
}
END_TEST

START_TEST(test_messages_survive_both_ways)
{
	struct message m = { .kind = MESSAGE_FOUND }, got;
	uint8_t bytes[MESSAGE_MAX];
	size_t len;

	m.txt = (struct txt){ .mac = { { 0xb2, 1, 2, 3, 4, 5 } },
			      .port = 6067,
			      .attach = ATTACH_HOST };
	memset(m.txt.hostname, 'h', sizeof(m.txt.hostname) - 1);
	m.address.sin6_family = AF_INET6;
	memset(m.address.sin6_addr.s6_addr, 0xfe, 16);
	m.address.sin6_scope_id = 77;
	m.address.sin6_port = htons(6068);
	len = message_encode(&m, bytes);
	ck_assert_int_eq(message_decode(bytes, len, &got), 0);
	ck_assert_mem_eq(&got, &m, sizeof(m));
	m = (struct message){ .kind = MESSAGE_LOST, .mac = { { 0xb2, 5, 4, 3, 2, 1 } } };
	len = message_encode(&m, bytes);
	ck_assert_int_eq(message_decode(bytes, len, &got), 0);
	ck_assert_mem_eq(&got, &m, sizeof(m));
	ck_assert_int_eq(message_decode(bytes, len - 1, &got), -EINVAL);
	ck_assert_int_eq(message_decode(bytes, 0, &got), -EINVAL);
	bytes[0] = 'Z';
	ck_assert_int_eq(message_decode(bytes, len, &got), -EINVAL);
}
END_TEST

START_TEST(test_state_is_one_line_or_no_message)
{
	struct message got;

	ck_assert_int_eq(message_decode((const uint8_t *)"Sall is well", 12, &got), 0);
	ck_assert_str_eq(got.line, "all is well");
	ck_assert_int_eq(message_decode((const uint8_t *)"S", 1, &got), 0);
	ck_assert_int_eq(message_decode((const uint8_t *)"Sx\npid=1", 8, &got), -EINVAL);
	ck_assert_int_eq(message_decode((const uint8_t *)"Sx\033[2J", 6, &got), -EINVAL);
	ck_assert_int_eq(message_decode((const uint8_t *)"Sx\0y", 4, &got), -EINVAL);
	ck_assert_int_eq(message_decode((const uint8_t *)"Sx\x7f", 3, &got), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("discovery_share");
	TCase *cases = tcase_create("share");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_one_has_the_share_and_others_link_to_it);
	tcase_add_test(cases, test_link_without_share_is_refused);
	tcase_add_test(cases, test_share_ends_with_its_process_however_that_dies);
	tcase_add_test(cases, test_stopped_share_is_noticed);
	tcase_add_test(cases, test_messages_arrive_in_order_even_if_nobody_reads_for_a_while);
	tcase_add_test(cases, test_one_who_never_reads_is_cut_off);
	tcase_add_test(cases, test_what_is_no_message_ends_the_link);
	tcase_add_test(cases, test_another_users_share_is_not_trusted);
	tcase_add_test(cases, test_messages_survive_both_ways);
	tcase_add_test(cases, test_state_is_one_line_or_no_message);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
