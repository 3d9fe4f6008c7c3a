/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* need.c: see need.h. */
#include "need.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "frame.h"

void need_mac(struct assembler *a, uint32_t at)
{
	bpf_load(a, BPF_W, at);
	bpf_jump_patched(a, PATCH_MAC_HIGH, NEXT, NO);
	bpf_load(a, BPF_H, at + 4);
	bpf_jump_patched(a, PATCH_MAC_LOW, NEXT, NO);
}

void need_guest(struct assembler *a, uint32_t at, bool wanted)
{
	bpf_load(a, BPF_W, at);
	bpf_jump_patched(a, PATCH_MAC_HIGH, wanted ? NEXT : NO, wanted ? NO : NEXT);
}

void need_group(struct assembler *a)
{
	bpf_load(a, BPF_B, AT_DESTINATION);
	bpf_jump(a, BPF_JSET, 1, NEXT, NO);
}

void need_no_loopback(struct assembler *a)
{
	bpf_load(a, BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	bpf_jump(a, BPF_JEQ, PACKET_LOOPBACK, NO, NEXT);
}

void need_no_tag(struct assembler *a)
{
	bpf_jump(a, BPF_JEQ, ETH_P_8021Q, NO, NEXT);
	bpf_jump(a, BPF_JEQ, ETH_P_8021AD, NO, NEXT);
	bpf_jump(a, BPF_JEQ, ETH_P_QINQ1, NO, NEXT);
}

void need_no_vlan(struct assembler *a)
{
	bpf_load(a, BPF_B, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT));
	bpf_jump(a, BPF_JEQ, 0, NEXT, NO);
	bpf_load(a, BPF_H, AT_TYPE);
	need_no_tag(a);
}

void need_no_bridge_group(struct assembler *a)
{
	bpf_load(a, BPF_W, AT_DESTINATION);
	bpf_jump(a, BPF_JEQ, 0x0180c200, NEXT, YES);
	bpf_load(a, BPF_H, AT_DESTINATION + 4);
	bpf_jump(a, BPF_JGE, 0x10, YES, NO);
}

void need_ethernet_length(struct assembler *a)
{
	bpf_load_len(a);
	bpf_jump(a, BPF_JGT, FRAME_MAX, NO, NEXT);
}

void need_len(struct assembler *a, uint32_t len, bool from_index)
{
	bpf_load_len(a);
	if (from_index) {
		bpf_jump(a, BPF_JGE | BPF_X, 0, NEXT, NO); /* or the difference wraps */
		bpf_emit(a, BPF_ALU | BPF_SUB | BPF_X, 0);
	}
	bpf_jump(a, BPF_JGE, len, NEXT, NO);
}
