# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The tests again, with the product built to watch itself; included by the Makefile.

SANITIZE_CFLAGS := -O1 -g -fno-omit-frame-pointer
ASAN_CFLAGS := $(SANITIZE_CFLAGS) -fsanitize=address,undefined -fno-sanitize-recover=all
# without a library of the sanitizer's: what is undefined ends the program
UBSAN_CFLAGS := $(SANITIZE_CFLAGS) -fsanitize=undefined -fsanitize-undefined-trap-on-error
TSAN_CFLAGS := $(SANITIZE_CFLAGS) -fsanitize=thread

# in $(1) with the flags $(2) and what else make is told, $(3)
sanitized = $(MAKE) --no-print-directory B=build/$(1) CFLAGS='$(2)' HARDEN= $(3) all unit && \
	$(MAKE) --no-print-directory B=build/$(1) $(patsubst $(B)/%,build/$(1)/%,$(TOOLS) $(ROM))

build/asan/options.o build/tsan/calls.o:
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O1 -D_GNU_SOURCE $(WARN) -fPIC $(hidden) -c -o $@ $<
build/asan/options.o: tests/sanitize/options.c
build/tsan/calls.o: tests/sanitize/calls.c
build/tsan/calls.o: hidden := -fvisibility=hidden # others' calls are not for it
build/asan/early.so: tests/sanitize/early.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O1 $(WARN) -fPIC -shared -Wl,-z,initfirst -o $@ $<
# its children share our memory, and are our thread to ThreadSanitizer; they never return
build/tsan/shim/lib/helper_client.o: ALL_CFLAGS += -fno-sanitize=thread
# an emulator cancels a thread in there: AddressSanitizer takes what is unwound for poisoned still
build/asan/shim/lib/wait.o: ALL_CFLAGS += -fno-sanitize=address

#: make check-asan     as root: all tests under AddressSanitizer and UBSan; some under the latter alone
check-asan: build/asan/options.o build/asan/early.so
	@packaging/deps.sh build demo check
	@$(call sanitized,asan,$(ASAN_CFLAGS),LDFLAGS=build/asan/options.o ALSO_CALLS=tests/sanitize/options.c)
	@tests/sanitize/run asan
	@$(call sanitized,ubsan,$(UBSAN_CFLAGS))
	@tests/sanitize/run ubsan

#: make check-tsan     as root: the tests with threads of ours under ThreadSanitizer
check-tsan: build/tsan/calls.o
	@packaging/deps.sh build demo check
	@$(call sanitized,tsan,$(TSAN_CFLAGS),LDFLAGS=build/tsan/calls.o)
	@$(MAKE) --no-print-directory all && cp -f $(B)/basilisk-tap-helper \
		$(B)/basilisk-tap-report build/tsan # they have one thread
	@tests/sanitize/run tsan

#: make check-valgrind as root: the command and the library's example under valgrind
check-valgrind:
	@packaging/deps.sh build demo check lint
	@$(MAKE) --no-print-directory all $(ROM)
	@tests/run tests/sanitize/test_valgrind.py

.PHONY: check-asan check-tsan check-valgrind
