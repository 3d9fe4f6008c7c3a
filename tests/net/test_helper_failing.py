# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, with one of its system calls failing, each in turn and with each of some errors; what
may come of that is in lib/disturb.py.  Other attachments than the patch port:
test_helper_failing_host.py, test_helper_failing_bridge.py.
"""
import os

from case import limit, over
from disturb import acting, check_alike, fail_everywhere, first
from stand import ATTACH, POLICY, RELEASE, Stand
from ways import CAPABILITY, QEMU, SOCKET


def test_calls_before_it_acts_are_the_same_for_all_attachments(world):
    """So one of them stands for all where those calls are made to fail."""
    before = {}
    for attachment in POLICY:
        with Stand(world, attachment) as stand:
            for tracer, argv in ((stand.user, ATTACH), (stand.root, RELEASE)):
                tracer.start(*argv)
                end = tracer.go()
                assert end.status == 0, end
                if end.fd is not None:
                    os.close(end.fd)
                calls = end.calls[: acting(end.calls)]
                assert len(calls) > 200, calls
                check_alike(calls, before.setdefault(argv[-1], calls))


@limit(120)
def test_attach_by_setuid_with_any_call_before_it_acts_failing(world):
    ends = fail_everywhere(world, "patch", ATTACH, first, acting)
    assert {"ok", "not loaded", "drop", "bad-policy", "tun-denied", "bad-descriptor"} <= ends, ends


@limit(120)
def test_release_with_any_call_before_it_acts_failing(world):
    """It is root who asks, so where it cannot become somebody else it says nothing more."""
    ends = fail_everywhere(world, "patch", RELEASE, first, acting)
    assert {"ok", "not loaded", "drop", "hostile-start"} <= ends, ends


@limit(120)
@over(CAPABILITY, SOCKET, QEMU)
def test_attach_with_any_call_before_it_acts_failing(world, way):
    """Over a socket, it asks the kernel who the peer is, and reads what he wants."""
    ends = fail_everywhere(world, "patch", way.argv(0), first, acting, way=way)
    assert {"ok", "not loaded", "drop", "foreign-namespace", "bad-descriptor"} <= ends, ends


@limit(120)
def test_attach_by_patch_with_any_call_failing(world):
    ends = fail_everywhere(world, "patch", ATTACH, acting)
    assert {"ok", "system", "handover"} <= ends, ends


@limit(120)
def test_release_of_patch_with_any_call_failing(world):
    ends = fail_everywhere(world, "patch", RELEASE, acting)
    assert {"ok", "system"} <= ends, ends
