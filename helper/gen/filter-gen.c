/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter-gen.c: runs at build time: makes the helper's seccomp program with libseccomp from the
 * rules that syscalls.sh collected, and prints it as C. Nothing of it is in the helper.
 */
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "early.h"

static const struct {
	int call;
	long fd;
	long request;
} rules[] = {
#define RULE(name, fd, request) { SCMP_SYS(name), fd, request },
#include "syscalls.h"
#undef RULE
};

static int add_rules(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct scmp_arg_cmp compare[2];
		unsigned int n = 0;
		int err;

		/* the kernel looks at the low 32 bits alone, so the filter must too */
		if (rules[i].fd >= 0)
			compare[n++] =
				SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, (scmp_datum_t)rules[i].fd);
		if (rules[i].request >= 0)
			compare[n++] = SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu,
					       (scmp_datum_t)rules[i].request);
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, n, compare);
		if (err)
			return err;
	}
	return 0;
}

int main(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	FILE *program = tmpfile();
	struct sock_filter f;

	if (!filter || !program ||
	    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) ||
	    add_rules(filter) || seccomp_export_bpf(filter, fileno(program)) ||
	    lseek(fileno(program), 0, SEEK_SET) != 0) {
		fprintf(stderr, "filter-gen: libseccomp refused the rules\n");
		return 1;
	}
	printf("/* made by helper/gen/filter-gen.c */\n"
	       "static const struct sock_filter filter_program[] = {\n");
	while (read(fileno(program), &f, sizeof(f)) == sizeof(f))
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", f.code, f.jt, f.jf, f.k);
	printf("};\n");
	seccomp_release(filter);
	return fflush(stdout) != 0;
}
