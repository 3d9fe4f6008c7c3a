/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_route.c: who gets which frame, row by row.
 */
#include <check.h>

#include "route.h"
#include "suite.h"

static const struct mac own = { { 0xb2, 1, 2, 3, 0, 0 } };
static const struct mac same_host = { { 0xb2, 1, 2, 3, 0, 1 } };
static const struct mac elsewhere = { { 0xb2, 9, 9, 9, 0, 0 } };

#define GUEST .from = ROUTE_FROM_GUEST, .from_us = true
#define TAP   .from = ROUTE_FROM_TAP, .has_tap = true
#define PEER  .from = ROUTE_FROM_PEER, .peer = true, .address = true

static const struct row {
	struct route_query query;
	unsigned int ways;
	enum drop drop;
} rows[] = {
	/* unicast of the guest */
	{ { GUEST, .peer = true }, ROUTE_PEER, DROP_NONE },
	{ { GUEST, .peer = true, .has_tap = true }, ROUTE_PEER, DROP_NONE },
	{ { GUEST, .peer = true, .has_tap = true, .peer_on_tap = true }, ROUTE_TAP, DROP_NONE },
	{ { GUEST, .has_tap = true }, ROUTE_TAP, DROP_NONE },
	{ { GUEST }, 0, DROP_NO_WAY },
	/* a TAP that has gone takes nothing, whatever was measured */
	{ { GUEST, .peer = true, .peer_on_tap = true }, ROUTE_PEER, DROP_NONE },
	/* broadcast and multicast of the guest */
	{ { GUEST, .group = true }, ROUTE_PEERS, DROP_NONE },
	{ { GUEST, .group = true, .has_tap = true }, ROUTE_TAP | ROUTE_PEERS, DROP_NONE },
	/* what the guest must not send */
	{ { .from = ROUTE_FROM_GUEST, .group = true, .has_tap = true }, 0, DROP_FOREIGN_SOURCE },
	{ { GUEST, .control = true, .has_tap = true }, 0, DROP_CONTROL },
	/* from the TAP */
	{ { TAP }, ROUTE_GUEST, DROP_NONE },
	{ { TAP, .to_us = true }, ROUTE_GUEST, DROP_NONE },
	{ { TAP, .group = true }, ROUTE_GUEST, DROP_NONE },
	{ { TAP, .control = true }, ROUTE_CONTROL, DROP_NONE },
	{ { TAP, .from_us = true, .group = true }, 0, DROP_OWN },
	{ { TAP, .from_us = true, .control = true }, 0, DROP_OWN },
	/* from a peer */
	{ { PEER, .to_us = true }, ROUTE_GUEST, DROP_NONE },
	{ { PEER, .group = true }, ROUTE_GUEST, DROP_NONE },
	{ { PEER, .group = true, .has_tap = true }, ROUTE_GUEST, DROP_NONE },
	{ { PEER }, 0, DROP_NOT_OURS },
	{ { PEER, .has_tap = true }, 0, DROP_NOT_OURS },
	{ { PEER, .control = true }, ROUTE_CONTROL, DROP_NONE },
	{ { PEER, .group = true, .from_us = true }, 0, DROP_OWN },
	{ { .from = ROUTE_FROM_PEER, .group = true }, 0, DROP_UNKNOWN },
	{ { .from = ROUTE_FROM_PEER, .to_us = true }, 0, DROP_UNKNOWN },
	{ { .from = ROUTE_FROM_PEER, .peer = true, .group = true }, 0, DROP_ADDRESS },
	/* copies: only group frames, only while our TAP lives, only if heard there lately */
	{ { PEER, .group = true, .has_tap = true, .heard_on_tap = true }, 0, DROP_COPY },
	{ { PEER, .group = true, .heard_on_tap = true }, ROUTE_GUEST, DROP_NONE },
	{ { PEER, .to_us = true, .has_tap = true, .heard_on_tap = true }, ROUTE_GUEST, DROP_NONE },
};

START_TEST(test_each_frame_goes_where_the_table_says)
{
	const struct row *row = &rows[_i];
	enum drop drop = DROP_REASONS;

	ck_assert_uint_eq(route_frame(&row->query, &drop), row->ways);
	ck_assert_int_eq(drop, row->drop);
}
END_TEST

