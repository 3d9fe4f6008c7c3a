/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_host_program.c: each program of the patch port, as the kernel runs it: on a socket, where
 * what it answers is how many bytes of a datagram come. So each is looked at alone, which a frame
 * on its way through several of them does not show, and at the very border of what it lets by.
 */
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "frame.h"
#include "program.h"
#include "proto_test.h"

enum { MATCH = -1, NO_MATCH = 0, GO_ON = TC_ACT_UNSPEC, PASS = TC_ACT_OK, DROP = TC_ACT_SHOT };
enum { TYPE = 12, NETWORK = 14 };

static const struct mac guest = { { 0xb2, 0x12, 0x34, 0x56, 0xab, 0xc0 } };
static const struct mac sibling = { { 0xb2, 0x12, 0x34, 0x56, 0xab, 0xc1 } };
static const struct mac other = { { 0xb2, 0x12, 0x34, 0x57, 0xab, 0xc0 } };
static const struct mac machine = { { 2, 0, 0, 0, 0, 9 } };
static const struct mac all = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

static uint8_t frame[FRAME_MAX + 1];

static void setup(void)
{
	memset(frame, 0, sizeof(frame));
}

static void head(const struct mac *to, const struct mac *from, uint16_t type)
{
	memcpy(frame, to, sizeof(*to));
	memcpy(frame + 6, from, sizeof(*from));
	put_be16(frame + TYPE, type);
}

/* What the program of that guest answers to so much of the frame. */
static int answer(enum program_name name, size_t len)
{
	struct program program = program_make(name, &guest);
	const struct sock_fprog filter = { .len = program.len, .filter = program.code };
	uint8_t got[sizeof(frame)];
	int fd[2], came;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	ck_assert_int_eq(setsockopt(fd[0], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)),
			 0);
	ck_assert_int_eq(send(fd[1], frame, len, 0), len);
	came = (int)recv(fd[0], got, sizeof(got), MSG_DONTWAIT);
	close(fd[0]);
	close(fd[1]);
	return came < 0 ? 0 : came == (int)len ? -1 : came;
}

/* Each byte of the address at @at counts. */
static void check_address(enum program_name name, size_t at)
{
	ck_assert_int_eq(answer(name, 60), MATCH);
	for (size_t i = at; i < at + MAC_LEN; i++) {
		frame[i] ^= 4;
		ck_assert_int_eq(answer(name, 60), NO_MATCH);
		frame[i] ^= 4;
	}
}

START_TEST(test_one_guests_own_is_to_or_from_its_whole_address)
{
	head(&guest, &machine, ETH_P_IP);
	check_address(PROGRAM_DESTINATION, 0);
	ck_assert_int_eq(answer(PROGRAM_SOURCE, 60), NO_MATCH);
	head(&machine, &guest, ETH_P_IP);
	check_address(PROGRAM_SOURCE, 6);
	ck_assert_int_eq(answer(PROGRAM_DESTINATION, 60), NO_MATCH);
	ck_assert_int_eq(answer(PROGRAM_ANY, 60), MATCH);
}
END_TEST

/* Neither relies on the other: one of them may be what somebody else has taken away. */
START_TEST(test_frame_longer_than_ethernets_is_stopped_twice)
{
	head(&machine, &guest, ETH_P_IP);
	ck_assert_int_eq(answer(PROGRAM_SOURCE, FRAME_MAX), MATCH);
	ck_assert_int_eq(answer(PROGRAM_SOURCE, FRAME_MAX + 1), NO_MATCH);
	head(&machine, &guest, 0x809b);
	ck_assert_int_eq(answer(PROGRAM_GUARD, FRAME_MAX), GO_ON);
	ck_assert_int_eq(answer(PROGRAM_GUARD, FRAME_MAX + 1), DROP);
	ck_assert_int_eq(answer(PROGRAM_GUARD_SERVING, FRAME_MAX + 1), DROP);
	ck_assert_int_eq(answer(PROGRAM_GUARD, FRAME_MIN), GO_ON);
	ck_assert_int_eq(answer(PROGRAM_GUARD, FRAME_MIN - 1), DROP);
}
END_TEST

START_TEST(test_group_frames_come_to_all_but_their_sender)
{
	head(&all, &guest, ETH_P_IP);
	ck_assert_int_eq(answer(PROGRAM_GROUP, 60), MATCH);
	ck_assert_int_eq(answer(PROGRAM_GROUP_FROM_OTHERS, 60), NO_MATCH);
	for (size_t i = 6; i < 12; i++) {
		frame[i] ^= 4;
		ck_assert_int_eq(answer(PROGRAM_GROUP_FROM_OTHERS, 60), MATCH);
		frame[i] ^= 4;
	}
	head(&guest, &machine, ETH_P_IP);
	ck_assert_int_eq(answer(PROGRAM_GROUP, 60), NO_MATCH);
	ck_assert_int_eq(answer(PROGRAM_GROUP_FROM_OTHERS, 60), NO_MATCH);
}
END_TEST

