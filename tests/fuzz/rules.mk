# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fuzzing with clang's libFuzzer; included by the Makefile. Each tests/fuzz/fuzz_NAME.c becomes a
# program of that target and the project's own sources, all built with the fuzzer's instruments.
# A target that includes a source, to reach what is static in there, takes its place in the archive.

FUZZ_SECONDS ?= 60
FUZZ_RUNS ?= -1
FUZZ_NAMES ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
# smaller tables than the product's, so that a short input fills them
FUZZ_CFLAGS := -std=gnu11 -O2 -g $(WARN) -Wno-missing-prototypes -D_GNU_SOURCE -MMD -MP \
	-DVERSION='"fuzz"' -DPOLICY_DIR='"/etc/basilisk-tap"' -DHELPER_PATH='""' -DREPORT_PATH='""' \
	-DPRELOAD_PATH='""' \
	-DPEERS_MAX=8 -DPEERS_UNPROVEN=4 -DPEERS_BY_ADDRESS=2 \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-Iproto -I$(B)/gen -Itests/fuzz
FUZZ_OBJ = $(patsubst %.c,$(B)/fuzz/%.o,$(1))
FUZZ_PROTO := $(call FUZZ_OBJ,$(wildcard proto/*.c))
FUZZ_HELPER := $(call FUZZ_OBJ,$(filter-out %/main.c,$(wildcard host/*.c helper/*.c report/*.c)))
FUZZ_SHIM := $(call FUZZ_OBJ,$(wildcard shim/lib/*.c) $(filter-out shim/cli/main.c,$(wildcard shim/cli/*.c)))
# helper/ and shim/ do not know each other, and neither do their targets
FUZZ_OF_HELPER := policy request netlink

$(B)/fuzz/host/%.o $(B)/fuzz/helper/%.o $(B)/fuzz/report/%.o $(FUZZ_OF_HELPER:%=$(B)/fuzz/tests/fuzz/fuzz_%.o): \
	FUZZ_CFLAGS += -Ihost -Ihelper -Ireport \
	$(shell $(PKG_CONFIG) --cflags $(HELPER_PKG))
$(B)/fuzz/shim/%.o $(B)/fuzz/tests/%.o: FUZZ_CFLAGS += -Ishim/lib -Ishim/cli \
	$(shell $(PKG_CONFIG) --cflags $(LIB_PKG))
$(B)/fuzz/%.o: %.c tests/fuzz/rules.mk $(B)/gen/programs.h $(B)/gen/filter-program.h
	@mkdir -p $(@D)
	$(say) FUZZ $<
	$(Q)clang $(FUZZ_CFLAGS) -c -o $@ $<
$(B)/fuzz/helper.a: $(FUZZ_HELPER) $(FUZZ_PROTO)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(B)/fuzz/shim.a: $(FUZZ_SHIM) $(FUZZ_PROTO)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

fuzz_link = clang -fsanitize=fuzzer,address,undefined -o $@ $^ \
	$(shell $(PKG_CONFIG) --libs $(HELPER_PKG)) $(LIB_LIBS)
$(FUZZ_OF_HELPER:%=$(B)/fuzz/fuzz_%): $(B)/fuzz/fuzz_%: $(B)/fuzz/tests/fuzz/fuzz_%.o $(B)/fuzz/helper.a
	$(say) LD $@
	$(Q)$(fuzz_link)
$(B)/fuzz/fuzz_%: $(B)/fuzz/tests/fuzz/fuzz_%.o $(B)/fuzz/shim.a
	$(say) LD $@
	$(Q)$(fuzz_link)

#: make fuzz       fuzz every target for FUZZ_SECONDS (60) and print figures; FUZZ_NAMES for some
fuzz: $(FUZZ_NAMES:%=$(B)/fuzz/fuzz_%)
	@tests/fuzz/run $(B)/fuzz $(FUZZ_SECONDS) $(FUZZ_RUNS) $(FUZZ_NAMES)

# No search: each target sees its corpus once. Part of .ci/run.
#: make fuzz-corpora   let every target see its committed corpus
fuzz-corpora: $(FUZZ_NAMES:%=$(B)/fuzz/fuzz_%)
	@tests/fuzz/run $(B)/fuzz 0 0 $(FUZZ_NAMES)

.PHONY: fuzz fuzz-corpora
-include $(patsubst %.o,%.d,$(FUZZ_PROTO) $(FUZZ_HELPER) $(FUZZ_SHIM) \
	$(FUZZ_NAMES:%=$(B)/fuzz/tests/fuzz/fuzz_%.o))
