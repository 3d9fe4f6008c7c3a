# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tests and the demo need beside the product; included by the Makefile.

ROM := $(B)/tests/netrom.rom

$(ROM): tests/rom/mkrom.py $(wildcard tests/rom/*.s)
	@mkdir -p $(@D)
	$(say) ROM $@
	$(Q)python3 $< $@.new tests/rom/netrom.s && mv $@.new $@

# Unit tests of the command's own parts: linked with all of it but its main().
CLI_TESTS := $(B)/tests/test_appletalk $(B)/tests/test_doctor
CLI_PARTS := $(filter-out $(B)/shim/cli/main.o,$(CLI))

$(CLI_TESTS:$(B)/tests/%=$(B)/tests/unit/%.o): ALL_CFLAGS += -Ishim/cli
$(CLI_TESTS): $(B)/tests/%: $(B)/tests/unit/%.o $(CLI_PARTS) $(B)/libbasilisk-tap.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs check) $(LIB_LIBS)

# Programs that tests use: one for each tests/tools/*.c.
TOOLS := $(patsubst %.c,$(B)/%,$(wildcard tests/tools/*.c))

$(TOOLS): $(B)/%: %.c $(wildcard tests/tools/*.h) Makefile
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(WARN) -D_GNU_SOURCE -o $@ $<

# Packages come before anything is built, so these two build in a make of their own.
#: make check      as root: install what the tests need, build, run all tests
check:
	@packaging/deps.sh build demo check
	@$(MAKE) --no-print-directory all unit $(TOOLS) $(ROM)
	@tests/run

#: make demo       as root: install what it needs, build, and show the main job as a story
demo:
	@packaging/deps.sh build demo
	@$(MAKE) --no-print-directory all $(ROM)
	@tests/demo

#: make lint       as root: install what it needs, and read the tree with analyzers and spell checker
lint:
	@packaging/deps.sh build check lint
	@tests/lint/run

#: make bench      as root: measure, beside the plain things and other networks; BENCH_SECONDS=180
bench:
	@packaging/deps.sh build check bench
	@$(MAKE) --no-print-directory all
	@tests/bench/run

#: make check-clean    as root: both of the above, as a newcomer has them, in a fresh Debian
check-clean:
	@packaging/deps.sh root
	@tests/clean/run

#: make check-vm   as root: what needs Debian's own kernel, or a systemd that has booted, in QEMU
check-vm:
	@packaging/deps.sh build vm
	@$(MAKE) --no-print-directory all $(TOOLS)
	@tests/vm/make-image $(B)/vm
	@tests/vm/run

SOAK_SECONDS ?= 900
#: make soak       as root: guests come and are killed for SOAK_SECONDS (900); nothing must be left
soak:
	@packaging/deps.sh build demo check
	@$(MAKE) --no-print-directory all $(ROM)
	@tests/soak/run $(SOAK_SECONDS)

.PHONY: check check-clean check-vm demo lint bench soak
