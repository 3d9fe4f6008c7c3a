/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_proto_request.c: the helper's command line, and the same words as one message.
 */
#include <errno.h>
#include <limits.h>

#include "mac.h"
#include "proto_test.h"
#include "request.h"

#define WORDS 10 /* of a case, the program's name not counted */

static const struct request untouched = { .verb = REQUEST_VERSION, .fd = 77, .user = "untouched" };

/* Parses a NULL-terminated list of words behind a program's name. */
static int parse(const char *const words[], struct request *request, struct outcome *outcome)
{
	char *argv[1 + WORDS + 1] = { (char *)(uintptr_t) "helper" };
	int argc = 1;

	for (; words[argc - 1]; argc++)
		argv[argc] = at_edge(words[argc - 1], strlen(words[argc - 1]) + 1);
	*request = untouched;
	memset(outcome, 0, sizeof(*outcome));
	return request_parse(argc, argv, request, outcome);
}

static void check_same(const struct request *a, const struct request *b)
{
	ck_assert_int_eq(a->verb, b->verb);
	ck_assert_int_eq(a->fd, b->fd);
	ck_assert_int_eq(a->has_slot, b->has_slot);
	ck_assert_uint_eq(a->slot, b->slot);
	ck_assert_str_eq(a->br, b->br);
	ck_assert_str_eq(a->user, b->user);
	ck_assert_int_eq(a->json, b->json);
	ck_assert_int_eq(a->socket, b->socket);
}

START_TEST(test_request_understands_what_is_documented)
{
	static const struct {
		const char *words[WORDS];
		struct request request;
	} good[] = {
		{ { "--fd=3", "--slot=0", "--br=auto" }, { .fd = 3, .has_slot = true } },
		{ { "--fd=9", "--slot=15", "--br=br0" },
		  { .fd = 9, .has_slot = true, .slot = 15, .br = "br0" } },
		{ { "--br=abcdefghijklmno", "--fd=2147483647" },
		  { .fd = INT_MAX, .br = "abcdefghijklmno" } },
		{ { "--use-vnet", "--fd=24", "--br=br-basilisk" }, { .fd = 24 } }, /* QEMU's */
		{ { "--fd=3" }, { .fd = 3 } },
		{ { "--repair", "--fd=3", "--slot=2", "--br=auto" },
		  { .verb = REQUEST_REPAIR, .fd = 3, .has_slot = true, .slot = 2 } },
		{ { "--slot=2", "--fd=3", "--repair" },
		  { .verb = REQUEST_REPAIR, .fd = 3, .has_slot = true, .slot = 2 } },
		{ { "--status" }, { .verb = REQUEST_STATUS, .fd = -1 } },
		{ { "--status", "--json" }, { .verb = REQUEST_STATUS, .fd = -1, .json = true } },
		{ { "--json", "--status" }, { .verb = REQUEST_STATUS, .fd = -1, .json = true } },
		{ { "--check" }, { .verb = REQUEST_CHECK, .fd = -1 } },
		{ { "--check", "--user=mac" }, { .verb = REQUEST_CHECK, .fd = -1, .user = "mac" } },
		{ { "--user", "mac", "--check" },
		  { .verb = REQUEST_CHECK, .fd = -1, .user = "mac" } },
		{ { "--check", "--user", "--check" },
		  { .verb = REQUEST_CHECK, .fd = -1, .user = "--check" } },
		{ { "--check", "--user=abcdefghijklmnopqrstuvwxyz012345" },
		  { .verb = REQUEST_CHECK, .fd = -1, .user = "abcdefghijklmnopqrstuvwxyz012345" } },
		{ { "--release" }, { .verb = REQUEST_RELEASE, .fd = -1 } },
		{ { "--help" }, { .verb = REQUEST_HELP, .fd = -1 } },
		{ { "--version" }, { .verb = REQUEST_VERSION, .fd = -1 } },
		{ { "--socket" }, { .fd = -1, .socket = true } },
		/* of a word that comes twice, the last, and nothing of the first */
		{ { "--fd=3", "--slot=1", "--br=abcdef", "--fd=4", "--slot=0", "--br=br0" },
		  { .fd = 4, .has_slot = true, .br = "br0" } },
		{ { "--fd=3", "--br=br0", "--br=auto" }, { .fd = 3 } },
		{ { "--check", "--user=abcdef", "--user=mac" },
		  { .verb = REQUEST_CHECK, .fd = -1, .user = "mac" } },
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		struct request request;
		struct outcome outcome;

		ck_assert_msg(parse(good[i].words, &request, &outcome) == 0, "case %zu: %s", i,
			      outcome.what);
		ck_assert_int_eq(outcome.code, OUTCOME_OK);
		check_same(&request, &good[i].request);
	}
}
END_TEST

