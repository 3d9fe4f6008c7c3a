/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * need.h: conditions that several programs of the patch port have. Each goes on where it holds and
 * to NO where it does not; one that knows early may go to YES, and is the last of its program.
 *
 * A load beyond the frame's end makes a program return 0, which is "no match" for a filter but
 * TC_ACT_OK, "let it in", for a verdict: so verdicts check the length before they load.
 */
#ifndef BASILISK_TAP_HOST_GEN_NEED_H
#define BASILISK_TAP_HOST_GEN_NEED_H

#include <stdbool.h>

#include "assembler.h"

/* Where in a frame things are. */
enum { AT_DESTINATION = 0, AT_SOURCE = 6, AT_TYPE = 12, AT_NETWORK = 14 };

/* The address at @at is the one that is patched in. */
void need_mac(struct assembler *a, uint32_t at);

/* The address at @at is (@wanted) or is not a guest's of this host. */
void need_guest(struct assembler *a, uint32_t at, bool wanted);

/* Broadcast or multicast. */
void need_group(struct assembler *a);

/*
 * Not the kernel's own copy of what this host has sent to a group: it comes to the card's ingress
 * without an Ethernet header, and was seen at its egress already.
 */
void need_no_loopback(struct assembler *a);

/* The EtherType in the accumulator is no VLAN tag's. */
void need_no_tag(struct assembler *a);

/* No VLAN tag in the metadata or in band; leaves the EtherType in the accumulator. */
void need_no_vlan(struct assembler *a);

/* Not to 01:80:c2:00:00:0x, which bridges keep to themselves (IEEE 802.1Q, 8.6.3). The last one. */
void need_no_bridge_group(struct assembler *a);

/*
 * Of at most FRAME_MAX bytes. The holder of a TAP may attach to it again with IFF_VNET_HDR and put
 * frames together of any size; the length is then that of the whole, and some cards hang on such.
 */
void need_ethernet_length(struct assembler *a);

/* The frame has @len bytes, or that many from where the index register points. */
void need_len(struct assembler *a, uint32_t len, bool from_index);

#endif
