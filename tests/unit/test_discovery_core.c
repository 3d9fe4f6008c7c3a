/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_discovery_core.c: what the driver with a stack of its own keeps of interfaces that go, and
 * that it begins anew when the clock jumps, or the stack is wrong about the cards.
 * Libavahi, its guard, and who watches addresses and the clock, are stand-ins: here they say what
 * has changed, and count what they are asked to keep.
 */
#include <avahi-core/core.h>
#include <avahi-core/lookup.h>
#include <avahi-core/publish.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "discovery_addresses.h"
#include "discovery_clock.h"
#include "discovery_driver.h"
#include "discovery_guard.h"
#include "discovery_load.h"
#include "loop.h"
#include "suite.h"

#define GROUPS_MAX 4

/* One entry group of libavahi's. */
struct kept {
	bool used;
	size_t records;
	bool committed;
};

static struct {
	struct loop *loop;
	struct driver driver;
	struct discovery_counts counts;
	addresses_changed changed;
	void *core;
	struct kept group[GROUPS_MAX];
	bool server;
	void (*jumped)(void *user);
	void *clock;
	void (*misled)(void *user);
	void *guard;
	const char *why;
	unsigned int servers, freed, ups, downs, again; /* how often */
} t;

/* ---- libavahi ---- */

static void free_nothing(void *what)
{
	(void)what;
}

static AvahiServerConfig *config_init(AvahiServerConfig *config)
{
	memset(config, 0, sizeof(*config));
	return config;
}

static AvahiServer *server_new(const AvahiPoll *poll, const AvahiServerConfig *config,
			       AvahiServerCallback callback, void *user, int *error)
{
	(void)poll;
	(void)config;
	(void)callback;
	(void)user;
	*error = 0;
	t.server = true;
	t.servers++;
	return (AvahiServer *)&t.server;
}

static void server_free(AvahiServer *server)
{
	ck_assert_ptr_eq(server, &t.server);
	ck_assert(t.server);
	t.server = false;
	t.freed++;
	memset(t.group, 0, sizeof(t.group)); /* with all that belongs to it */
}

static AvahiSEntryGroup *group_new(AvahiServer *server, AvahiSEntryGroupCallback callback,
				   void *user)
{
	(void)server;
	(void)callback;
	(void)user;
	for (size_t i = 0; i < GROUPS_MAX; i++) {
		if (t.group[i].used)
			continue;
		t.group[i] = (struct kept){ .used = true };
		return (AvahiSEntryGroup *)&t.group[i];
	}
	ck_abort_msg("more groups than there are interfaces with addresses");
	return NULL;
}

static void group_reset(AvahiSEntryGroup *group)
{
	*(struct kept *)group = (struct kept){ .used = true };
}

static int group_commit(AvahiSEntryGroup *group)
{
	((struct kept *)group)->committed = true;
	return 0;
}

static void group_free(AvahiSEntryGroup *group)
{
	ck_assert(((struct kept *)group)->used);
	*(struct kept *)group = (struct kept){ 0 };
}

static int server_add(AvahiServer *server, AvahiSEntryGroup *group, AvahiIfIndex interface,
		      AvahiProtocol protocol, AvahiPublishFlags flags, AvahiRecord *record)
{
	(void)server;
	(void)interface;
	(void)protocol;
	(void)flags;
	(void)record;
	((struct kept *)group)->records++;
	return 0;
}

static AvahiRecord *record_new(const char *name, uint16_t class, uint16_t type, uint32_t ttl)
{
	static char record;

	(void)name;
	(void)class;
	(void)type;
	(void)ttl;
	return (AvahiRecord *)&record;
}

static int rdata_parse(AvahiRecord *record, const void *data, size_t len)
{
	(void)record;
	(void)data;
	(void)len;
	return 0;
}

static char *copy(const char *text, size_t len)
{
	(void)text;
	(void)len;
	return NULL;
}

static void not_expected(void)
{
	ck_abort_msg("a function of libavahi's that this test does not know");
}

int load_functions(const char *file, const char *const names[], size_t n, void *pointers)
{
	static const struct {
		const char *name;
		void (*function)(void);
	} known[] = {
		{ "avahi_strndup", (void (*)(void))copy },
		{ "avahi_set_log_function", (void (*)(void))free_nothing },
		{ "avahi_server_config_init", (void (*)(void))config_init },
		{ "avahi_server_config_free", (void (*)(void))free_nothing },
		{ "avahi_server_new", (void (*)(void))server_new },
		{ "avahi_server_free", (void (*)(void))server_free },
		{ "avahi_server_add", (void (*)(void))server_add },
		{ "avahi_s_entry_group_new", (void (*)(void))group_new },
		{ "avahi_s_entry_group_commit", (void (*)(void))group_commit },
		{ "avahi_s_entry_group_reset", (void (*)(void))group_reset },
		{ "avahi_s_entry_group_free", (void (*)(void))group_free },
		{ "avahi_record_new_full", (void (*)(void))record_new },
		{ "avahi_record_unref", (void (*)(void))free_nothing },
		{ "avahi_rdata_parse", (void (*)(void))rdata_parse },
	};
	void (**function)(void) = pointers;

	ck_assert_str_eq(file, "libavahi-core.so.7");
	for (size_t i = 0; i < n; i++) {
		function[i] = not_expected;
		for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++)
			if (strcmp(known[k].name, names[i]) == 0)
				function[i] = known[k].function;
	}
	return 0;
}

