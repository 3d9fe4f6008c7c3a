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
    assert desk.run(["ping", "-c1", "-W10", machine.address]).returncode == 0
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
    assert desk.run(["ping", "-c1", "-W10", machine.address]).returncode == 0


class Ping:
    """One a millisecond to that address."""

    def __init__(self, host, address):
        self.process = host.start(["ping", "-i", "0.001", address])

    def answered(self):
        """The numbers of the answers so far, in their order."""
        return [int(number) for number in re.findall(r"icmp_seq=(\d+) ", self.process.stdout)]

    def finish(self):
        """(sent, lost) until now: what was sent before a later one was answered is answered, or lost;
        nothing twice. What is sent while it ends may still be on its way, and says nothing."""
        last = max(self.answered(), default=0)
        wait_until(lambda: max(self.answered(), default=0) > last + 10, what="answers to pings", step=0.1)
        self.process.signal(signal.SIGINT)
        self.process.wait()
        said, answered = self.process.stdout, self.answered()
        assert "DUP!" not in said and "errors" not in said, said[-1000:]
        sent = max(answered)
        return sent, len(set(range(1, sent + 1)) - set(answered))