/* Whatever is known of a frame: it never goes from the network back to the network. */
START_TEST(test_nothing_is_ever_relayed)
{
	for (unsigned int bits = 0; bits < 1 << 9; bits++) {
		for (int from = ROUTE_FROM_TAP; from <= ROUTE_FROM_PEER; from++) {
			struct route_query query = {
				.from = (enum route_from)from,
				.group = bits & 1,
				.control = bits & 2,
				.has_tap = bits & 4,
				.to_us = bits & 8,
				.from_us = bits & 16,
				.peer = bits & 32,
				.peer_on_tap = bits & 64,
				.address = bits & 128,
				.heard_on_tap = bits & 256,
			};
			enum drop drop;
			unsigned int ways = route_frame(&query, &drop);

			ck_assert_uint_eq(ways & (ROUTE_TAP | ROUTE_PEER | ROUTE_PEERS), 0);
			ck_assert((ways == 0) == (drop != DROP_NONE));
			ck_assert(!(query.control && ways & ROUTE_GUEST));
		}
	}
}
END_TEST

static const struct reach {
	const struct mac *peer;
	enum attach theirs, ours;
	enum peer_reach reach;
	bool by_tap;
} reaches[] = {
	/* guesses: both on a LAN, or guests of one host with a TAP each */
	{ &elsewhere, ATTACH_PATCH, ATTACH_PATCH, PEER_REACH_GUESS, true },
	{ &elsewhere, ATTACH_JOIN, ATTACH_BRIDGE, PEER_REACH_GUESS, true },
	{ &elsewhere, ATTACH_HOST, ATTACH_PATCH, PEER_REACH_GUESS, false },
	{ &elsewhere, ATTACH_PATCH, ATTACH_NONE, PEER_REACH_GUESS, false },
	{ &elsewhere, ATTACH_HOST, ATTACH_HOST, PEER_REACH_GUESS, false },
	{ &same_host, ATTACH_HOST, ATTACH_HOST, PEER_REACH_GUESS, true },
	{ &same_host, ATTACH_NONE, ATTACH_NONE, PEER_REACH_GUESS, true },
	/* measured: that counts, for and against */
	{ &elsewhere, ATTACH_HOST, ATTACH_PATCH, PEER_REACH_TAP, true },
	{ &elsewhere, ATTACH_PATCH, ATTACH_PATCH, PEER_REACH_TUNNEL, false },
	{ &same_host, ATTACH_PATCH, ATTACH_PATCH, PEER_REACH_TUNNEL, false },
	/* but no TAP is no TAP */
	{ &same_host, ATTACH_NO, ATTACH_PATCH, PEER_REACH_TAP, false },
	{ &same_host, ATTACH_PATCH, ATTACH_NO, PEER_REACH_TAP, false },
	{ &elsewhere, ATTACH_NO, ATTACH_NO, PEER_REACH_GUESS, false },
};

START_TEST(test_reached_by_tap_as_guessed_or_measured)
{
	const struct reach *r = &reaches[_i];
	struct peer peer = { .mac = *r->peer, .attach = r->theirs, .reach = r->reach };

	ck_assert(peer_reached_by_tap(&peer, &own, r->ours) == r->by_tap);
}
END_TEST

START_TEST(test_every_reason_has_its_own_name)
{
	for (unsigned int i = 0; i < DROP_REASONS; i++) {
		ck_assert_ptr_nonnull(drop_name(i));
		for (unsigned int j = 0; j < i; j++)
			ck_assert_str_ne(drop_name(i), drop_name(j));
	}
	ck_assert_ptr_null(drop_name(DROP_REASONS));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("route");
	TCase *cases = tcase_create("route");

	tcase_add_loop_test(cases, test_each_frame_goes_where_the_table_says, 0,
			    sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(cases, test_nothing_is_ever_relayed);
	tcase_add_loop_test(cases, test_reached_by_tap_as_guessed_or_measured, 0,
			    sizeof(reaches) / sizeof(reaches[0]));
	tcase_add_test(cases, test_every_reason_has_its_own_name);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
