# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, setuid root, stopped between any two of its calls while others go on; what must come
of that is in lib/frozen.py.  The other ways to ask it: test_ways_stopped.py.
"""
from case import limit
from frozen import (attach_past, go_past, release_past, release_past_release, release_past_repair,
                    stand_still)  # fmt: skip
from stand import ATTACH


@limit(90)
def test_guest_of_another_goes_on_beside_a_frozen_attach_by_patch(world):
    stand_still(world, "patch", ATTACH, lambda stand: None)


@limit(90)
def test_guest_of_another_goes_on_beside_a_frozen_attach_by_join(world):
    stand_still(world, "join", ATTACH, lambda stand: None)


@limit(90)
def test_guest_of_another_goes_on_beside_a_frozen_repair(world):
    stand_still(world, "patch", [*ATTACH, "--repair"], lambda stand: stand.attach().fd)


@limit(90)
def test_another_attach_passes_a_frozen_one_by_patch(world):
    go_past(world, "patch")


@limit(90)
def test_another_attach_passes_a_frozen_one_by_join(world):
    go_past(world, "join")


@limit(90)
def test_release_passes_a_frozen_attach_by_patch(world):
    release_past(world, "patch")


@limit(90)
def test_release_passes_a_frozen_attach_by_join(world):
    release_past(world, "join")


@limit(90)
def test_release_passes_a_frozen_attach_by_bridge(world):
    release_past(world, "bridge")


@limit(90)
def test_attach_passes_a_frozen_release(world):
    attach_past(world, "patch", "go on")


@limit(90)
def test_attach_passes_a_frozen_release_that_is_then_killed(world):
    attach_past(world, "patch", "kill")


@limit(90)
def test_attach_by_bridge_passes_a_frozen_release_that_is_then_killed(world):
    attach_past(world, "bridge", "kill")


@limit(90)
def test_release_passes_a_frozen_repair_of_a_tap_that_has_gone(world):
    release_past_repair(world, "patch")


@limit(90)
def test_release_passes_a_frozen_release(world):
    release_past_release(world, "patch")


@limit(90)
def test_release_by_bridge_passes_a_frozen_release(world):
    release_past_release(world, "bridge")
