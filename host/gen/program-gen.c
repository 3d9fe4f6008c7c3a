/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program-gen.c: runs at build time: assembles the programs of program.h and prints them as C.
 * Nothing of it is in the helper, which only puts the guest's address in its places.
 */
#include <linux/pkt_cls.h>
#include <stdio.h>

#include "guard.h"
#include "need.h"

static void every_frame(struct assembler *a)
{
	(void)a;
}

static void match_destination(struct assembler *a)
{
	need_mac(a, AT_DESTINATION);
}

static void match_source(struct assembler *a)
{
	need_ethernet_length(a);
	need_mac(a, AT_SOURCE);
}

static void match_group_from_others(struct assembler *a)
{
	need_group(a);
	bpf_load(a, BPF_W, AT_SOURCE);
	bpf_jump_patched(a, PATCH_MAC_HIGH, NEXT, YES);
	bpf_load(a, BPF_H, AT_SOURCE + 4);
	bpf_jump_patched(a, PATCH_MAC_LOW, NO, YES);
}

static void match_to_guest(struct assembler *a)
{
	need_guest(a, AT_DESTINATION, true);
}

static void match_outside_to_guest(struct assembler *a)
{
	need_guest(a, AT_DESTINATION, true);
	need_guest(a, AT_SOURCE, false);
	need_no_vlan(a);
}

static void match_outside_to_group(struct assembler *a)
{
	need_no_loopback(a);
	need_group(a);
	need_guest(a, AT_SOURCE, false);
	need_no_vlan(a);
	need_no_bridge_group(a);
}

static void verdict_drop(struct assembler *a)
{
	bpf_go(a, NO);
}

static void verdict_bridge_to_guests(struct assembler *a)
{
	need_no_vlan(a);
	need_no_bridge_group(a);
}

static void verdict_guard(struct assembler *a)
{
	guard(a, false);
}

static void verdict_guard_serving(struct assembler *a)
{
	guard(a, true);
}

enum kind { MATCH, VERDICT_PASS, VERDICT_GO_ON };

static const struct {
	const char *name;
	void (*assemble)(struct assembler *a);
	enum kind kind;
} programs[] = {
	{ "ANY", every_frame, MATCH },
	{ "DESTINATION", match_destination, MATCH },
	{ "SOURCE", match_source, MATCH },
	{ "GROUP", need_group, MATCH },
	{ "GROUP_FROM_OTHERS", match_group_from_others, MATCH },
	{ "TO_GUEST", match_to_guest, MATCH },
	{ "OUTSIDE_TO_GUEST", match_outside_to_guest, MATCH },
	{ "OUTSIDE_TO_GROUP", match_outside_to_group, MATCH },
	{ "DROP", verdict_drop, VERDICT_GO_ON },
	{ "MARK", every_frame, VERDICT_GO_ON },
	{ "PASS", every_frame, VERDICT_PASS },
	{ "BRIDGE_TO_GUESTS", verdict_bridge_to_guests, VERDICT_PASS },
	{ "GUARD", verdict_guard, VERDICT_GO_ON },
	{ "GUARD_SERVING", verdict_guard_serving, VERDICT_GO_ON },
};

static const char *patched(enum program_patch patch)
{
	switch (patch) {
	case PATCH_MAC_HIGH:
		return " /* the address's bytes 0-3 */";
	case PATCH_MAC_LOW:
		return " /* the address's bytes 4-5 */";
	default:
		return "";
	}
}

static void print(const char *name, const struct program *p)
{
	printf("[PROGRAM_%s] = { .direct = %d, .len = %u, .code = {\n", name, p->direct, p->len);
	for (uint16_t n = 0; n < p->len; n++)
		printf("\t{ 0x%02x, %3u, %3u, 0x%08x },%s\n", p->code[n].code, p->code[n].jt,
		       p->code[n].jf, p->code[n].k, patched(p->patch[n]));
	printf("}, .patch = {");
	for (uint16_t n = 0; n < p->len; n++)
		if (p->patch[n] != PATCH_NOTHING)
			printf(" [%u] = %d,", n, p->patch[n]);
	printf(" } },\n");
}

int main(void)
{
	/* of a match all ones and 0, of a verdict what is done with the frame */
	static const struct {
		uint32_t yes, no;
	} answers[] = {
		[MATCH] = { UINT32_MAX, 0 },
		[VERDICT_PASS] = { TC_ACT_OK, TC_ACT_SHOT },
		[VERDICT_GO_ON] = { (uint32_t)TC_ACT_UNSPEC, TC_ACT_SHOT },
	};

	printf("/* made by host/gen/program-gen.c */\n");
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		const enum kind kind = programs[i].kind;
		struct assembler a = { .program = { .direct = kind != MATCH } };

		programs[i].assemble(&a);
		bpf_finish(&a, answers[kind].yes, answers[kind].no);
		print(programs[i].name, &a.program);
	}
	return fflush(stdout) != 0;
}
