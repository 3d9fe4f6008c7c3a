# SPDX-License-Identifier: LGPL-2.1-or-later
"""What programs need to run with the product as `make check-asan` and its like build it.

In such a build BASILISK_TAP_SANITIZE names the sanitizer's own library, which every program must have
loaded that loads a library of ours.  In all others nothing here has any effect.
"""
import os

RUNTIME = os.environ.get("BASILISK_TAP_SANITIZE")
PRELOAD = "/usr/local/lib/basilisk-tap/basilisk-tap-preload.so"
OPTIONS = "detect_leaks=0:verify_asan_link_order=0:use_sigaltstack=0:log_path=/run/basilisk-tap-reports/report"


def environment():
    """What a host's programs have in their environment beside the usual."""
    return {"LD_PRELOAD": RUNTIME, "ASAN_OPTIONS": OPTIONS} if RUNTIME else {}


def preload():
    """LD_PRELOAD for a program that is to have our preload library."""
    return f"{PRELOAD}:{RUNTIME}" if RUNTIME else PRELOAD
