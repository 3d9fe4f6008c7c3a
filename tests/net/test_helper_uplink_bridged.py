# SPDX-License-Identifier: LGPL-2.1-or-later
"""An uplink that is a bridge's port, or becomes one: it vanishes, gets another MAC or name, moves to another
namespace or joins another bridge between any two calls of the helper.  What may come of that is in
lib/moving.py; while no helper runs: test_helper_uplink.py.
"""
from case import limit
from moving import change_everywhere
from stand import ATTACH, RELEASE


@limit(120)
def test_uplink_changes_before_any_call_of_attach_by_join(world):
    ends = change_everywhere(world, "join", ATTACH)
    assert ends == {"ok"}, ends


@limit(120)
def test_uplink_changes_before_any_call_of_release_of_join(world):
    ends = change_everywhere(world, "join", RELEASE)
    assert ends == {"ok"}, ends


@limit(120)
def test_uplink_changes_before_any_call_of_attach_by_bridge(world):
    ends = change_everywhere(world, "bridge", ATTACH)
    assert ends == {"ok", "system", "uplink-unfit", "no-uplink"}, ends


@limit(120)
def test_uplink_changes_before_any_call_of_release_of_bridge(world):
    ends = change_everywhere(world, "bridge", RELEASE)
    assert ends == {"ok"}, ends
