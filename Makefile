# SPDX-License-Identifier: LGPL-2.1-or-later
#
# basilisk-tap. `make help` prints the targets.

VERSION := 0.1.0
prefix ?= /usr/local
sysconfdir ?= /etc
libdir ?= $(prefix)/lib
mandir ?= $(prefix)/share/man
unitdir ?= $(prefix)/lib/systemd/system
completiondir ?= $(prefix)/share/bash-completion/completions
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
libexecdir ?= $(prefix)/lib/basilisk-tap
helper_path = $(libexecdir)/basilisk-tap-helper
preload_path = $(libexecdir)/basilisk-tap-preload.so
# the helper executes it to tell of itself: a fixed path, which nobody but root may write
report_path = $(libexecdir)/basilisk-tap-report

CC ?= cc
PKG_CONFIG ?= pkg-config
INSTALL ?= install
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
# the address space is randomised, the stack and heap are checked, relocations are read-only
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
HARDEN_LD := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed
ifneq ($(shell uname -m),x86_64)
HARDEN := $(filter-out -fcf-protection,$(HARDEN))
endif
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(HARDEN) -fPIC -fvisibility=hidden -ffunction-sections \
	-MMD -MP -Iproto \
	-DVERSION='"$(VERSION)"' -DPOLICY_DIR='"$(sysconfdir)/basilisk-tap"' -D_GNU_SOURCE
B := build
# V=1 shows the commands
Q = $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-6s %s\n')

all: $(B)/basilisk-tap-helper $(B)/basilisk-tap-report $(B)/basilisk-tap $(B)/libbasilisk-tap.so.0 \
	$(B)/basilisk-tap-preload.so