START_TEST(test_request_refuses_and_names_the_word)
{
	static const struct {
		const char *words[WORDS];
		enum outcome_code code;
		const char *what;
	} bad[] = {
		{ { "--fd=3", "--frob" }, OUTCOME_USAGE, "unknown word --frob" },
		{ { "status" }, OUTCOME_USAGE, "unknown word status" },
		{ { "" }, OUTCOME_USAGE, "unknown word " },
		{ { "--Status" }, OUTCOME_USAGE, "unknown word --Status" },
		{ { "--statusx" }, OUTCOME_USAGE, "unknown word --statusx" },
		{ { "--stat" }, OUTCOME_USAGE, "unknown word --stat" },
		{ { "--fd", "3" }, OUTCOME_USAGE, "--fd wants a value: --fd=" },
		{ { "--fdx=3" }, OUTCOME_USAGE, "unknown word --fdx=3" },
		{ { "--check", "--user" }, OUTCOME_USAGE, "--user wants a value: --user=" },
		{ { "--fd=3", "--slot" }, OUTCOME_USAGE, "--slot wants a value" },
		{ { "--fd=3", "--br" }, OUTCOME_USAGE, "--br wants a value" },
		{ { "--use-vnet=1", "--fd=3" }, OUTCOME_USAGE, "unknown word --use-vnet=1" },
		{ { "\x1b[31m" }, OUTCOME_USAGE, "unknown word ?[31m" },
		/* the reply descriptor */
		{ { "--fd=" }, OUTCOME_BAD_DESCRIPTOR, "--fd= is no" },
		{ { "--fd=x" }, OUTCOME_BAD_DESCRIPTOR, "--fd=x is no" },
		{ { "--fd=-1" }, OUTCOME_BAD_DESCRIPTOR, "--fd=-1 is no" },
		{ { "--fd=0" }, OUTCOME_BAD_DESCRIPTOR, "--fd=0 is no" },
		{ { "--fd=2" }, OUTCOME_BAD_DESCRIPTOR, "--fd=2 is no" },
		{ { "--fd=03" }, OUTCOME_BAD_DESCRIPTOR, "--fd=03 is no" },
		{ { "--fd=2147483648" }, OUTCOME_BAD_DESCRIPTOR, "--fd=2147483648 is no" },
		{ { "--fd=4294967299" }, OUTCOME_BAD_DESCRIPTOR, "--fd=4294967299 is no" },
		/* the slot */
		{ { "--fd=3", "--slot=" }, OUTCOME_USAGE, "--slot= is no number from 0 to 15" },
		{ { "--fd=3", "--slot=16" }, OUTCOME_USAGE, "--slot=16 is no" },
		{ { "--fd=3", "--slot=-1" }, OUTCOME_USAGE, "--slot=-1 is no" },
		{ { "--fd=3", "--slot=1a" }, OUTCOME_USAGE, "--slot=1a is no" },
		/* the bridge */
		{ { "--fd=3", "--br=" }, OUTCOME_BAD_NAME, "--br= cannot name an interface" },
		{ { "--fd=3", "--br=abcdefghijklmnop" },
		  OUTCOME_BAD_NAME,
		  "--br=abcdefghijklmnop is 16 bytes long, an interface name has at most 15" },
		{ { "--fd=3", "--br=../br0" }, OUTCOME_BAD_NAME, "--br=../br0 cannot" },
		{ { "--fd=3", "--br=br 0" }, OUTCOME_BAD_NAME, "--br=br 0 cannot" },
		{ { "--fd=3", "--br=br%d" }, OUTCOME_BAD_NAME, "--br=br%d cannot" },
		/* the user */
		{ { "--check", "--user=" }, OUTCOME_USAGE, "--user= is no login name" },
		{ { "--check", "--user", "" }, OUTCOME_USAGE, "--user= is no login name" },
		{ { "--check", "--user=abcdefghijklmnopqrstuvwxyz0123456" },
		  OUTCOME_USAGE,
		  "--user=abcdefghijklmnopqrstuvwxyz0123456 is no login name (1 to 32 " },
		/* what does not go together */
		{ { NULL }, OUTCOME_USAGE, "nothing to do" },
		{ { "--use-vnet" }, OUTCOME_USAGE, "nothing to do" },
		{ { "--br=br0" }, OUTCOME_USAGE, "nothing to do" },
		{ { "--status", "--check" }, OUTCOME_USAGE, "--check cannot stand beside" },
		{ { "--help", "--help" }, OUTCOME_USAGE, "--help cannot stand beside" },
		{ { "--repair", "--status" }, OUTCOME_USAGE, "--status cannot stand beside" },
		{ { "--status", "--fd=3" }, OUTCOME_USAGE, "--fd, --slot and --br belong to" },
		{ { "--check", "--slot=3" }, OUTCOME_USAGE, "--fd, --slot and --br belong to" },
		{ { "--release", "--br=br0" }, OUTCOME_USAGE, "--fd, --slot and --br belong to" },
		{ { "--repair", "--fd=3" }, OUTCOME_USAGE, "--repair needs --slot=N" },
		{ { "--repair", "--slot=3" }, OUTCOME_USAGE, "--repair needs --fd=N" },
		{ { "--fd=3", "--user=mac" }, OUTCOME_USAGE, "--user belongs to --check alone" },
		{ { "--status", "--user=mac" }, OUTCOME_USAGE, "--user belongs to --check alone" },
		{ { "--check", "--json" }, OUTCOME_USAGE, "--json belongs to --status alone" },
		{ { "--fd=3", "--json" }, OUTCOME_USAGE, "--json belongs to --status alone" },
		{ { "--socket", "--status" }, OUTCOME_USAGE, "--socket stands alone" },
		{ { "--socket", "--fd=3" }, OUTCOME_USAGE, "--socket stands alone" },
		{ { "--socket", "--slot=3" }, OUTCOME_USAGE, "--socket stands alone" },
		{ { "--socket", "--br=br0" }, OUTCOME_USAGE, "--socket stands alone" },
		/* of two mistakes, the first */
		{ { "--slot=99", "--fd=0" }, OUTCOME_USAGE, "--slot=99" },
		{ { "--fd=0", "--slot=99" }, OUTCOME_BAD_DESCRIPTOR, "--fd=0" },
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct request request;
		struct outcome outcome;

		ck_assert_msg(parse(bad[i].words, &request, &outcome) == -1, "case %zu (%s)", i,
			      bad[i].what);
		ck_assert_int_eq(outcome.code, bad[i].code);
		ck_assert_msg(strncmp(outcome.what, bad[i].what, strlen(bad[i].what)) == 0,
			      "'%s' is not '%s…'", outcome.what, bad[i].what);
		check_same(&request, &untouched);
	}
}
END_TEST

