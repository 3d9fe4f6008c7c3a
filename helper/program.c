/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.c: assembles the programs of program.h.
 *
 * Relies on nothing but <linux/filter.h>. Never does I/O. A load beyond the frame's end makes
 * a program return 0, which is "no match" for a filter but TC_ACT_OK, "let it in", for a
 * verdict: so verdicts check the length before they load.
 */
#include "program.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <linux/pkt_cls.h>

#include "bytes.h"

enum { AT_DESTINATION = 0, AT_SOURCE = 6, AT_TYPE = 12, AT_NETWORK = 14 };
enum { DHCP_SERVER = 67, DHCPV6_SERVER = 547, ROUTER_ADVERTISEMENT = 134 };
#ifndef ETH_P_LLDP
#define ETH_P_LLDP 0x88cc /* since Linux 5.15's headers */
#endif

/* Where a jump goes. NEXT is the following instruction, the others are places in the program. */
enum label { NEXT, YES, NO, CISCO, ALLOWED, IPV6, EXTENSION, FRAGMENT, UPPER, PORT, LABELS };

struct assembler {
	struct program program;
	uint8_t jump_true[PROGRAM_MAX];
	uint8_t jump_false[PROGRAM_MAX];
	uint16_t at[LABELS];
};

static void emit(struct assembler *a, uint16_t code, uint32_t k, enum label yes, enum label no)
{
	uint16_t n = a->program.len++;

	a->program.code[n] = (struct sock_filter){ .code = code, .k = k };
	a->jump_true[n] = (uint8_t)yes;
	a->jump_false[n] = (uint8_t)no;
}

static void load(struct assembler *a, uint16_t size, uint32_t at)
{
	emit(a, BPF_LD | BPF_ABS | size, at, NEXT, NEXT);
}

static void jump(struct assembler *a, uint16_t test, uint32_t k, enum label yes, enum label no)
{
	emit(a, BPF_JMP | BPF_K | test, k, yes, no);
}

static void place(struct assembler *a, enum label label)
{
	a->at[label] = a->program.len;
}

static void end(struct assembler *a, enum label label, uint32_t value)
{
	place(a, label);
	emit(a, BPF_RET | BPF_K, value, NEXT, NEXT);
}

/* Puts the distances in the place of the labels. Both ends exist by now. */
static struct program finish(struct assembler *a)
{
	for (uint16_t n = 0; n < a->program.len; n++) {
		struct sock_filter *f = &a->program.code[n];

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (a->jump_true[n] != NEXT)
			f->jt = (uint8_t)(a->at[a->jump_true[n]] - n - 1);
		if (a->jump_false[n] != NEXT)
			f->jf = (uint8_t)(a->at[a->jump_false[n]] - n - 1);
	}
	return a->program;
}

static struct program finish_match(struct assembler *a)
{
	end(a, YES, UINT32_MAX);
	end(a, NO, 0);
	return finish(a);
}

static struct program finish_verdict(struct assembler *a, uint32_t good)
{
	end(a, YES, good);
	end(a, NO, TC_ACT_SHOT);
	a->program.direct = true;
	return finish(a);
}

/* To NO unless the address at @at is @mac. */
static void need_mac(struct assembler *a, uint32_t at, const struct mac *mac)
{
	load(a, BPF_W, at);
	jump(a, BPF_JEQ, get_be32(mac->byte), NEXT, NO);
	load(a, BPF_H, at + 4);
	jump(a, BPF_JEQ, get_be16(mac->byte + 4), NEXT, NO);
}

/* To NO unless the address at @at is (@wanted) or is not a guest's of this host. */
static void need_guest(struct assembler *a, uint32_t at, const struct mac *guest, bool wanted)
{
	load(a, BPF_W, at);
	jump(a, BPF_JEQ, get_be32(guest->byte), wanted ? NEXT : NO, wanted ? NO : NEXT);
}

static void need_group(struct assembler *a)
{
	load(a, BPF_B, AT_DESTINATION);
	jump(a, BPF_JSET, 1, NEXT, NO);
}

/* To NO if the frame has a VLAN tag, in the metadata or in band. */
static void need_no_vlan(struct assembler *a)
{
	load(a, BPF_B, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT));
	jump(a, BPF_JEQ, 0, NEXT, NO);
	load(a, BPF_H, AT_TYPE);
	jump(a, BPF_JEQ, ETH_P_8021Q, NO, NEXT);
	jump(a, BPF_JEQ, ETH_P_8021AD, NO, NEXT);
	jump(a, BPF_JEQ, ETH_P_QINQ1, NO, NEXT);
}

/* To NO for 01:80:c2:00:00:0x, which bridges keep to themselves (IEEE 802.1Q, 8.6.3). */
static void need_no_bridge_group(struct assembler *a)
{
	load(a, BPF_W, AT_DESTINATION);
	jump(a, BPF_JEQ, 0x0180c200, NEXT, YES);
	load(a, BPF_H, AT_DESTINATION + 4);
	jump(a, BPF_JGE, 0x10, YES, NO);
}

