/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * assembler.h: puts a program of classic BPF together, with labels for the places that it jumps
 * to. Runs at build time only; a program that cannot be right ends the build.
 */
#ifndef BASILISK_TAP_HOST_GEN_ASSEMBLER_H
#define BASILISK_TAP_HOST_GEN_ASSEMBLER_H

#include <stdint.h>

#include "program.h"

/* NEXT is the following instruction, YES and NO are the two ends; OWN is a program's first own. */
enum { NEXT, YES, NO, OWN, LABELS = OWN + 12 };

/* Begins zeroed; is the program's once bpf_finish() was called. */
struct assembler {
	struct program program;
	uint8_t jump_true[PROGRAM_MAX];
	uint8_t jump_false[PROGRAM_MAX];
	uint16_t at[LABELS];
};

void bpf_emit(struct assembler *a, uint16_t code, uint32_t k);
void bpf_load(struct assembler *a, uint16_t size, uint32_t at);
void bpf_load_indexed(struct assembler *a, uint16_t size, uint32_t at);
void bpf_load_len(struct assembler *a);

void bpf_jump(struct assembler *a, uint16_t test, uint32_t k, uint8_t yes, uint8_t no);
void bpf_go(struct assembler *a, uint8_t label);

/* A comparison with four or two bytes of the guest's address, which are known at run time. */
void bpf_jump_patched(struct assembler *a, enum program_patch patch, uint8_t yes, uint8_t no);

/* The label's place is before the instruction that comes next. */
void bpf_place(struct assembler *a, uint8_t label);

/* What YES and NO answer; and each jump is told how far it goes. */
void bpf_finish(struct assembler *a, uint32_t yes, uint32_t no);

#endif
