/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program-gen.c: runs at build time: assembles the programs of program.h and prints them as C.
 * Nothing of it is in the helper, which only puts the guest's address in its places.
 *
 * A load beyond the frame's end makes a program return 0, which is "no match" for a filter but
 * TC_ACT_OK, "let it in", for a verdict: so verdicts check the length before they load.
 */
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "frame.h"

#define PROGRAM_MAX 112 /* instructions; the longest has about 100 */

enum { AT_DESTINATION = 0, AT_SOURCE = 6, AT_TYPE = 12, AT_NETWORK = 14 };
enum { DHCP_SERVER = 67, DHCP_CLIENT = 68, DHCPV6_CLIENT = 546, DHCPV6_SERVER = 547 };
enum { ROUTER_ADVERTISEMENT = 134, BOOTP_REPLY = 2, DHCPV6_RELAY_REPLY = 13 };
/* 802.2's header with SNAP's: AA AA 03, two kinds of organization, and an EtherType (RFC 1042) */
enum { AT_ORGANIZATION = 18, AT_SNAP_TYPE = 20, SNAP_END = 22 };
enum { SNAP = 0xaaaa0300, ENCAPSULATED = 0, TUNNELLED = 0xf8 };
#ifndef ETH_P_LLDP
#define ETH_P_LLDP 0x88cc /* since Linux 5.15's headers */
#endif

/* Where a jump goes. NEXT is the following instruction, the others are places in the program. */
enum label {
	NEXT,
	YES,
	NO,
	INSIDE,
	KIND,
	GROUPS,
	CISCO,
	ALLOWED,
	IPV6,
	EXTENSION,
	FRAGMENT,
	UPPER,
	PORT,
	RELAY,
	LABELS
};

/* What the helper puts in the place of an instruction's constant; as in program.c. */
enum patch { PATCH_NOTHING, PATCH_MAC_HIGH, PATCH_MAC_LOW };

struct assembler {
	struct sock_filter code[PROGRAM_MAX];
	enum patch patch[PROGRAM_MAX];
	enum label jump_true[PROGRAM_MAX];
	enum label jump_false[PROGRAM_MAX];
	uint16_t len;
	uint16_t at[LABELS];
};

static void emit(struct assembler *a, uint16_t code, uint32_t k, enum label yes, enum label no)
{
	a->code[a->len] = (struct sock_filter){ .code = code, .k = k };
	a->jump_true[a->len] = yes;
	a->jump_false[a->len] = no;
	a->len++;
}

static void load(struct assembler *a, uint16_t size, uint32_t at)
{
	emit(a, BPF_LD | BPF_ABS | size, at, NEXT, NEXT);
}

static void jump(struct assembler *a, uint16_t test, uint32_t k, enum label yes, enum label no)
{
	emit(a, BPF_JMP | BPF_K | test, k, yes, no);
}

/* A comparison with four or two bytes of the guest's address, which are known at run time. */
static void jump_patched(struct assembler *a, enum patch patch, enum label yes, enum label no)
{
	a->patch[a->len] = patch;
	jump(a, BPF_JEQ, 0, yes, no);
}

static void place(struct assembler *a, enum label label)
{
	a->at[label] = a->len;
}

static void end(struct assembler *a, enum label label, uint32_t value)
{
	place(a, label);
	emit(a, BPF_RET | BPF_K, value, NEXT, NEXT);
}

/* To NO unless the address at @at is the one that is patched in. */
static void need_mac(struct assembler *a, uint32_t at)
{
	load(a, BPF_W, at);
	jump_patched(a, PATCH_MAC_HIGH, NEXT, NO);
	load(a, BPF_H, at + 4);
	jump_patched(a, PATCH_MAC_LOW, NEXT, NO);
}