PROTO := $(patsubst %.c,$(B)/%.o,$(wildcard proto/*.c))
HOST := $(patsubst %.c,$(B)/%.o,$(wildcard host/*.c))
HELPER := $(patsubst %.c,$(B)/%.o,$(wildcard helper/*.c))
REPORT := $(patsubst %.c,$(B)/%.o,$(wildcard report/*.c))
LIB := $(patsubst %.c,$(B)/%.o,$(wildcard shim/lib/*.c))
PRELOAD := $(patsubst %.c,$(B)/%.o,$(wildcard shim/preload/*.c))
CLI := $(patsubst %.c,$(B)/%.o,$(wildcard shim/cli/*.c))

HELPER_PKG := libcap-ng libmnl
LIB_PKG := avahi-core avahi-client
# Avahi is loaded at run time, by discovery_client.c or discovery_core.c: only its headers are used.
LIB_LIBS = -ldl -pthread

# The preload library is unwound through when the emulator cancels a thread inside poll().
$(B)/shim/%.o: ALL_CFLAGS += -fexceptions -funwind-tables -pthread \
	-DHELPER_PATH='"$(helper_path)"' -DPRELOAD_PATH='"$(preload_path)"' \
	$(shell $(PKG_CONFIG) --cflags $(LIB_PKG))
$(B)/shim/preload/%.o $(B)/shim/cli/%.o: ALL_CFLAGS += -Ishim/lib
$(B)/host/%.o: ALL_CFLAGS += -fPIE -I$(B)/gen \
	$(shell $(PKG_CONFIG) --cflags libmnl)
$(B)/report/%.o: ALL_CFLAGS += -fPIE -Ihost $(shell $(PKG_CONFIG) --cflags libmnl)
$(B)/helper/%.o: ALL_CFLAGS += -fPIE -DREPORT_PATH='"$(report_path)"' -Ihost -I$(B)/gen \
	$(shell $(PKG_CONFIG) --cflags $(HELPER_PKG))

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(B)/proto.a: $(PROTO)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(B)/host.a: $(HOST)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# a privileged program has in it what it uses, and no function more
$(B)/basilisk-tap-helper: $(HELPER) $(B)/host.a $(B)/proto.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -pie $(HARDEN_LD) -Wl,--gc-sections $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(HELPER_PKG))

$(B)/basilisk-tap-report: $(REPORT) $(B)/host.a $(B)/proto.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -pie $(HARDEN_LD) -Wl,--gc-sections $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs libmnl)

# The filter of system calls is made at build time, from the comments beside the calls.
$(B)/filter-gen: helper/gen/filter-gen.c $(B)/gen/syscalls.h
	$(say) LD $@
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(WARN) -D_GNU_SOURCE -Iproto -Ihost -Ihelper -I$(B)/gen -o $@ $< \
		$(shell $(PKG_CONFIG) --cflags --libs libseccomp)
$(B)/gen/syscalls.h: helper/gen/syscalls.sh $(wildcard helper/*.c host/*.c) $(ALSO_CALLS)
	@mkdir -p $(@D)
	$(Q)sh helper/gen/syscalls.sh helper/*.c host/*.c $(ALSO_CALLS) > $@.new && mv $@.new $@
$(B)/gen/filter-program.h: $(B)/filter-gen
	$(Q)$(B)/filter-gen > $@.new && mv $@.new $@
$(B)/helper/filter.o: $(B)/gen/filter-program.h

# So are the programs of the patch port.
PROGRAM_GEN := $(patsubst %.c,$(B)/%.o,$(wildcard host/gen/*.c))
$(PROGRAM_GEN): ALL_CFLAGS += -Ihost
$(B)/program-gen: $(PROGRAM_GEN)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -pie -o $@ $^
$(B)/gen/programs.h: $(B)/program-gen
	@mkdir -p $(@D)
	$(Q)$(B)/program-gen > $@.new && mv $@.new $@
$(B)/host/program.o: $(B)/gen/programs.h

$(B)/libbasilisk-tap.a: $(LIB) $(PROTO)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(B)/libbasilisk-tap.so.0: $(LIB) $(B)/proto.a shim/lib/basilisk-tap.map
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -shared $(HARDEN_LD) $(LDFLAGS) -Wl,-z,nodelete \
		-Wl,-soname,libbasilisk-tap.so.0 \
		-Wl,--version-script=shim/lib/basilisk-tap.map -o $@ $(LIB) $(B)/proto.a $(LIB_LIBS)
$(B)/basilisk-tap-preload.so: $(PRELOAD) $(B)/libbasilisk-tap.a shim/preload/preload.map
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -shared $(HARDEN_LD) $(LDFLAGS) -Wl,--version-script=shim/preload/preload.map \
		-o $@ $(PRELOAD) $(B)/libbasilisk-tap.a $(LIB_LIBS)
$(B)/basilisk-tap: $(CLI) $(B)/libbasilisk-tap.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -pie $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# One program for each tests/unit/test_*.c; host/ for test_host_*, the helper's objects too, but its
# main(), for test_helper_*, the report's for test_report_*.
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
unit: $(UNIT)
$(B)/tests/unit/%.o: ALL_CFLAGS += -Ishim/lib -Ihost -Ihelper -Ireport -I$(B)/gen -pthread \
	$(shell $(PKG_CONFIG) --cflags check $(LIB_PKG) $(HELPER_PKG))
$(B)/tests/test_helper_%: $(B)/tests/unit/test_helper_%.o $(filter-out $(B)/helper/main.o,$(HELPER)) \
		$(HOST) $(PROTO)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs check $(HELPER_PKG)) -pthread
$(B)/tests/test_report_%: $(B)/tests/unit/test_report_%.o $(filter-out $(B)/report/main.o,$(REPORT)) \
		$(HOST) $(PROTO)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs check libmnl) -pthread
$(B)/tests/test_host_%: $(B)/tests/unit/test_host_%.o $(HOST) $(PROTO)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs check libmnl) -pthread
$(B)/tests/test_%: $(B)/tests/unit/test_%.o $(B)/libbasilisk-tap.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs check) $(LIB_LIBS)
.SECONDARY:

-include tests/rules.mk tests/coverage/rules.mk tests/sanitize/rules.mk tests/fuzz/rules.mk packaging/rules.mk

clean:
	rm -rf $(B)

help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)
#: make            build everything into build/
#: make install    install under $(DESTDIR)$(prefix); the policy under $(DESTDIR)$(sysconfdir)
#: make uninstall  remove what install put there, but the policy
#: make clean      remove build/
#: make help       this list

install: all
	$(INSTALL) -d "$(DESTDIR)$(prefix)/bin" "$(DESTDIR)$(libdir)" "$(DESTDIR)$(libexecdir)" \
		"$(DESTDIR)$(prefix)/include" "$(DESTDIR)$(sysconfdir)/basilisk-tap"
	$(INSTALL) -m 4755 $(B)/basilisk-tap-helper "$(DESTDIR)$(libexecdir)/basilisk-tap-helper"
	$(INSTALL) -m 755 $(B)/basilisk-tap-report "$(DESTDIR)$(report_path)"
	$(INSTALL) -m 755 $(B)/basilisk-tap "$(DESTDIR)$(prefix)/bin/basilisk-tap"
	$(INSTALL) -m 644 $(B)/basilisk-tap-preload.so "$(DESTDIR)$(libexecdir)/basilisk-tap-preload.so"
	$(INSTALL) -m 644 $(B)/libbasilisk-tap.so.0 "$(DESTDIR)$(libdir)/libbasilisk-tap.so.0"
	ln -sf libbasilisk-tap.so.0 "$(DESTDIR)$(libdir)/libbasilisk-tap.so"
	$(INSTALL) -m 644 shim/lib/basilisk-tap.h "$(DESTDIR)$(prefix)/include/basilisk-tap.h"
	for page in man/*.[1-8]; do \
		$(INSTALL) -D -m 644 "$$page" \
			"$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}" || exit 1; \
	done
	$(INSTALL) -d "$(DESTDIR)$(libdir)/pkgconfig"
	$(fill_in) packaging/libbasilisk-tap.pc.in > "$(DESTDIR)$(libdir)/pkgconfig/libbasilisk-tap.pc"
	$(INSTALL) -d "$(DESTDIR)$(prefix)/sbin" "$(DESTDIR)$(unitdir)"
	ln -sf "$(libexecdir)/basilisk-tap-helper" "$(DESTDIR)$(prefix)/sbin/basilisk-tap-helper"
	for unit in basilisk-tap.socket basilisk-tap@.service; do \
		$(fill_in) "packaging/systemd/$$unit" \
			> "$(DESTDIR)$(unitdir)/$$unit" || exit 1; \
	done
	$(INSTALL) -D -m 644 packaging/tmpfiles.conf "$(DESTDIR)$(tmpfilesdir)/basilisk-tap.conf"
	for name in basilisk-tap basilisk-tap-helper; do \
		$(INSTALL) -D -m 644 packaging/bash-completion \
			"$(DESTDIR)$(completiondir)/$$name" || exit 1; \
	done
	test -e "$(DESTDIR)$(sysconfdir)/basilisk-tap/helper.conf" || $(INSTALL) -m 644 \
		packaging/helper.conf "$(DESTDIR)$(sysconfdir)/basilisk-tap/helper.conf"

# The policy stays: it is the administrator's.
uninstall:
	rm -f "$(DESTDIR)$(prefix)/bin/basilisk-tap" "$(DESTDIR)$(prefix)/sbin/basilisk-tap-helper" \
		"$(DESTDIR)$(libdir)/libbasilisk-tap.so" "$(DESTDIR)$(libdir)/libbasilisk-tap.so.0" \
		"$(DESTDIR)$(prefix)/include/basilisk-tap.h" \
		"$(DESTDIR)$(libdir)/pkgconfig/libbasilisk-tap.pc" \
		"$(DESTDIR)$(unitdir)/basilisk-tap.socket" \
		"$(DESTDIR)$(unitdir)/basilisk-tap@.service" \
		"$(DESTDIR)$(tmpfilesdir)/basilisk-tap.conf" "$(DESTDIR)$(completiondir)/basilisk-tap" \
		"$(DESTDIR)$(completiondir)/basilisk-tap-helper"
	for page in man/*.[1-8]; do \
		rm -f "$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}" || exit 1; \
	done
	rm -rf "$(DESTDIR)$(libexecdir)"

.PHONY: all unit clean help install uninstall
.DELETE_ON_ERROR:
-include $(patsubst %.o,%.d,$(PROTO) $(HOST) $(PROGRAM_GEN) $(HELPER) $(REPORT) $(LIB) $(PRELOAD) $(CLI)) \
	$(patsubst tests/%.c,$(B)/tests/%.d,$(wildcard tests/unit/*.c))
