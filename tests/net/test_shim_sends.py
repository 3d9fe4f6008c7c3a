# SPDX-License-Identifier: LGPL-2.1-or-later
"""What write() of a frame does, with many peers: how long it takes, and what the kernel is given.

The program is a stand-in for the emulator, a trap of tests/lib/traps.
"""
import platform
import signal
from contextlib import ExitStack, contextmanager

from case import Skip
from observe import neighbour
from peer import Peer
from proc import wait_until
from world import REFUSE

PEERS = 70  # more than the kernel is given at once


class Program:
    """A trap in that host that has opened its card and awaits the test."""

    def __init__(self, host, trap, *flags):
        preload = neighbour("test_shim_preload")
        program = preload.traps_program(host.world, *flags)
        argv = preload.loaded(program, trap, BASILISK_TAP_LOG="error")
        self.host = host
        self.process = host.start(argv, user="mac", name=trap)
        found = self.process.expect(r"open (\w{12})\nready", stream="stdout")
        self.mac = bytes.fromhex(found[1])

    def go_on(self):
        self.process.signal(signal.SIGUSR1)

    def proven(self):
        """How many peers it knows that have answered it."""
        return neighbour("test_shim_cost").asked(self.host).count("proven=1")

    def counter(self, key):
        facts = neighbour("test_shim_cost").asked(self.host).splitlines()
        return int(dict(line.split("=", 1) for line in facts)[key])


@contextmanager
def program_and_peers(world, trap, *flags):
    lan = world.lan()
    attic, machine = world.host("attic", lan, policy=REFUSE), world.host("machine", lan)
    program = Program(attic, trap, *flags)
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(machine)) for _ in range(PEERS)]

        def known():
            for peer in peers:
                peer.receive(0)
            return program.proven() == PEERS

        wait_until(known, 20, "all to have answered")
        yield program, peers


def test_write_never_waits_though_no_buffer_has_room(world):
    """Frames to seventy peers and to one, behind a link that takes hours for them: first the queue
    of the device fills, which is longer than the socket's buffer, then that."""
    with program_and_peers(world, "hurried") as (program, peers):
        slow = "tc qdisc add dev nic root tbf rate 100kbit burst 5kb limit 100mb"
        done = program.host.run(slow.split())
        assert done.returncode == 0, done.stderr
        peers[0].send_to(program.mac, program.mac + peers[0].mac + b"\x88\xb5" + bytes(46))
        program.go_on()
        found = program.process.expect(
            r"(\d+) writes: waited (\d+), slow (\d+), worst (\d+) us, interrupted (\d+)",
            60,
            stream="stdout",
        )
        print(found[0])
        writes, waited, late, _, interrupted = map(int, found.groups())
        full, sent = program.counter("drop-no-room"), program.counter("sent")
        assert sent == writes, (sent, writes)
        assert full > writes, full  # most of those to all, and many of those to one
        assert waited == 0, found[0]
        # the processor may be taken away without a word, by the machine that this one is a part of
        assert late <= writes / 1000 and interrupted < writes / 2, found[0]


def test_frame_to_all_is_given_to_the_kernel_where_the_guest_has_it(world):
    """One buffer for all peers, the guest's own; two calls, as the kernel is given 64 at once."""
    if platform.machine() != "x86_64":
        raise Skip("the registers of a system call are known for x86-64 alone")
    with program_and_peers(world, "fanned") as (program, peers):
        program.go_on()
        found = program.process.expect(r"(\d+) calls, .*others", stream="stdout")
        assert found[0] == f"2 calls, {PEERS} messages, 0 copies, 0 others", found[0]
        frame = b"\xff" * 6 + program.mac + b"\x88\xb5" + b"\x5a" * 1500
        for peer in peers:
            assert peer.expect(lambda f: f if len(f) == 1514 else None) == frame
