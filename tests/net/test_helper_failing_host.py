# SPDX-License-Identifier: LGPL-2.1-or-later
"""As test_helper_failing.py, for the other attachments: those without a way to the LAN."""
from case import limit
from disturb import acting, fail_everywhere
from stand import ATTACH, RELEASE


@limit(120)
def test_attach_by_host_with_any_call_failing(world):
    ends = fail_everywhere(world, "host", ATTACH, acting)
    assert {"ok", "system", "handover"} <= ends, ends


@limit(120)
def test_release_of_host_with_any_call_failing(world):
    ends = fail_everywhere(world, "host", RELEASE, acting)
    assert {"ok", "system"} <= ends, ends


@limit(120)
def test_attach_by_none_with_any_call_failing(world):
    ends = fail_everywhere(world, "none", ATTACH, acting)
    assert {"ok", "system", "handover"} <= ends, ends


@limit(120)
def test_release_of_none_with_any_call_failing(world):
    ends = fail_everywhere(world, "none", RELEASE, acting)
    assert {"ok", "system"} <= ends, ends
