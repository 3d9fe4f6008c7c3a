# SPDX-License-Identifier: LGPL-2.1-or-later
"""What programs need to run with the product as `make check-asan` and its like build it.

In a build of check-asan BASILISK_TAP_SANITIZE names the sanitizer's own library, which every program
must have loaded that loads a library of ours.  ThreadSanitizer's has to be in a program from its
start, so there it is the flag to build programs with.  Elsewhere nothing here has any effect.
"""
import os
import shutil

SANITIZE = os.environ.get("BASILISK_TAP_SANITIZE", "")
RUNTIME = SANITIZE if SANITIZE.startswith("/") else None
# for programs that link our library; one that is setuid has nothing preloaded
FLAGS = ["-Wl,--no-as-needed", SANITIZE] if RUNTIME else [SANITIZE] if SANITIZE else []
PRELOAD = "/usr/local/lib/basilisk-tap/basilisk-tap-preload.so"
OPTIONS = "detect_leaks=0:verify_asan_link_order=0:use_sigaltstack=0:log_path=/run/basilisk-tap-reports/report"
SIGALTSTACK = 131
CALLS = {SIGALTSTACK} if RUNTIME else set()  # what its filter allows a helper with it: options.c

TSAN_OPTIONS = "report_signal_unsafe=0:log_path=/run/basilisk-tap-reports/report"


def settle(build, folder):
    """Put into the folder, which is the same in all hosts, what wakes the sanitizer early."""
    global RUNTIME
    if RUNTIME:
        RUNTIME += ":" + shutil.copy(os.path.join(build, "early.so"), folder)


def environment(user):
    """What a host's programs have in their environment beside the usual.  Root's are the system's own,
    and some of those (pgrep) do not get on with the library; emulators are a user's."""
    if not SANITIZE:
        return {}
    return {"ASAN_OPTIONS": OPTIONS, "TSAN_OPTIONS": TSAN_OPTIONS} | (
        {"LD_PRELOAD": RUNTIME} if user and RUNTIME else {}
    )


def preload():
    """LD_PRELOAD for a program that is to have our preload library."""
    return f"{PRELOAD}:{RUNTIME}" if RUNTIME else PRELOAD
