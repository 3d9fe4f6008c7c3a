# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two who want different attachments at the same time, one because he asked for a bridge by name: one
stops before each of its requests in turn, the other runs from beginning to end, the first goes on.
Never are both told that they have what they want, and whoever is told so has it, then and after.
"""
from asked import want_both
from case import limit


@limit(120)
def test_two_who_ask_for_different_bridges_never_both_get_theirs(world):
    assert want_both(world, "br0", "br1") >= {(True, False), (False, True)}


@limit(120)
def test_who_asks_for_a_bridge_is_not_moved_by_one_who_does_not(world):
    assert want_both(world, "auto", "br0") >= {(True, False), (False, True)}


@limit(120)
def test_who_asks_for_no_bridge_is_not_moved_by_one_who_does(world):
    assert want_both(world, "br0", "auto") >= {(True, False), (False, True)}


@limit(120)
def test_two_who_ask_for_the_same_bridge_both_get_it(world):
    assert (True, True) in want_both(world, "br0", "br0")


@limit(120)
def test_repair_of_a_tap_that_has_gone_moves_nobody(world):
    for wants, others in (("auto", "br0"), ("br0", "auto")):
        want_both(world, wants, others, repair=True)
