/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * siphash.h: SipHash-2-4, a keyed hash of short messages.
 *
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF" (2012).
 */
#ifndef BASILISK_TAP_PROTO_SIPHASH_H
#define BASILISK_TAP_PROTO_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* A 128-bit key: the paper's k0 and k1. */
struct siphash_key {
	uint64_t k0;
	uint64_t k1;
};

/* The 64-bit hash of @len bytes at @data. Never fails. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t len);

#endif
