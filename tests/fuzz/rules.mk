# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fuzzing with clang's libFuzzer; included by the Makefile. FUZZ_SECONDS bounds each target.

FUZZ_SECONDS ?= 60
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_FLAGS = -std=gnu11 -O1 -g $(WARN) -Wno-missing-prototypes -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all -DVERSION='"fuzz"' -DPOLICY_DIR='"/etc/basilisk-tap"' -Iproto -Ihelper \
	-I$(B)/gen $(shell $(PKG_CONFIG) --cflags $(HELPER_PKG))
FUZZ_WITH_policy := helper/policy.c helper/text.c
FUZZ_WITH_netlink := helper/nl.c helper/program.c

$(B)/fuzz/%: tests/fuzz/%.c $(wildcard proto/*.[ch] helper/*.[ch]) $(B)/gen/programs.h
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(Q)clang $(FUZZ_FLAGS) -o $@ $< $(FUZZ_WITH_$(patsubst fuzz_%,%,$*)) $(wildcard proto/*.c) \
		$(shell $(PKG_CONFIG) --libs $(HELPER_PKG))

#: make fuzz       fuzz every target for FUZZ_SECONDS (60); corpora in tests/fuzz/corpus
fuzz: $(FUZZ)
	@set -e; for target in $(FUZZ); do \
		name=$${target##*/fuzz_}; mkdir -p $(B)/fuzz/found/$$name tests/fuzz/corpus/$$name; \
		echo "fuzz $$name, $(FUZZ_SECONDS) s"; \
		$$target -max_total_time=$(FUZZ_SECONDS) -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=$(B)/fuzz/crash-$$name- $(B)/fuzz/found/$$name tests/fuzz/corpus/$$name \
			2>&1 | grep -E 'number_of_executed_units|ERROR|SUMMARY|artifact|Test unit' || true; \
		if ls $(B)/fuzz/crash-$$name-* >/dev/null 2>&1; then echo "fuzz $$name: found something"; exit 1; fi; \
	done

.PHONY: fuzz
