# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How much of the product its tests execute, in a build of its own; included by the Makefile.

COVERAGE := build/coverage
# gcov's own ways with fork() and exec() would clear and write what counters.c shares
COVERAGE_CFLAGS := -O0 -g --coverage -fprofile-update=atomic -fdata-sections \
	$(addprefix -fno-builtin-,fork execl execlp execle execv execvp execve)
COVERAGE_LDFLAGS := -Wl,--wrap=__gcov_exit -Wl,--wrap=drop_to_net_admin \
	-Wl,-T,tests/coverage/counters.ld
COVERAGE_OUTPUTS := basilisk-tap-helper basilisk-tap-report basilisk-tap libbasilisk-tap.so.0 \
	basilisk-tap-preload.so \
	$(notdir $(UNIT))
COVERAGE_HOOKS := $(COVERAGE_OUTPUTS:%=$(COVERAGE)/hooks/%.o)

$(COVERAGE_HOOKS): $(COVERAGE)/hooks/%.o: tests/coverage/counters.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O1 -g $(WARN) -fPIC -D_GNU_SOURCE -DCOUNTERS='"$(CURDIR)/$(COVERAGE)/counters"' \
		-DCOUNTERS_NAME='"$*"' -c -o $@ $<

coverage-build: $(COVERAGE_HOOKS)
	@$(MAKE) --no-print-directory B=$(COVERAGE) CFLAGS='$(COVERAGE_CFLAGS)' HARDEN= \
		LDFLAGS='$(COVERAGE)/hooks/$$(@F).o $(COVERAGE_LDFLAGS)' all unit
	@$(MAKE) --no-print-directory B=$(COVERAGE) $(patsubst $(B)/%,$(COVERAGE)/%,$(TOOLS) $(ROM))

#: make coverage   as root: run all tests, and print which lines and branches they execute
coverage:
	@packaging/deps.sh build demo check
	@$(MAKE) --no-print-directory coverage-build
	@tests/coverage/run

.PHONY: coverage coverage-build
