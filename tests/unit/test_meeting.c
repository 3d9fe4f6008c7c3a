/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_meeting.c: confirmation frames are sent while nobody has the device's lock, for which the
 * guest's write() may be waiting. Stand-ins for the tunnel's calls look at that.
 */
#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "bytes.h"
#include "device.h"
#include "loop.h"
#include "meeting.h"
#include "suite.h"

enum { MANY = 300 }; /* peers, each of which is asked at once */

static struct bt_device device;
static struct loop *loop;
static struct meeting *meeting;
static unsigned int sent, locked, asked[MANY];

int tunnel_send(const struct tunnel *tunnel, const struct tunnel_target *to, const void *frame,
		size_t len)
{
	struct control control;

	(void)tunnel;
	ck_assert_int_eq(control_decode(frame, len, &control), 0);
	sent++;
	if (pthread_mutex_trylock(&device.lock) == 0)
		pthread_mutex_unlock(&device.lock);
	else
		locked++;
	asked[get_be16(to->address.byte + 14) % MANY]++;
	return 0;
}

/* What is of no use here. */
int tunnel_open(struct tunnel *tunnel, uint16_t port)
{
	(void)tunnel;
	(void)port;
	return -ENOSYS;
}

void tunnel_close(struct tunnel *tunnel)
{
	(void)tunnel;
}

int tunnel_socket(const struct tunnel_target *to)
{
	(void)to;
	return -ENOSYS;
}

int tunnel_connect(const struct tunnel *tunnel, int fd, const struct tunnel_target *to)
{
	(void)tunnel;
	(void)fd;
	(void)to;
	return -ENOSYS;
}

ssize_t tunnel_receive(int fd, void *buffer, size_t size, struct tunnel_target *from)
{
	(void)fd;
	(void)buffer;
	(void)size;
	(void)from;
	return -EAGAIN;
}

unsigned int tunnel_send_all(const struct tunnel *tunnel, const struct tunnel_target *to,
			     unsigned int count, const void *frame, size_t len, int *error)
{
	(void)tunnel;
	(void)to;
	(void)frame;
	(void)len;
	*error = ENOSYS;
	return count;
}

static struct mac mac_of(unsigned int number)
{
	struct mac mac = { { 0xb2, 1, 2, 3 } };

	put_be16(mac.byte + 4, (uint16_t)number);
	return mac;
}

static struct tunnel_target place_of(unsigned int number)
{
	struct tunnel_target t = { { { [10] = 0xff, [11] = 0xff, [12] = 10 } }, 6066 };

	put_be16(t.address.byte + 14, (uint16_t)number);
	return t;
}

static void start(void)
{
	static int pair[2];

	ck_assert_int_eq(pipe(pair), 0);
	device = (struct bt_device){ .mac = { { 0xb2 } }, .tap = -1, .capture = -1 };
	device.tunnel.control = pair[0];
	pthread_mutex_init(&device.lock, NULL);
	ck_assert_int_eq(peers_init(&device.peers, 7), 0);
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(meeting_start(loop_api(loop), &device, NULL, &meeting), 0);
	sent = locked = 0;
	memset(asked, 0, sizeof(asked));
}

static void end(void)
{
	loop_free(loop);
	meeting_free(meeting);
	peers_free(&device.peers);
}

START_TEST(test_hello_is_answered_without_the_lock)
{
	struct notice notice = { .kind = NOTICE_CONTROL, .from = place_of(1) };
	const struct control hello = { .destination = device.mac,
				       .source = mac_of(1),
				       .type = CONTROL_HELLO,
				       .cookie = 5 };

	control_encode(&hello, notice.frame);
	meeting_notice(meeting, &notice);
	ck_assert_uint_ge(sent, 1);
	ck_assert_uint_eq(asked[1], sent);
	ck_assert_uint_eq(locked, 0);
}
END_TEST

START_TEST(test_stranger_is_asked_without_the_lock)
{
	const struct notice notice = { .kind = NOTICE_STRANGER,
				       .from = place_of(2),
				       .mac = mac_of(2) };

	meeting_notice(meeting, &notice);
	ck_assert_uint_eq(sent, 1);
	ck_assert_uint_eq(asked[2], 1);
	ck_assert_uint_eq(locked, 0);
}
END_TEST

START_TEST(test_each_of_many_is_asked_once_without_the_lock)
{
	for (unsigned int i = 0; i < MANY; i++) {
		const struct mac mac = mac_of(i);
		const struct tunnel_target at = place_of(i);
		struct peer *peer = peers_add(&device.peers, &mac, 0);

		ck_assert_ptr_nonnull(peer);
		peer->port = at.port;
		peer_confirm(&device.peers, peer, peer_address_add(peer, &at.address));
		peer->sending = 0;
	}
	meeting_attach(meeting, ATTACH_HOST);
	ck_assert_uint_eq(sent, MANY);
	for (unsigned int i = 0; i < MANY; i++)
		ck_assert_uint_eq(asked[i], 1);
	ck_assert_uint_eq(locked, 0);
	ck_assert_uint_eq(device.counters.control_out, MANY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("meeting");
	TCase *tests = tcase_create("meeting");

	tcase_add_checked_fixture(tests, start, end);
	tcase_add_test(tests, test_hello_is_answered_without_the_lock);
	tcase_add_test(tests, test_stranger_is_asked_without_the_lock);
	tcase_add_test(tests, test_each_of_many_is_asked_once_without_the_lock);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