/* To NO unless the address at @at is (@wanted) or is not a guest's of this host. */
static void need_guest(struct assembler *a, uint32_t at, bool wanted)
{
	load(a, BPF_W, at);
	jump_patched(a, PATCH_MAC_HIGH, wanted ? NEXT : NO, wanted ? NO : NEXT);
}

static void need_group(struct assembler *a)
{
	load(a, BPF_B, AT_DESTINATION);
	jump(a, BPF_JSET, 1, NEXT, NO);
}

/* To NO if the EtherType in the accumulator is a VLAN tag's. */
static void need_no_tag(struct assembler *a)
{
	jump(a, BPF_JEQ, ETH_P_8021Q, NO, NEXT);
	jump(a, BPF_JEQ, ETH_P_8021AD, NO, NEXT);
	jump(a, BPF_JEQ, ETH_P_QINQ1, NO, NEXT);
}

/* To NO if the frame has a VLAN tag, in the metadata or in band. */
static void need_no_vlan(struct assembler *a)
{
	load(a, BPF_B, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT));
	jump(a, BPF_JEQ, 0, NEXT, NO);
	load(a, BPF_H, AT_TYPE);
	need_no_tag(a);
}

/* To NO for 01:80:c2:00:00:0x, which bridges keep to themselves (IEEE 802.1Q, 8.6.3). */
static void need_no_bridge_group(struct assembler *a)
{
	load(a, BPF_W, AT_DESTINATION);
	jump(a, BPF_JEQ, 0x0180c200, NEXT, YES);
	load(a, BPF_H, AT_DESTINATION + 4);
	jump(a, BPF_JGE, 0x10, YES, NO);
}

static void match_any(struct assembler *a)
{
	(void)a;
}

static void match_destination(struct assembler *a)
{
	need_mac(a, AT_DESTINATION);
}

/*
 * The holder of a TAP may attach to it again with IFF_VNET_HDR and put frames together of any
 * size; the length is then that of the whole, and some cards hang on such.
 */
static void need_ethernet_length(struct assembler *a)
{
	emit(a, BPF_LD | BPF_W | BPF_LEN, 0, NEXT, NEXT);
	jump(a, BPF_JGT, FRAME_MAX, NO, NEXT);
}

static void match_source(struct assembler *a)
{
	need_ethernet_length(a);
	need_mac(a, AT_SOURCE);
}

static void match_group(struct assembler *a)
{
	need_group(a);
}

