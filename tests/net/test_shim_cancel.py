# SPDX-License-Identifier: LGPL-2.1-or-later
"""A thread that is cancelled ends where it waits, and in no other call of the library."""
import os

from observe import neighbour
from peer import Peer
from world import REFUSE, TREE


def test_cancelled_thread_ends_in_no_call_that_does_not_wait(world):
    """With a peer to send to, a stranger to be told of, and a capture to write."""
    lan = world.lan()
    desk = world.host("desk", lan, policy=REFUSE)
    program = neighbour("test_shim_api").build(
        world, os.path.join(TREE, "tests/lib/pending.c"), "pending", flags=["-std=gnu11", "-pthread"]
    )
    for capture in ("", os.path.join(desk.home("mac"), "frames.pcap")):
        with Peer(world.host(f"machine{len(capture)}", lan)) as peer:
            started = desk.start([program], user="mac", env={"BASILISK_TAP_CAPTURE": capture})
            while started.running():
                peer.receive(0.05)
            assert started.wait() == 0, started.story()
            assert started.stdout == "ended in nothing of the library\n", started.story()
