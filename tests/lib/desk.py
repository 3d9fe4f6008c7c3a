# SPDX-License-Identifier: LGPL-2.1-or-later
"""A desk on a LAN, for tests of what the helper does to it: how it was, and that it is so again."""
import contextlib
import os
import re
import signal

import guest_ip
from helper import HELPER, ask, taps
from netstate import NetState, difference
from proc import wait_until
from wire import BROADCAST
from world import ALLOW


def two(world, policy=ALLOW):
    """A machine of the LAN, and the desk, which know each other's addresses."""
    lan = world.lan()
    machine, desk = world.host("machine", lan), world.host("desk", lan, policy=policy)
    assert desk.run(["ping", "-c1", "-W5", machine.address]).returncode == 0
    return machine, desk


def release(host):
    wait_until(lambda: not taps(host), what="the end of the TAPs")
    done = host.run([HELPER, "--release"])
    assert done.returncode == 0, done


def repair(host, slot=0):
    """Ask for a repair run of the TAP in that slot."""
    return ask(host, "--repair", f"--slot={slot}", "--br=auto")


@contextlib.contextmanager
def unchanged(host, cards=("nic",)):
    """All that rtnetlink and sysctl tell is the same afterwards."""
    with NetState(host) as net:
        net.settle(*cards)
        before, settings = net.snapshot(), net.sysctls()
        yield net
        after = net.snapshot()
        assert after == before, difference(before, after)
        now = net.sysctls()
        assert now == settings, set(now.items()) ^ set(settings.items())


def tc(host, words):
    done = host.run(["tc", *words.split()])
    assert done.returncode == 0, done


def check_reaches(guest, *wires):
    for wire in wires:
        frame = BROADCAST + guest.mac + b"\x88\xb5" + os.urandom(46)
        guest.send(frame)
        wire.expect(lambda got: got == frame, what="guest's frame")
        frame = guest.mac + wire.mac + b"\x88\xb5" + os.urandom(46)
        wire.send(frame)
        guest.expect(lambda got: got == frame, what=f"frame for the guest on {wire.card}")


def check_ip(machine, desk, guest):
    """A guest's own IP to the LAN and to the host, and theirs to each other."""
    guest_ip.ping(guest, machine.address)
    guest_ip.ping(guest, desk.address)
    assert desk.run(["ping", "-c1", "-W2", machine.address]).returncode == 0


class Ping:
    """One a millisecond to that address."""

    def __init__(self, host, address):
        self.process = host.start(["ping", "-q", "-i", "0.001", address])

    def finish(self):
        """(sent, received); nothing twice."""
        self.process.signal(signal.SIGINT)
        self.process.wait()
        said = self.process.stdout
        assert "duplicates" not in said and "errors" not in said, said
        sent, got = re.search(r"(\d+) packets transmitted, (\d+) received", said).groups()
        return int(sent), int(got)
