# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, killed or stopped anywhere, in the ways to ask it other than setuid root by slot, for
which test_helper_killed.py and test_helper_frozen.py have all attachments.

Who can do that: with a file capability the caller, whose own process it is; in each way root, and
whoever owns the control group that it runs in, which for a socket is the service manager.
"""
from case import limit, over
from frozen import go_past, stand_still
from killed import check_attach
from ways import CAPABILITY, QEMU, SOCKET

OTHERS = CAPABILITY, SOCKET, QEMU


@limit(120)
@over(*OTHERS)
def test_attach_survives_a_kill_before_each_call(world, way):
    check_attach(world, "patch", way)


@limit(120)
@over(CAPABILITY, SOCKET)
def test_guest_of_another_goes_on_beside_a_frozen_attach(world, way):
    stand_still(world, "patch", way.argv(0), lambda stand: None, way)


@limit(120)
@over(CAPABILITY, SOCKET)
def test_another_attach_passes_a_frozen_one(world, way):
    go_past(world, "patch", way)