struct program program_any(void)
{
	struct assembler a = { 0 };

	return finish_match(&a);
}

struct program program_destination(const struct mac *mac)
{
	struct assembler a = { 0 };

	need_mac(&a, AT_DESTINATION, mac);
	return finish_match(&a);
}

struct program program_source(const struct mac *mac)
{
	struct assembler a = { 0 };

	need_mac(&a, AT_SOURCE, mac);
	return finish_match(&a);
}

struct program program_group_not_from(const struct mac *mac)
{
	struct assembler a = { 0 };

	need_group(&a);
	load(&a, BPF_W, AT_SOURCE);
	jump(&a, BPF_JEQ, get_be32(mac->byte), NEXT, YES);
	load(&a, BPF_H, AT_SOURCE + 4);
	jump(&a, BPF_JEQ, get_be16(mac->byte + 4), NO, YES);
	return finish_match(&a);
}

struct program program_group(void)
{
	struct assembler a = { 0 };

	need_group(&a);
	return finish_match(&a);
}

struct program program_to_any_guest(const struct mac *guest)
{
	struct assembler a = { 0 };

	need_guest(&a, AT_DESTINATION, guest, true);
	return finish_match(&a);
}

struct program program_from_host_to_guest(const struct mac *guest)
{
	struct assembler a = { 0 };

	need_guest(&a, AT_DESTINATION, guest, true);
	need_guest(&a, AT_SOURCE, guest, false);
	need_no_vlan(&a);
	return finish_match(&a);
}

struct program program_group_for_guests(const struct mac *guest)
{
	struct assembler a = { 0 };

	need_group(&a);
	need_guest(&a, AT_SOURCE, guest, false);
	need_no_vlan(&a);
	need_no_bridge_group(&a);
	return finish_match(&a);
}

struct program program_drop(void)
{
	struct assembler a = { 0 };

	return finish_verdict(&a, TC_ACT_SHOT);
}

struct program program_pass(void)
{
	struct assembler a = { 0 };

	return finish_verdict(&a, TC_ACT_OK);
}

struct program program_bridge_to_guests(void)
{
	struct assembler a = { 0 };

	need_no_vlan(&a);
	need_no_bridge_group(&a);
	return finish_verdict(&a, TC_ACT_OK);
}

/* To NO unless the frame has @len bytes from where the index register points. */
static void need_len(struct assembler *a, uint32_t len, bool from_index)
{
	emit(a, BPF_LD | BPF_W | BPF_LEN, 0, NEXT, NEXT);
	if (from_index)
		emit(a, BPF_ALU | BPF_SUB | BPF_X, 0, NEXT, NEXT);
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

	place(a, PORT);
	need_len(a, AT_NETWORK + 2, true);
	load_indexed(a, BPF_H, AT_NETWORK);
	jump(a, BPF_JEQ, DHCP_SERVER, NO, NEXT);
	jump(a, BPF_JEQ, DHCPV6_SERVER, NO, YES);
}

struct program program_guard(const struct mac *guest, bool serve)
{
	struct assembler a = { 0 };

	need_len(&a, AT_NETWORK, false);
	need_guest(&a, AT_SOURCE, guest, true);
	need_no_vlan(&a); /* leaves the type in the accumulator */
	jump(&a, BPF_JEQ, ETH_P_PAUSE, NO, NEXT);
	jump(&a, BPF_JEQ, ETH_P_PAE, NO, NEXT);
	jump(&a, BPF_JEQ, ETH_P_LLDP, NO, NEXT);
	/* 01:80:c2:00:00:0x: bridges' own; 01:00:0c:cc:cc:cx: Cisco's discovery and trunking */
	load(&a, BPF_H, AT_DESTINATION + 4);
	emit(&a, BPF_ALU | BPF_AND | BPF_K, 0xfff0, NEXT, NEXT);
	emit(&a, BPF_MISC | BPF_TAX, 0, NEXT, NEXT);
	load(&a, BPF_W, AT_DESTINATION);
	jump(&a, BPF_JEQ, 0x0180c200, NEXT, CISCO);
	emit(&a, BPF_MISC | BPF_TXA, 0, NEXT, NEXT);
	jump(&a, BPF_JEQ, 0, NO, ALLOWED);
	place(&a, CISCO);
	jump(&a, BPF_JEQ, 0x01000ccc, NEXT, ALLOWED);
	emit(&a, BPF_MISC | BPF_TXA, 0, NEXT, NEXT);
	jump(&a, BPF_JEQ, 0xccc0, NO, ALLOWED);
	place(&a, ALLOWED);
	if (!serve)
		need_no_server(&a);
	return finish_verdict(&a, (uint32_t)TC_ACT_UNSPEC);
}