static void match_group_from_others(struct assembler *a)
{
	need_group(a);
	load(a, BPF_W, AT_SOURCE);
	jump_patched(a, PATCH_MAC_HIGH, NEXT, YES);
	load(a, BPF_H, AT_SOURCE + 4);
	jump_patched(a, PATCH_MAC_LOW, NO, YES);
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

/*
 * To NO for the kernel's own copy of what this host has sent to a group: it comes to the card's
 * ingress without an Ethernet header, and was seen at its egress already.
 */
static void need_no_loopback(struct assembler *a)
{
	load(a, BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	jump(a, BPF_JEQ, PACKET_LOOPBACK, NO, NEXT);
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
	jump(a, BPF_JGE, 0, NO, NO);
}

static void verdict_pass(struct assembler *a)
{
	(void)a;
}

static void verdict_bridge_to_guests(struct assembler *a)
{
	need_no_vlan(a);
	need_no_bridge_group(a);
}

/* To NO unless the frame has @len bytes from where the index register points. */
static void need_len(struct assembler *a, uint32_t len, bool from_index)
{
	emit(a, BPF_LD | BPF_W | BPF_LEN, 0, NEXT, NEXT);
	if (from_index) {
		emit(a, BPF_JMP | BPF_JGE | BPF_X, 0, NEXT, NO); /* or the difference wraps */
		emit(a, BPF_ALU | BPF_SUB | BPF_X, 0, NEXT, NEXT);
	}
	jump(a, BPF_JGE, len, NEXT, NO);
}

static void load_indexed(struct assembler *a, uint16_t size, uint32_t at)
{
	emit(a, BPF_LD | BPF_IND | size, at, NEXT, NEXT);
}

static void set_index(struct assembler *a, uint32_t value)
{
	emit(a, BPF_LDX | BPF_IMM, value, NEXT, NEXT);
}

/* To NO where the next header in the accumulator is a (further) extension header. */
static void need_no_extension(struct assembler *a)
{
	jump(a, BPF_JEQ, IPPROTO_HOPOPTS, NO, NEXT);
	jump(a, BPF_JEQ, IPPROTO_ROUTING, NO, NEXT);
	jump(a, BPF_JEQ, IPPROTO_DSTOPTS, NO, NEXT);
	jump(a, BPF_JEQ, IPPROTO_FRAGMENT, NO, NEXT);
}

/*
 * To NO for servers that would answer in place of the LAN's own: DHCP and router advertisement.
 * IPv6 may put one extension header before the message; a second one nobody needs, and it is
 * dropped rather than followed. From UPPER on the accumulator holds the upper layer's protocol,
 * and the index register the length of all headers between Ethernet's and its own.
 */
static void need_no_server(struct assembler *a)
{
	/* IPv4 (RFC 791): of a datagram in pieces only the first has the ports */
	load(a, BPF_H, AT_TYPE);
	jump(a, BPF_JEQ, ETH_P_IP, NEXT, IPV6);
	need_len(a, AT_NETWORK + 20, false);
	load(a, BPF_H, AT_NETWORK + 6);
	jump(a, BPF_JSET, 0x1fff, YES, NEXT);
	emit(a, BPF_LDX | BPF_MSH | BPF_B, AT_NETWORK, NEXT, NEXT);
	load(a, BPF_B, AT_NETWORK + 9);
	jump(a, BPF_JGE, 0, UPPER, UPPER);

	/* IPv6 (RFC 8200): header, 40 bytes, and 8 of whatever it carries */
	place(a, IPV6);
	jump(a, BPF_JEQ, ETH_P_IPV6, NEXT, YES);
	need_len(a, AT_NETWORK + 48, false);
	set_index(a, 40);
	load(a, BPF_B, AT_NETWORK + 6);
	jump(a, BPF_JEQ, IPPROTO_FRAGMENT, FRAGMENT, NEXT);
	jump(a, BPF_JEQ, IPPROTO_HOPOPTS, EXTENSION, NEXT);
	jump(a, BPF_JEQ, IPPROTO_ROUTING, EXTENSION, NEXT);
	jump(a, BPF_JEQ, IPPROTO_DSTOPTS, EXTENSION, UPPER);

	place(a, EXTENSION);
	load(a, BPF_B, AT_NETWORK + 41);
	emit(a, BPF_ALU | BPF_LSH | BPF_K, 3, NEXT, NEXT);
	/* NOLINTNEXTLINE(misc-redundant-expression): two names of 0 */
	emit(a, BPF_ALU | BPF_ADD | BPF_K, 48, NEXT, NEXT);
	emit(a, BPF_MISC | BPF_TAX, 0, NEXT, NEXT);
	load(a, BPF_B, AT_NETWORK + 40);
	need_no_extension(a);
	jump(a, BPF_JGE, 0, UPPER, UPPER);

	place(a, FRAGMENT);
	load(a, BPF_H, AT_NETWORK + 42);
	jump(a, BPF_JSET, 0xfff8, YES, NEXT);
	set_index(a, 48);
	load(a, BPF_B, AT_NETWORK + 40);
	need_no_extension(a);

	place(a, UPPER);
	jump(a, BPF_JEQ, IPPROTO_UDP, PORT, NEXT);
	jump(a, BPF_JEQ, IPPROTO_ICMPV6, NEXT, YES);
	need_len(a, AT_NETWORK + 1, true);
	load_indexed(a, BPF_B, AT_NETWORK);
	jump(a, BPF_JEQ, ROUTER_ADVERTISEMENT, NO, YES);

	/* a client takes an answer to its port, from wherever */
	place(a, PORT);
	need_len(a, AT_NETWORK + 4, true);
	load_indexed(a, BPF_H, AT_NETWORK);
	jump(a, BPF_JEQ, DHCP_SERVER, NO, NEXT);
	jump(a, BPF_JEQ, DHCPV6_SERVER, NO, NEXT);
	load_indexed(a, BPF_H, AT_NETWORK + 2);
	jump(a, BPF_JEQ, DHCP_CLIENT, NO, NEXT);
	jump(a, BPF_JEQ, DHCPV6_CLIENT, NO, NEXT);
	jump(a, BPF_JEQ, DHCP_SERVER, RELAY, NEXT);
	jump(a, BPF_JEQ, DHCPV6_SERVER, RELAY, YES);

	/* and a relay, who listens where servers do, passes answers on to clients anywhere */
	place(a, RELAY);
	need_len(a, AT_NETWORK + 9, true);
	load_indexed(a, BPF_B, AT_NETWORK + 8);
	jump(a, BPF_JEQ, BOOTP_REPLY, NO, NEXT);
	jump(a, BPF_JEQ, DHCPV6_RELAY_REPLY, NO, YES);
}

/*
 * 802.3 with SNAP can carry any EtherType, and on the air of an access point, which sends all
 * frames so, it cannot be told from the plain form. From here to KIND with the type in the
 * accumulator, whichever form it has, or to GROUPS where there is none. What need_no_server()
 * looks into has to be plain.
 */
static void find_kind(struct assembler *a, bool serving)
{
	jump(a, BPF_JGE, ETH_P_802_3_MIN, KIND, NEXT);
	emit(a, BPF_LD | BPF_W | BPF_LEN, 0, NEXT, NEXT);
	jump(a, BPF_JGE, SNAP_END, NEXT, GROUPS);
	load(a, BPF_W, AT_NETWORK);
	jump(a, BPF_JEQ, SNAP, NEXT, GROUPS);
	load(a, BPF_H, AT_ORGANIZATION);
	jump(a, BPF_JEQ, ENCAPSULATED, INSIDE, NEXT);
	jump(a, BPF_JEQ, TUNNELLED, NEXT, GROUPS);
	place(a, INSIDE);
	load(a, BPF_H, AT_SNAP_TYPE);
	jump(a, BPF_JGE, ETH_P_802_3_MIN, NEXT, NO); /* one in another */
	need_no_tag(a);
	if (!serving) {
		jump(a, BPF_JEQ, ETH_P_IP, NO, NEXT);
		jump(a, BPF_JEQ, ETH_P_IPV6, NO, NEXT);
	}
	place(a, KIND);
}

static void guard(struct assembler *a, bool serving)
{
	need_len(a, AT_NETWORK, false);
	need_ethernet_length(a);
	need_guest(a, AT_SOURCE, true);
	need_no_vlan(a); /* leaves the type in the accumulator */
	find_kind(a, serving);
	jump(a, BPF_JEQ, ETH_P_PAUSE, NO, NEXT);
	jump(a, BPF_JEQ, ETH_P_PAE, NO, NEXT);
	jump(a, BPF_JEQ, ETH_P_LLDP, NO, NEXT);
	/* 01:80:c2:00:00:0x: bridges' own; 01:00:0c:cc:cc:cx: Cisco's discovery and trunking */
	place(a, GROUPS);
	load(a, BPF_H, AT_DESTINATION + 4);
	emit(a, BPF_ALU | BPF_AND | BPF_K, 0xfff0, NEXT, NEXT);
	emit(a, BPF_MISC | BPF_TAX, 0, NEXT, NEXT);
	load(a, BPF_W, AT_DESTINATION);
	jump(a, BPF_JEQ, 0x0180c200, NEXT, CISCO);
	emit(a, BPF_MISC | BPF_TXA, 0, NEXT, NEXT);
	jump(a, BPF_JEQ, 0, NO, ALLOWED);
	place(a, CISCO);
	jump(a, BPF_JEQ, 0x01000ccc, NEXT, ALLOWED);
	emit(a, BPF_MISC | BPF_TXA, 0, NEXT, NEXT);
	jump(a, BPF_JEQ, 0xccc0, NO, ALLOWED);
	place(a, ALLOWED);
	if (!serving)
		need_no_server(a);
}

static void verdict_guard_serving(struct assembler *a)
{
	guard(a, true);
}

static void verdict_guard(struct assembler *a)
{
	guard(a, false);
}

enum kind { MATCH, VERDICT_PASS, VERDICT_GO_ON };

static const struct {
	const char *name;
	void (*assemble)(struct assembler *a);
	enum kind kind;
} programs[] = {
	{ "ANY", match_any, MATCH },
	{ "DESTINATION", match_destination, MATCH },
	{ "SOURCE", match_source, MATCH },
	{ "GROUP", match_group, MATCH },
	{ "GROUP_FROM_OTHERS", match_group_from_others, MATCH },
	{ "TO_GUEST", match_to_guest, MATCH },
	{ "OUTSIDE_TO_GUEST", match_outside_to_guest, MATCH },
	{ "OUTSIDE_TO_GROUP", match_outside_to_group, MATCH },
	{ "DROP", verdict_drop, VERDICT_GO_ON },
	{ "MARK", match_any, VERDICT_GO_ON },
	{ "PASS", verdict_pass, VERDICT_PASS },
	{ "BRIDGE_TO_GUESTS", verdict_bridge_to_guests, VERDICT_PASS },
	{ "GUARD", verdict_guard, VERDICT_GO_ON },
	{ "GUARD_SERVING", verdict_guard_serving, VERDICT_GO_ON },
};

/* What YES and NO answer: of a match all ones and 0, of a verdict what is done with the frame. */
static void finish(struct assembler *a, enum kind kind)
{
	end(a, YES,
	    kind == MATCH	 ? UINT32_MAX :
	    kind == VERDICT_PASS ? TC_ACT_OK :
				   (uint32_t)TC_ACT_UNSPEC);
	end(a, NO, kind == MATCH ? 0 : TC_ACT_SHOT);
	for (uint16_t n = 0; n < a->len; n++) {
		struct sock_filter *f = &a->code[n];

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (a->jump_true[n] != NEXT)
			f->jt = (uint8_t)(a->at[a->jump_true[n]] - n - 1);
		if (a->jump_false[n] != NEXT)
			f->jf = (uint8_t)(a->at[a->jump_false[n]] - n - 1);
	}
}

int main(void)
{
	printf("/* made by host/gen/program-gen.c */\n");
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct assembler a = { .len = 0 };

		programs[i].assemble(&a);
		finish(&a, programs[i].kind);
		printf("[PROGRAM_%s] = { .direct = %d, .len = %u, .code = {\n", programs[i].name,
		       programs[i].kind != MATCH, a.len);
		for (uint16_t n = 0; n < a.len; n++)
			printf("\t{ 0x%02x, %3u, %3u, 0x%08x },%s\n", a.code[n].code, a.code[n].jt,
			       a.code[n].jf, a.code[n].k,
			       a.patch[n] == PATCH_MAC_HIGH ? " /* the address's bytes 0-3 */" :
			       a.patch[n] == PATCH_MAC_LOW  ? " /* the address's bytes 4-5 */" :
							      "");
		printf("}, .patch = {");
		for (uint16_t n = 0; n < a.len; n++)
			if (a.patch[n] != PATCH_NOTHING)
				printf(" [%u] = %d,", n, a.patch[n]);
		printf(" } },\n");
	}
	return fflush(stdout) != 0;
}