START_TEST(test_request_words_of_any_length_are_refused_in_one_line)
{
	static const char *const begin[] = { "--frob", "--fd=", "--slot=", "--br=", "--user=" };

	for (size_t i = 0; i < COUNT(begin); i++) {
		char word[4000];
		const char *const words[] = { word, NULL };
		struct request request;
		struct outcome outcome;

		memset(word, '7', sizeof(word));
		memcpy(word, begin[i], strlen(begin[i]));
		word[sizeof(word) - 1] = '\0';
		ck_assert_int_eq(parse(words, &request, &outcome), -1);
		ck_assert_uint_lt(strlen(outcome.what), 120);
		ck_assert_int_eq(strncmp(outcome.what + (i ? 0 : strlen("unknown word ")), begin[i],
					 strlen(begin[i])),
				 0);
	}
}
END_TEST

START_TEST(test_request_does_not_look_at_the_programs_name)
{
	char *argv[] = { NULL, (char *)(uintptr_t) "--help", NULL };
	struct outcome outcome = { 0 };
	struct request request;

	ck_assert_int_eq(request_parse(2, argv, &request, &outcome), 0);
	ck_assert_int_eq(request.verb, REQUEST_HELP);
	ck_assert_int_eq(request_parse(0, argv + 2, &request, &outcome), -1);
	ck_assert_int_eq(outcome.code, OUTCOME_USAGE);
}
END_TEST