START_TEST(test_guests_of_this_host_are_known_by_its_number)
{
	head(&sibling, &machine, ETH_P_IP);
	ck_assert_int_eq(answer(PROGRAM_TO_GUEST, 60), MATCH);
	ck_assert_int_eq(answer(PROGRAM_OUTSIDE_TO_GUEST, 60), MATCH);
	head(&other, &machine, ETH_P_IP);
	ck_assert_int_eq(answer(PROGRAM_TO_GUEST, 60), NO_MATCH);
	ck_assert_int_eq(answer(PROGRAM_OUTSIDE_TO_GUEST, 60), NO_MATCH);
	/* who says to be one of them is not outside, nor is its frame from there */
	head(&guest, &sibling, ETH_P_IP);
	ck_assert_int_eq(answer(PROGRAM_OUTSIDE_TO_GUEST, 60), NO_MATCH);
	head(&all, &sibling, ETH_P_IP);
	ck_assert_int_eq(answer(PROGRAM_OUTSIDE_TO_GROUP, 60), NO_MATCH);
	head(&all, &other, ETH_P_IP);
	ck_assert_int_eq(answer(PROGRAM_OUTSIDE_TO_GROUP, 60), MATCH);
	head(&guest, &machine, ETH_P_IP);
	ck_assert_int_eq(answer(PROGRAM_OUTSIDE_TO_GROUP, 60), NO_MATCH);
	/* the guard goes by that number, too */
	head(&machine, &sibling, 0x809b);
	ck_assert_int_eq(answer(PROGRAM_GUARD, 60), GO_ON);
	head(&machine, &other, 0x809b);
	ck_assert_int_eq(answer(PROGRAM_GUARD, 60), DROP);
}
END_TEST

START_TEST(test_tagged_frames_are_for_nobody)
{
	static const uint16_t tags[] = { ETH_P_8021Q, ETH_P_8021AD, ETH_P_QINQ1 };

	for (size_t i = 0; i < COUNT(tags); i++) {
		head(&guest, &machine, tags[i]);
		ck_assert_int_eq(answer(PROGRAM_OUTSIDE_TO_GUEST, 60), NO_MATCH);
		head(&all, &machine, tags[i]);
		ck_assert_int_eq(answer(PROGRAM_OUTSIDE_TO_GROUP, 60), NO_MATCH);
		ck_assert_int_eq(answer(PROGRAM_BRIDGE_TO_GUESTS, 60), DROP);
		head(&machine, &guest, tags[i]);
		ck_assert_int_eq(answer(PROGRAM_GUARD_SERVING, 60), DROP);
	}
}
END_TEST

START_TEST(test_sixteen_groups_are_the_bridges_own)
{
	static const uint8_t bridges[] = { 0x01, 0x80, 0xc2, 0, 0 },
			     cisco[] = { 1, 0, 0xc, 0xcc, 0xcc };

	head(&all, &machine, 0x809b);
	memcpy(frame, bridges, sizeof(bridges));
	for (unsigned int last = 0; last < 0x20; last++) {
		frame[5] = (uint8_t)last;
		ck_assert_int_eq(answer(PROGRAM_OUTSIDE_TO_GROUP, 60),
				 last < 0x10 ? NO_MATCH : MATCH);
		ck_assert_int_eq(answer(PROGRAM_BRIDGE_TO_GUESTS, 60), last < 0x10 ? DROP : PASS);
	}
	head(&all, &guest, 0x809b);
	memcpy(frame, bridges, sizeof(bridges));
	for (unsigned int last = 0; last < 0x20; last++) {
		frame[5] = (uint8_t)last;
		ck_assert_int_eq(answer(PROGRAM_GUARD, 60), last < 0x10 ? DROP : GO_ON);
	}
	memcpy(frame, cisco, sizeof(cisco));
	for (unsigned int last = 0xb0; last < 0xe0; last++) {
		frame[5] = (uint8_t)last;
		ck_assert_int_eq(answer(PROGRAM_GUARD, 60), (last & 0xf0) == 0xc0 ? DROP : GO_ON);
	}
}
END_TEST

/* The kind in 802.3's header with SNAP's, of that organization. */
static int guard_in_snap(enum program_name name, uint32_t organization, uint16_t type)
{
	head(&machine, &guest, 46);
	put_be32(frame + NETWORK, 0xaaaa0300 | organization >> 16);
	put_be16(frame + NETWORK + 4, (uint16_t)organization);
	put_be16(frame + NETWORK + 6, type);
	return answer(name, 60);
}

