# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, with one of its system calls failing, each in turn and with each of some errors; what
may come of that is in lib/disturb.py.
"""
import errno

from case import limit, over
from disturb import acting, fail_everywhere, first_own
from stand import ATTACH, RELEASE
from ways import SOCKET


@limit(280)
def test_attach_by_patch_with_any_call_failing(world):
    ends = fail_everywhere(world, "patch", ATTACH, first_own)
    assert {"ok", "system", "drop", "handover"} <= ends, ends


@limit(120)
def test_release_of_patch_with_any_call_failing(world):
    ends = fail_everywhere(world, "patch", RELEASE, acting)
    assert {"ok", "system"} <= ends, ends


@limit(60)
def test_release_with_any_call_before_it_acts_failing(world):
    """It is root who asks, so where it cannot become somebody else it says nothing more."""
    ends = fail_everywhere(world, "patch", RELEASE, first_own, acting, [errno.EPERM])
    assert {"ok", "drop", "hostile-start"} <= ends, ends


@limit(120)
@over(SOCKET)
def test_attach_with_any_call_before_it_acts_failing(world, way):
    """Where it asks the kernel who the peer is, and reads what he wants."""
    argv = way.argv(0)
    ends = fail_everywhere(world, "patch", argv, first_own, acting, [errno.EPERM], way)
    assert {"ok", "system", "drop", "foreign-namespace", "bad-descriptor"} <= ends, ends
