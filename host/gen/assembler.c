/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* assembler.c: see assembler.h. */
#include "assembler.h"

#include <stdio.h>
#include <stdlib.h>

static void __attribute__((noreturn)) refuse(const char *what)
{
	fprintf(stderr, "program-gen: %s\n", what);
	exit(1);
}

void bpf_emit(struct assembler *a, uint16_t code, uint32_t k)
{
	if (a->program.len == PROGRAM_MAX)
		refuse("a program has more than PROGRAM_MAX instructions");
	a->program.code[a->program.len++] = (struct sock_filter){ .code = code, .k = k };
}

void bpf_load(struct assembler *a, uint16_t size, uint32_t at)
{
	bpf_emit(a, BPF_LD | BPF_ABS | size, at);
}

void bpf_load_indexed(struct assembler *a, uint16_t size, uint32_t at)
{
	bpf_emit(a, BPF_LD | BPF_IND | size, at);
}

void bpf_load_len(struct assembler *a)
{
	bpf_emit(a, BPF_LD | BPF_W | BPF_LEN, 0);
}

void bpf_jump(struct assembler *a, uint16_t test, uint32_t k, uint8_t yes, uint8_t no)
{
	bpf_emit(a, BPF_JMP | BPF_K | test, k);
	a->jump_true[a->program.len - 1] = yes;
	a->jump_false[a->program.len - 1] = no;
}

void bpf_go(struct assembler *a, uint8_t label)
{
	bpf_jump(a, BPF_JGE, 0, label, label);
}

void bpf_jump_patched(struct assembler *a, enum program_patch patch, uint8_t yes, uint8_t no)
{
	bpf_jump(a, BPF_JEQ, 0, yes, no);
	a->program.patch[a->program.len - 1] = patch;
}

void bpf_place(struct assembler *a, uint8_t label)
{
	a->at[label] = a->program.len;
}

static void end(struct assembler *a, uint8_t label, uint32_t value)
{
	bpf_place(a, label);
	bpf_emit(a, BPF_RET | BPF_K, value);
}

/* How far from the instruction @n to where the label is: always forward. */
static uint8_t distance(const struct assembler *a, uint16_t n, uint8_t label)
{
	const int far = a->at[label] - n - 1;

	if (label == NEXT)
		return 0;
	if (far < 0 || far > UINT8_MAX)
		refuse("a jump leads to a label that is not in reach");
	return (uint8_t)far;
}

void bpf_finish(struct assembler *a, uint32_t yes, uint32_t no)
{
	end(a, YES, yes);
	end(a, NO, no);
	for (uint16_t n = 0; n < a->program.len; n++) {
		struct sock_filter *f = &a->program.code[n];

		if (BPF_CLASS(f->code) == BPF_JMP) {
			f->jt = distance(a, n, a->jump_true[n]);
			f->jf = distance(a, n, a->jump_false[n]);
		}
	}
}