START_TEST(test_kinds_that_hurt_a_network_are_dropped_in_either_form)
{
	static const uint16_t bad[] = { ETH_P_PAUSE, ETH_P_PAE, 0x88cc, ETH_P_8021Q, ETH_P_8021AD };

	for (size_t i = 0; i < COUNT(bad); i++) {
		head(&machine, &guest, bad[i]);
		ck_assert_int_eq(answer(PROGRAM_GUARD_SERVING, 60), DROP);
		ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD_SERVING, 0, bad[i]), DROP);
		ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD_SERVING, 0xf8, bad[i]), DROP);
		/* the type of an organization of its own is another matter */
		ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD_SERVING, 0x80007, bad[i]), GO_ON);
	}
	ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD, 0, 46), DROP); /* one in another */
	ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD, 0, 0x80f3), GO_ON);
	ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD, 0x80007, 0x809b), GO_ON);
	ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD, 0, ETH_P_IP), DROP);
	ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD_SERVING, 0, ETH_P_IP), GO_ON);
	ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD, 0, ETH_P_IPV6), DROP);
	ck_assert_int_eq(guard_in_snap(PROGRAM_GUARD_SERVING, 0, ETH_P_IPV6), GO_ON);
	/* too short for a SNAP header, which then is none */
	guard_in_snap(PROGRAM_GUARD, 0, ETH_P_PAE);
	ck_assert_int_eq(answer(PROGRAM_GUARD, NETWORK + 7), GO_ON);
	ck_assert_int_eq(answer(PROGRAM_GUARD, NETWORK + 8), DROP);
}
END_TEST

/* A UDP datagram between those ports, its first byte of data, behind @options words of them. */
static size_t udp4(unsigned int options, uint16_t from, uint16_t to, uint8_t data)
{
	uint8_t *ports = frame + NETWORK + 20 + 4 * options;

	setup();
	head(&all, &guest, ETH_P_IP);
	frame[NETWORK] = (uint8_t)(0x45 + options);
	frame[NETWORK + 9] = IPPROTO_UDP;
	put_be16(ports, from);
	put_be16(ports + 2, to);
	ports[8] = data;
	return (size_t)(ports + 9 - frame);
}

START_TEST(test_dhcp_is_answered_by_no_guest_that_must_not_serve)
{
	for (unsigned int options = 0; options <= 10; options++) {
		ck_assert_int_eq(answer(PROGRAM_GUARD, udp4(options, 68, 67, 1)), GO_ON);
		ck_assert_int_eq(answer(PROGRAM_GUARD, udp4(options, 67, 5000, 1)), DROP);
		ck_assert_int_eq(answer(PROGRAM_GUARD, udp4(options, 5000, 68, 1)), DROP);
		ck_assert_int_eq(answer(PROGRAM_GUARD, udp4(options, 5000, 67, 2)), DROP);
		ck_assert_int_eq(answer(PROGRAM_GUARD, udp4(options, 5000, 66, 2)), GO_ON);
		ck_assert_int_eq(answer(PROGRAM_GUARD_SERVING, udp4(options, 67, 68, 2)), GO_ON);
	}
	/* without what has to be looked at it is dropped, not let by */
	ck_assert_int_eq(answer(PROGRAM_GUARD, udp4(0, 68, 67, 1) - 1), DROP);
	ck_assert_int_eq(answer(PROGRAM_GUARD, udp4(0, 5000, 5001, 1) - 5), GO_ON);
	ck_assert_int_eq(answer(PROGRAM_GUARD, udp4(0, 5000, 5001, 1) - 6), DROP);
	/* a later piece has no ports where the first one has them */
	udp4(0, 67, 68, 2);
	frame[NETWORK + 7] = 1;
	ck_assert_int_eq(answer(PROGRAM_GUARD, 60), GO_ON);
	frame[NETWORK + 6] = 0x20; /* and the first one has them: more of it follow */
	frame[NETWORK + 7] = 0;
	ck_assert_int_eq(answer(PROGRAM_GUARD, 60), DROP);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_one_guests_own_is_to_or_from_its_whole_address,
		test_frame_longer_than_ethernets_is_stopped_twice,
		test_group_frames_come_to_all_but_their_sender,
		test_guests_of_this_host_are_known_by_its_number,
		test_tagged_frames_are_for_nobody,
		test_sixteen_groups_are_the_bridges_own,
		test_kinds_that_hurt_a_network_are_dropped_in_either_form,
		test_dhcp_is_answered_by_no_guest_that_must_not_serve,
	};

	return run_tests("host/program", tests, COUNT(tests));
}