/* ---- who watches ---- */

int guard_new(const AvahiPoll *poll, struct discovery_counts *counts, void (*misled)(void *user),
	      void *user, struct guard **guard)
{
	(void)poll;
	ck_assert_ptr_eq(counts, &t.counts);
	t.misled = misled;
	t.guard = user;
	*guard = NULL;
	return 0;
}

const AvahiPoll *guard_poll(struct guard *guard)
{
	(void)guard;
	return NULL;
}

void guard_free(struct guard *guard)
{
	(void)guard;
}

int clock_watch_new(const AvahiPoll *poll, void (*jumped)(void *user), void *user,
		    struct clock_watch **watch)
{
	(void)poll;
	t.jumped = jumped;
	t.clock = user;
	*watch = NULL;
	return 0;
}

void clock_watch_free(struct clock_watch *watch)
{
	(void)watch;
}

int addresses_new(const AvahiPoll *poll, addresses_changed changed, void *user,
		  struct addresses **addresses)
{
	(void)poll;
	t.changed = changed;
	t.core = user;
	*addresses = NULL;
	return 0;
}

void addresses_again(struct addresses *addresses)
{
	(void)addresses;
	t.again++;
}

void addresses_free(struct addresses *addresses)
{
	(void)addresses;
}

/* ---- the tests ---- */

static void up(void *user)
{
	(void)user;
	t.ups++;
	loop_quit(t.loop);
}

static void down(void *user, const char *why)
{
	(void)user;
	t.why = why;
	t.downs++;
}

static void setup(void)
{
	static const struct driver_events events = { .up = up, .down = down };

	memset(&t, 0, sizeof(t));
	ck_assert_int_eq(loop_new(&t.loop), 0);
	ck_assert_int_eq(discovery_core_start(loop_api(t.loop), "mac.local", &t.counts, &events,
					      NULL, &t.driver),
			 0);
	loop_run(t.loop);
	ck_assert(t.server);
}

static void teardown(void)
{
	t.driver.ops->stop(t.driver.self);
	loop_free(t.loop);
}

/* Interface number @interface has @n addresses now. */
static void tell(int interface, size_t n)
{
	const struct own_address addresses[] = { { AF_INET, { 10, 0, 0, 1 } },
						 { AF_INET, { 10, 0, 0, 2 } } };

	t.changed(t.core, interface, addresses, n);
}

static size_t groups(void)
{
	size_t n = 0;

	for (size_t i = 0; i < GROUPS_MAX; i++)
		n += t.group[i].used;
	return n;
}

START_TEST(test_address_records_are_changed_together)
{
	tell(2, 1);
	ck_assert_uint_eq(t.group[0].records, 1);
	ck_assert(t.group[0].committed);
	tell(2, 2);
	ck_assert_uint_eq(groups(), 1);
	ck_assert_uint_eq(t.group[0].records, 2);
	ck_assert(t.group[0].committed);
}
END_TEST

/* Containers come and go all day, and each card gets a number that no card had before. */
START_TEST(test_nothing_is_kept_of_an_interface_that_went)
{
	tell(1, 2);
	for (int i = 2; i < 1000; i++) {
		tell(i, 1);
		ck_assert_uint_eq(groups(), 2);
		tell(i, 0);
		ck_assert_uint_eq(groups(), 1);
	}
	tell(1, 0);
	tell(1, 0);
	ck_assert_uint_eq(groups(), 0);
	tell(1, 2);
	ck_assert_uint_eq(groups(), 1);
	ck_assert_uint_eq(t.group[0].records, 2);
}
END_TEST

static void check_new_stack(void (*needed)(void *user), void *user, const char *why)
{
	tell(2, 1);
	needed(user);
	ck_assert_str_eq(t.why, why);
	ck_assert_uint_eq(t.freed, 1);
	ck_assert_uint_eq(t.downs, 1);
	tell(3, 1); /* there is no stack at present that could have it */
	ck_assert_uint_eq(groups(), 0);
	needed(user);
	ck_assert_uint_eq(t.downs, 1);
	ck_assert_int_eq(loop_run(t.loop), 0);
	ck_assert_uint_eq(t.servers, 2);
	ck_assert_uint_eq(t.ups, 2);
	ck_assert_uint_eq(t.again, 2); /* it is told all addresses */
	tell(2, 1);
	tell(3, 1);
	ck_assert_uint_eq(groups(), 2);
}

/* What it has heard would seem fresh, or dead, and it would not ask for up to an hour. */
START_TEST(test_clock_that_jumps_means_a_new_stack)
{
	check_new_stack(t.jumped, t.clock, "the clock was set, or this machine was asleep");
}
END_TEST

/* It would never use a card that it was not told of. */
START_TEST(test_stack_that_is_wrong_about_the_cards_is_replaced)
{
	check_new_stack(t.misled, t.guard,
			"more network cards came and went than the kernel could tell of");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("discovery core");
	TCase *tcase = tcase_create("addresses");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_address_records_are_changed_together);
	tcase_add_test(tcase, test_nothing_is_kept_of_an_interface_that_went);
	tcase_add_test(tcase, test_clock_that_jumps_means_a_new_stack);
	tcase_add_test(tcase, test_stack_that_is_wrong_about_the_cards_is_replaced);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
