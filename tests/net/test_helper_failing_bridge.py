# SPDX-License-Identifier: LGPL-2.1-or-later
"""As test_helper_failing.py, for the other attachments: those by a bridge."""
from case import limit
from disturb import acting, fail_everywhere
from stand import ATTACH, RELEASE


@limit(120)
def test_attach_by_join_with_any_call_failing(world):
    ends = fail_everywhere(world, "join", ATTACH, acting)
    assert {"ok", "system", "handover"} <= ends, ends


@limit(120)
def test_release_of_join_with_any_call_failing(world):
    ends = fail_everywhere(world, "join", RELEASE, acting)
    assert {"ok", "system"} <= ends, ends


@limit(120)
def test_attach_by_bridge_with_any_call_failing(world):
    ends = fail_everywhere(world, "bridge", ATTACH, acting)
    assert {"ok", "system", "handover"} <= ends, ends


@limit(120)
def test_release_of_bridge_with_any_call_failing(world):
    ends = fail_everywhere(world, "bridge", RELEASE, acting)
    assert {"ok", "system"} <= ends, ends