START_TEST(test_request_message_is_words_with_their_ends)
{
	static const struct {
		struct request request;
		const char *message;
		size_t len;
	} cases[] = {
#define MESSAGE(text) text, sizeof(text)
		{ { .fd = 3, .has_slot = true }, MESSAGE("--fd=3\0--slot=0\0--br=auto") },
		{ { .fd = 12, .br = "br0" }, MESSAGE("--fd=12\0--br=br0") },
		{ { .fd = -1, .has_slot = true, .slot = 7 }, MESSAGE("--slot=7\0--br=auto") },
		{ { .verb = REQUEST_REPAIR,
		    .fd = INT_MAX,
		    .has_slot = true,
		    .slot = 15,
		    .br = "abcdefghijklmno" },
		  MESSAGE("--repair\0--fd=2147483647\0--slot=15\0--br=abcdefghijklmno") },
#undef MESSAGE
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char message[REQUEST_MESSAGE_MAX];

		ck_assert_uint_eq(request_format(&cases[i].request, message), cases[i].len);
		ck_assert_mem_eq(message, cases[i].message, cases[i].len);
	}
}
END_TEST

START_TEST(test_request_comes_back_from_its_message)
{
	static const char *const bridges[] = { "", "br0", "abcdefghijklmno" };

	for (unsigned int i = 0; i < 3 * 2 * 2 * MAC_SLOTS; i++) {
		struct request request = { .fd = 3 + (int)i,
					   .verb = i % 2 ? REQUEST_REPAIR : REQUEST_ATTACH };
		char message[REQUEST_MESSAGE_MAX];
		char *words[1 + REQUEST_WORDS_MAX + 1] = { (char *)(uintptr_t) "helper" };
		struct outcome outcome = { 0 };
		struct request back;
		int count;

		request.has_slot = i % 2 || i / 2 % 2;
		request.slot = request.has_slot ? i / 4 % MAC_SLOTS : 0;
		strcpy(request.br, bridges[i / 4 / MAC_SLOTS]);
		count = request_split(message, request_format(&request, message), words + 1);
		ck_assert_int_gt(count, 0);
		ck_assert_int_eq(request_parse(1 + count, words, &back, &outcome), 0);
		check_same(&back, &request);
	}
}
END_TEST

START_TEST(test_split_finds_every_word)
{
	static const char text[] = "one\0\0three";
	char *message = at_edge(text, sizeof(text));
	char *words[REQUEST_WORDS_MAX + 1];

	ck_assert_int_eq(request_split(message, sizeof(text), words), 3);
	ck_assert_str_eq(words[0], "one");
	ck_assert_str_eq(words[1], "");
	ck_assert_str_eq(words[2], "three");
	ck_assert_ptr_null(words[3]);
}
END_TEST

