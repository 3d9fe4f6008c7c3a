/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.c: see guard.h. Sources: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 1042 (802.2 and SNAP), RFC
 * 2131 and RFC 8415 (DHCP), RFC 4861 (router advertisements).
 */
#include "guard.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "need.h"

enum { DHCP_SERVER = 67, DHCP_CLIENT = 68, DHCPV6_CLIENT = 546, DHCPV6_SERVER = 547 };
enum { ROUTER_ADVERTISEMENT = 134, BOOTP_REPLY = 2, DHCPV6_RELAY_REPLY = 13 };
/* 802.2's header with SNAP's: AA AA 03, two kinds of organization, and an EtherType */
enum { AT_ORGANIZATION = 18, AT_SNAP_TYPE = 20, SNAP_END = 22 };
enum { SNAP = 0xaaaa0300, ENCAPSULATED = 0, TUNNELLED = 0xf8 };
#ifndef ETH_P_LLDP
#define ETH_P_LLDP 0x88cc /* since Linux 5.15's headers */
#endif

/* Places in the program, in their order. */
enum { INSIDE = OWN, KIND, GROUPS, CISCO, ALLOWED, IPV6, EXTENSION, FRAGMENT, UPPER, PORT, RELAY };

static void set_index(struct assembler *a, uint32_t value)
{
	bpf_emit(a, BPF_LDX | BPF_IMM, value);
}

/* To NO where the next header in the accumulator is a (further) extension header. */
static void need_no_extension(struct assembler *a)
{
	bpf_jump(a, BPF_JEQ, IPPROTO_HOPOPTS, NO, NEXT);
	bpf_jump(a, BPF_JEQ, IPPROTO_ROUTING, NO, NEXT);
	bpf_jump(a, BPF_JEQ, IPPROTO_DSTOPTS, NO, NEXT);
	bpf_jump(a, BPF_JEQ, IPPROTO_FRAGMENT, NO, NEXT);
}

/*
 * From here to UPPER with the upper layer's protocol in the accumulator, and in the index register
 * the length of all headers between Ethernet's and its own; to YES where there is none. IPv6 may
 * put one extension header before it; a second one nobody needs, and it is dropped rather than
 * followed.
 */
static void find_upper(struct assembler *a)
{
	/* IPv4: of a datagram in pieces only the first has the ports */
	bpf_load(a, BPF_H, AT_TYPE);
	bpf_jump(a, BPF_JEQ, ETH_P_IP, NEXT, IPV6);
	need_len(a, AT_NETWORK + 20, false);
	bpf_load(a, BPF_H, AT_NETWORK + 6);
	bpf_jump(a, BPF_JSET, 0x1fff, YES, NEXT);
	bpf_emit(a, BPF_LDX | BPF_MSH | BPF_B, AT_NETWORK);
	bpf_load(a, BPF_B, AT_NETWORK + 9);
	bpf_go(a, UPPER);

	/* IPv6: header, 40 bytes, and 8 of whatever it carries */
	bpf_place(a, IPV6);
	bpf_jump(a, BPF_JEQ, ETH_P_IPV6, NEXT, YES);
	need_len(a, AT_NETWORK + 48, false);
	set_index(a, 40);
	bpf_load(a, BPF_B, AT_NETWORK + 6);
	bpf_jump(a, BPF_JEQ, IPPROTO_FRAGMENT, FRAGMENT, NEXT);
	bpf_jump(a, BPF_JEQ, IPPROTO_HOPOPTS, EXTENSION, NEXT);
	bpf_jump(a, BPF_JEQ, IPPROTO_ROUTING, EXTENSION, NEXT);
	bpf_jump(a, BPF_JEQ, IPPROTO_DSTOPTS, EXTENSION, UPPER);

	bpf_place(a, EXTENSION);
	bpf_load(a, BPF_B, AT_NETWORK + 41);
	bpf_emit(a, BPF_ALU | BPF_LSH | BPF_K, 3);
	/* NOLINTNEXTLINE(misc-redundant-expression): two names of 0 */
	bpf_emit(a, BPF_ALU | BPF_ADD | BPF_K, 48);
	bpf_emit(a, BPF_MISC | BPF_TAX, 0);
	bpf_load(a, BPF_B, AT_NETWORK + 40);
	need_no_extension(a);
	bpf_go(a, UPPER);

	bpf_place(a, FRAGMENT);
	bpf_load(a, BPF_H, AT_NETWORK + 42);
	bpf_jump(a, BPF_JSET, 0xfff8, YES, NEXT);
	set_index(a, 48);
	bpf_load(a, BPF_B, AT_NETWORK + 40);
	need_no_extension(a);
	bpf_place(a, UPPER);
}

