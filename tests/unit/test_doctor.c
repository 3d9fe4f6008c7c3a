/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_doctor.c: what doctor reads, from folders and texts as they are on machines that cannot be
 * had in a test: one with a wireless card, one whose kernel lacks modules.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "doctor.h"
#include "proto_test.h"

static const char status[] = "{\"version\": 1, \"facts\": [\n"
			     "  {\"fact\": \"uplink\", \"name\": \"wlan0\", \"because\": \"\"}\n"
			     "  ,{\"fact\": \"rule\", \"verdict\": \"deny\", \"line\": 1}\n"
			     "  ,{\"fact\": \"rule\", \"verdict\": \"allow\", \"line\": 2}\n"
			     "  ,{\"fact\": \"ether auto\", \"code\": \"a \\\"b\\\\c\"}\n] }\n";

static char folder[] = "/tmp/test_doctor.XXXXXX";

static void make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *content)
{
	FILE *file = fopen(path_of(name), "w");

	ck_assert_ptr_nonnull(file);
	fputs(content, file);
	fclose(file);
}

START_TEST(test_fact_is_found_in_its_own_line)
{
	char value[16];

	ck_assert(doctor_fact(status, "uplink", "name", value, sizeof(value)));
	ck_assert_str_eq(value, "wlan0");
	ck_assert(doctor_fact(status, "uplink", "because", value, sizeof(value)));
	ck_assert_str_eq(value, "");
	ck_assert(doctor_fact(status, "rule", "verdict", value, sizeof(value)));
	ck_assert_str_eq(value, "deny");
	ck_assert(!doctor_fact(status, "uplink", "verdict", value, sizeof(value)));
	ck_assert(!doctor_fact(status, "tap", "name", value, sizeof(value)));
	ck_assert_str_eq(value, "");
}
END_TEST

START_TEST(test_fact_is_unquoted_and_cut_to_its_place)
{
	char value[16], small[4];

	ck_assert(doctor_fact(status, "ether auto", "code", value, sizeof(value)));
	ck_assert_str_eq(value, "a \"b\\c");
	ck_assert(doctor_fact(status, "ether auto", "code", small, sizeof(small)));
	ck_assert_str_eq(small, "a \"");
}
END_TEST

START_TEST(test_fact_of_a_cut_status_stays_inside_it)
{
	for (size_t len = 0; len < sizeof(status); len++) {
		char *cut = at_edge(status, len + 1), value[16];

		cut[len] = '\0';
		doctor_fact(cut, "ether auto", "code", value, sizeof(value));
	}
}
END_TEST

START_TEST(test_wireless_card_is_known_by_its_folder)
{
	make_folder();
	ck_assert(!doctor_is_wireless(folder));
	ck_assert_int_eq(mkdir(path_of("wireless"), 0700), 0);
	ck_assert(doctor_is_wireless(folder));
	ck_assert_int_eq(rmdir(path_of("wireless")), 0);
	ck_assert_int_eq(symlink("../../ieee80211/phy0", path_of("phy80211")), 0);
	ck_assert(!doctor_is_wireless(folder)); /* it leads nowhere */
	ck_assert_int_eq(unlink(path_of("phy80211")), 0);
	ck_assert_int_eq(symlink("/", path_of("phy80211")), 0);
	ck_assert(doctor_is_wireless(folder));
	remove_folder();
}
END_TEST

START_TEST(test_module_is_built_in_loaded_or_in_the_list)
{
	make_folder();
	ck_assert_int_eq(doctor_has_module(folder, folder, "cls_bpf"), -1);
	write_file("modules.dep", "kernel/net/sched/act_mirred.ko.xz: kernel/net/sched/cls_bpf.ko\n"
				  "kernel/net/act-nat.ko:\n");
	ck_assert_int_eq(doctor_has_module(folder, folder, "act_mirred"), 1);
	ck_assert_int_eq(doctor_has_module(folder, folder, "act_nat"), 1);
	ck_assert_int_eq(doctor_has_module(folder, folder, "cls_bpf"), 0);
	ck_assert_int_eq(doctor_has_module(folder, folder, "mirred"), 0);
	write_file("modules.builtin", "kernel/net/sched/cls_bpf.ko\n");
	ck_assert_int_eq(doctor_has_module(folder, folder, "cls_bpf"), 1);
	ck_assert_int_eq(doctor_has_module(folder, folder, "veth"), 0);
	ck_assert_int_eq(mkdir(path_of("veth"), 0700), 0);
	ck_assert_int_eq(doctor_has_module(folder, folder, "veth"), 1);
	remove_folder();
}
END_TEST

START_TEST(test_udptunnel_is_on_where_its_last_line_says_so)
{
	static const struct {
		const char *prefs;
		bool on;
	} cases[] = {
		{ "", false },
		{ "ether auto\nudptunnel true\nrom x\n", true },
		{ "udptunnel false\n", false },
		{ "udptunnel true\nudptunnel false\n", false },
		{ "udptunnel trueish\n", false },
		{ "xudptunnel true\n", false },
		{ "udptunnelport true\n", false },
	};

	make_folder();
	ck_assert(!doctor_uses_udptunnel(path_of("prefs")));
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file("prefs", cases[i].prefs);
		ck_assert_msg(doctor_uses_udptunnel(path_of("prefs")) == cases[i].on, "%zu", i);
	}
	remove_folder();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_fact_is_found_in_its_own_line,
		test_fact_is_unquoted_and_cut_to_its_place,
		test_fact_of_a_cut_status_stays_inside_it,
		test_wireless_card_is_known_by_its_folder,
		test_module_is_built_in_loaded_or_in_the_list,
		test_udptunnel_is_on_where_its_last_line_says_so,
	};

	return run_tests("doctor", tests, COUNT(tests));
}
