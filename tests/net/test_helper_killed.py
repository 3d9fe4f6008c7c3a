# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, killed before each of its system calls in turn: whatever was half made, the host does
not notice, another run completes it, and one --release leaves the host as it was before.

The state after a kill is compared by all that rtnetlink tells (lib/netstate.py).  Most kills leave
a state that an earlier one left, too: what follows from it is then known.
"""
import os

from case import limit
from modes import by_capability
from netstate import NetState, difference
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


def kill_everywhere(world, attachment, argv, prepare):
    """Returns how many different states the kills left."""
    with Stand(world, attachment) as stand:
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


def check_attach(world, attachment):
    # half-made states exist, or nothing was tested
    assert kill_everywhere(world, attachment, ATTACH, lambda stand: None) > 10


def check_release(world, attachment):
    assert kill_everywhere(world, attachment, RELEASE, detach) > 1


LEAKS = (  # each: do, undo
    ("ip link set nic allmulticast on", "ip link set nic allmulticast off"),
    ("ip link set nic promisc on", "ip link set nic promisc off"),
    ("ip link set nic mtu 1400", "ip link set nic mtu 1500"),
    ("ip link add left type bridge", "ip link del left"),
    ("ip addr add 10.1.1.1/32 dev nic", "ip addr del 10.1.1.1/32 dev nic"),
    ("ip route add 10.2.2.2 dev nic", "ip route del 10.2.2.2"),
    ("ip rule add from 10.3.3.3 table 7", "ip rule del from 10.3.3.3"),
    ("ip neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev nic", "ip neigh del 10.9.0.77 dev nic"),
    ("bridge fdb add b2:0:0:0:0:1 dev nic self", "bridge fdb del b2:0:0:0:0:1 dev nic self"),
    ("tc qdisc add dev nic clsact", "tc qdisc del dev nic clsact"),
)  # fmt: skip


def test_comparison_sees_every_kind_of_leftover(world):
    host = world.host("desk", world.lan())
    with NetState(host) as net:
        before = net.snapshot()
        for do, undo in LEAKS:
            assert host.run(do.split()).returncode == 0, do
            assert net.snapshot() != before, do
            assert host.run(undo.split()).returncode == 0, undo
            assert net.snapshot() == before, difference(before, net.snapshot())
        host.run("tc qdisc add dev nic clsact".split())
        before = net.snapshot()
        # any program, any action: what is compared is there and equal, or not
        add = "tc filter add dev nic egress pref 7 handle 1 protocol all bpf bytecode"
        action = "action mirred egress mirror dev lo".split()
        assert host.run([*add.split(), "1,6 0 0 4294967295", *action]).returncode == 0
        assert net.snapshot() != before


@limit(120)
def test_attach_by_patch_survives_a_kill_before_each_call(world):
    check_attach(world, "patch")


@limit(120)
def test_attach_with_a_file_capability_survives_a_kill_before_each_call(world):
    """Here its caller can do it: it is his process."""
    with by_capability():
        check_attach(world, "patch")


@limit(120)
def test_release_of_patch_survives_a_kill_before_each_call(world):
    check_release(world, "patch")


@limit(120)
def test_attach_by_host_survives_a_kill_before_each_call(world):
    check_attach(world, "host")


@limit(120)
def test_release_of_host_survives_a_kill_before_each_call(world):
    check_release(world, "host")


@limit(120)
def test_attach_by_none_survives_a_kill_before_each_call(world):
    check_attach(world, "none")


@limit(120)
def test_release_of_none_survives_a_kill_before_each_call(world):
    check_release(world, "none")


@limit(120)
def test_attach_by_join_survives_a_kill_before_each_call(world):
    check_attach(world, "join")


@limit(120)
def test_release_of_join_survives_a_kill_before_each_call(world):
    check_release(world, "join")


@limit(120)
def test_attach_by_bridge_survives_a_kill_before_each_call(world):
    check_attach(world, "bridge")


@limit(120)
def test_release_of_bridge_survives_a_kill_before_each_call(world):
    check_release(world, "bridge")
