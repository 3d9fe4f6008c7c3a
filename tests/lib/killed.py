# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, killed before each of its system calls in turn: whatever was half made, the host does
not notice, another run completes it, and one --release leaves the host as it was before.

The state after a kill is compared by all that rtnetlink tells (netstate.py).  Most kills leave
a state that an earlier one left, too: what follows from it is then known.
"""
import os

from disturb import moments
from helper import parse_reply
from netstate import difference
from shares import share_out
from stand import ATTACH, RELEASE, Stand
from tracer import At


def kill_at(tracer, index, argv):
    """Run it up to that call; False where it ended before, by itself."""
    event = tracer.start(*argv)
    if index:
        event = tracer.to(index)
    killed = isinstance(event, At)
    end = tracer.kill() if killed else event
    if end.fd is not None:
        os.close(end.fd)
    assert end.signal == 9 if killed else end.status == 0, end
    return killed


def detach(stand):
    """The attachment, with no TAP left."""
    end = stand.attach()
    os.close(end.fd)


def check_rerun(stand, when):
    end = stand.attach()
    stand.check_guest(end)
    stand.probe()
    os.close(end.fd)
    stand.check_released(f"a rerun after {when}")


def kill_everywhere(world, attachment, argv, prepare, way=None):
    """Returns how many different states the kills left."""
    with Stand(world, attachment, way) as stand:
        tracer = stand.root if argv is RELEASE else stand.user
        prepare(stand)
        at_first = stand.state()
        seen = []
        index = 0
        while kill_at(tracer, index, argv):
            when = f"{argv[-1]} killed before call {index}"
            state = stand.state()
            if state not in seen:
                stand.check_host_kept(state, when)
                seen.append(state)
                check_rerun(stand, when)
                prepare(stand)
                kill_at(tracer, index, argv)
                again = stand.state()
                assert again == state, f"not repeatable:\n{difference(state, again)}"
            if state != at_first:
                stand.check_released(when)
                prepare(stand)
            index += 1
        assert index > 200, index  # else it was not the whole of it
        stand.check_released("all")
        return len(seen)


def check_attach(world, attachment, way=None):
    argv = way.argv(0) if way else ATTACH
    # half-made states exist, or nothing was tested
    assert kill_everywhere(world, attachment, argv, lambda stand: None, way) > 10


def check_release(world, attachment):
    assert kill_everywhere(world, attachment, RELEASE, detach) > 1


class Beside:
    """Kills of a run that finds something there already; a worker of shares.py.

    attached   an attachment with no TAP left
    second     another user's guest, who goes on, whatever happens
    repair     the TAP that the run is about, whose holder goes on
    """

    def __init__(self, world, attachment, what):
        self.stand, self.what = Stand(world, attachment), what
        self.argv = [*ATTACH, "--repair"] if what == "repair" else ATTACH
        self.known = []
        self.ends = set()

    def close(self):
        self.stand.close()

    def begin(self):
        """Returns the descriptor and the address of the guest who is there."""
        stand = self.stand
        end = stand.attach_other() if self.what == "second" else stand.attach()
        if self.what == "attached":
            os.close(end.fd)
            return None, None
        os.set_blocking(end.fd, False)
        reply = parse_reply(end.message)
        stand.prefix = reply.mac[:4]
        return end.fd, reply.mac

    def finish(self, guest, when):
        if guest is not None:
            os.close(guest)
        self.stand.check_released(when)

    def prepare(self):
        guest, _ = self.begin()
        self.stand.user.start(*self.argv)
        end = self.stand.user.go()
        assert end.status == 0, end
        if end.fd is not None:
            os.close(end.fd)
        self.finish(guest, "a run that was not killed")
        return end.calls

    def run(self, index):
        when = f"{self.what}: killed before call {index}"
        stand = self.stand
        guest, mac = self.begin()
        stand.user.start(*self.argv)
        at = stand.user.to(index)
        assert isinstance(at, At), f"{when}: {at}"
        end = stand.user.kill()
        if end.fd is not None:
            os.close(end.fd)
        try:
            self.check(guest, mac, when)
        except Exception as error:
            raise AssertionError(f"{when}: {error!r}") from error
        self.finish(guest, when)

    def check(self, guest, mac, when):
        stand = self.stand
        state = stand.state()
        is_new = state not in self.known
        if is_new:
            self.known.append(state)
            stand.check_host_kept(state, when)
        self.check_guest(guest, mac)
        if is_new:
            stand.user.start(*self.argv)
            end = stand.user.run()
            assert end.status == 0, end
            if end.fd is not None:
                if self.is_heard():
                    stand.check_guest(end)
                os.close(end.fd)
            self.check_guest(guest, mac)

    def is_heard(self):
        """By host or LAN, or where there is none by another guest, who must not be there yet."""
        return (self.stand.attachment, self.what) != ("none", "second")

    def check_guest(self, guest, mac):
        if guest is not None and self.is_heard():
            self.stand.check_to_and_fro(guest, mac)


def check_beside(world, attachment, what):
    """At each moment while it acts: what is before is the same as where nothing is there."""
    share_out(
        lambda: Beside(world, attachment, what),
        lambda calls, *_: [(index,) for index in moments(calls)],
    )