START_TEST(test_split_refuses_what_is_no_list_of_words)
{
	char message[REQUEST_MESSAGE_MAX + 1] = "";
	char *words[REQUEST_WORDS_MAX + 1];

	ck_assert_int_eq(request_split(at_edge("", 0), 0, words), -EINVAL);
	ck_assert_int_eq(request_split(at_edge("a", 1), 1, words), -EINVAL);
	ck_assert_int_eq(request_split(at_edge("a\0b", 3), 3, words), -EINVAL);
	memset(message, 'a', sizeof(message));
	message[REQUEST_MESSAGE_MAX - 1] = '\0';
	ck_assert_int_eq(request_split(message, REQUEST_MESSAGE_MAX, words), 1);
	message[REQUEST_MESSAGE_MAX - 1] = 'a';
	message[REQUEST_MESSAGE_MAX] = '\0';
	ck_assert_int_eq(request_split(message, REQUEST_MESSAGE_MAX + 1, words), -EINVAL);
}
END_TEST

START_TEST(test_split_refuses_more_words_than_there_is_room_for)
{
	struct {
		char *words[REQUEST_WORDS_MAX + 1];
		char *behind;
	} w;
	char message[REQUEST_WORDS_MAX + 1] = { 0 };

	w.behind = message;
	ck_assert_int_eq(request_split(message, REQUEST_WORDS_MAX, w.words), REQUEST_WORDS_MAX);
	ck_assert_ptr_null(w.words[REQUEST_WORDS_MAX]);
	ck_assert_int_eq(request_split(message, REQUEST_WORDS_MAX + 1, w.words), -EINVAL);
	ck_assert_ptr_eq(w.behind, message);
}
END_TEST

static int read_message(const char *text, size_t size, struct request *request,
			struct outcome *outcome)
{
	*request = untouched;
	memset(outcome, 0, sizeof(*outcome));
	return request_read_message(at_edge(text, size), size, request, outcome);
}

START_TEST(test_message_asks_for_a_tap_and_for_nothing_else)
{
	static const char attach[] = "--fd=4\0--slot=3\0--br=br0",
			  repair[] = "--repair\0--fd=4\0--slot=3";
	static const struct {
		const char *text, *what;
		size_t size;
	} refused[] = {
#define REFUSED(text, what) { text, what, sizeof(text) }
		REFUSED("--status", "only a TAP can be asked for here"),
		REFUSED("--release", "only a TAP can be asked for here"),
		REFUSED("--version", "only a TAP can be asked for here"),
		REFUSED("--socket", "only a TAP can be asked for here"),
		REFUSED("--fd=4\0--nonsense", "unknown word --nonsense"),
		{ "--fd=4", "the request is no message of words", strlen("--fd=4") },
		{ "", "the request is no message of words", 0 },
	};
	struct outcome outcome;
	struct request request, wanted = { .fd = 4, .has_slot = true, .slot = 3, .br = "br0" };

	ck_assert_int_eq(read_message(attach, sizeof(attach), &request, &outcome), 0);
	check_same(&request, &wanted);
	wanted.verb = REQUEST_REPAIR;
	wanted.br[0] = '\0';
	ck_assert_int_eq(read_message(repair, sizeof(repair), &request, &outcome), 0);
	check_same(&request, &wanted);
	for (size_t i = 0; i < COUNT(refused); i++) {
		ck_assert_int_eq(read_message(refused[i].text, refused[i].size, &request, &outcome),
				 -1);
		ck_assert_int_eq(outcome.code, OUTCOME_USAGE);
		ck_assert_str_eq(outcome.what, refused[i].what);
		check_same(&request, &untouched);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_request_understands_what_is_documented,
		test_request_refuses_and_names_the_word,
		test_request_words_of_any_length_are_refused_in_one_line,
		test_request_does_not_look_at_the_programs_name,
		test_request_message_is_words_with_their_ends,
		test_request_comes_back_from_its_message,
		test_split_finds_every_word,
		test_split_refuses_what_is_no_list_of_words,
		test_split_refuses_more_words_than_there_is_room_for,
		test_message_asks_for_a_tap_and_for_nothing_else,
	};

	return run_tests("proto/request", tests, COUNT(tests));
}