/* To NO for servers that would answer in place of the LAN's own: DHCP and router advertisement. */
static void need_no_server(struct assembler *a)
{
	find_upper(a);
	bpf_jump(a, BPF_JEQ, IPPROTO_UDP, PORT, NEXT);
	bpf_jump(a, BPF_JEQ, IPPROTO_ICMPV6, NEXT, YES);
	need_len(a, AT_NETWORK + 1, true);
	bpf_load_indexed(a, BPF_B, AT_NETWORK);
	bpf_jump(a, BPF_JEQ, ROUTER_ADVERTISEMENT, NO, YES);

	/* a client takes an answer to its port, from wherever */
	bpf_place(a, PORT);
	need_len(a, AT_NETWORK + 4, true);
	bpf_load_indexed(a, BPF_H, AT_NETWORK);
	bpf_jump(a, BPF_JEQ, DHCP_SERVER, NO, NEXT);
	bpf_jump(a, BPF_JEQ, DHCPV6_SERVER, NO, NEXT);
	bpf_load_indexed(a, BPF_H, AT_NETWORK + 2);
	bpf_jump(a, BPF_JEQ, DHCP_CLIENT, NO, NEXT);
	bpf_jump(a, BPF_JEQ, DHCPV6_CLIENT, NO, NEXT);
	bpf_jump(a, BPF_JEQ, DHCP_SERVER, RELAY, NEXT);
	bpf_jump(a, BPF_JEQ, DHCPV6_SERVER, RELAY, YES);

	/* and a relay, who listens where servers do, passes answers on to clients anywhere */
	bpf_place(a, RELAY);
	need_len(a, AT_NETWORK + 9, true);
	bpf_load_indexed(a, BPF_B, AT_NETWORK + 8);
	bpf_jump(a, BPF_JEQ, BOOTP_REPLY, NO, NEXT);
	bpf_jump(a, BPF_JEQ, DHCPV6_RELAY_REPLY, NO, YES);
}

/*
 * 802.3 with SNAP can carry any EtherType, and on the air of an access point, which sends all
 * frames so, it cannot be told from the plain form. From here to KIND with the type in the
 * accumulator, whichever form it has, or to GROUPS where there is none. What need_no_server()
 * looks into has to be plain.
 */
static void find_kind(struct assembler *a, bool serving)
{
	bpf_jump(a, BPF_JGE, ETH_P_802_3_MIN, KIND, NEXT);
	bpf_load_len(a);
	bpf_jump(a, BPF_JGE, SNAP_END, NEXT, GROUPS);
	bpf_load(a, BPF_W, AT_NETWORK);
	bpf_jump(a, BPF_JEQ, SNAP, NEXT, GROUPS);
	bpf_load(a, BPF_H, AT_ORGANIZATION);
	bpf_jump(a, BPF_JEQ, ENCAPSULATED, INSIDE, NEXT);
	bpf_jump(a, BPF_JEQ, TUNNELLED, NEXT, GROUPS);
	bpf_place(a, INSIDE);
	bpf_load(a, BPF_H, AT_SNAP_TYPE);
	bpf_jump(a, BPF_JGE, ETH_P_802_3_MIN, NEXT, NO); /* one in another */
	need_no_tag(a);
	if (!serving) {
		bpf_jump(a, BPF_JEQ, ETH_P_IP, NO, NEXT);
		bpf_jump(a, BPF_JEQ, ETH_P_IPV6, NO, NEXT);
	}
	bpf_place(a, KIND);
}

void guard(struct assembler *a, bool serving)
{
	need_len(a, AT_NETWORK, false);
	need_ethernet_length(a);
	need_guest(a, AT_SOURCE, true);
	need_no_vlan(a); /* leaves the type in the accumulator */
	find_kind(a, serving);
	bpf_jump(a, BPF_JEQ, ETH_P_PAUSE, NO, NEXT);
	bpf_jump(a, BPF_JEQ, ETH_P_PAE, NO, NEXT);
	bpf_jump(a, BPF_JEQ, ETH_P_LLDP, NO, NEXT);
	/* 01:80:c2:00:00:0x: bridges' own; 01:00:0c:cc:cc:cx: Cisco's discovery and trunking */
	bpf_place(a, GROUPS);
	bpf_load(a, BPF_H, AT_DESTINATION + 4);
	bpf_emit(a, BPF_ALU | BPF_AND | BPF_K, 0xfff0);
	bpf_emit(a, BPF_MISC | BPF_TAX, 0);
	bpf_load(a, BPF_W, AT_DESTINATION);
	bpf_jump(a, BPF_JEQ, 0x0180c200, NEXT, CISCO);
	bpf_emit(a, BPF_MISC | BPF_TXA, 0);
	bpf_jump(a, BPF_JEQ, 0, NO, ALLOWED);
	bpf_place(a, CISCO);
	bpf_jump(a, BPF_JEQ, 0x01000ccc, NEXT, ALLOWED);
	bpf_emit(a, BPF_MISC | BPF_TXA, 0);
	bpf_jump(a, BPF_JEQ, 0xccc0, NO, ALLOWED);
	bpf_place(a, ALLOWED);
	if (!serving)
		need_no_server(a);
}
