# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guests, and those who were there, must not do to bridges, to the pair and to others' filters."""
import os

from desk import check_reaches, release, two, unchanged
from guest import Guest
from helper import ask, close, taps
from netstate import NetState
from proc import wait_until
from wire import Wire
from world import ALLOW

ALL_BRIDGES = bytes.fromhex("0180c2000000")


def superior(source):
    """What a bridge sends that wants to be the root of every tree."""
    root = bytes(2) + bytes.fromhex("000000000001")
    times = bytes.fromhex("0000140002000f00")
    bpdu = bytes(5) + root + bytes(4) + root + b"\x80\x01" + times
    return (ALL_BRIDGES + source + b"\x00\x26\x42\x42\x03" + bpdu).ljust(60, b"\0")


def root_of(host, bridge):
    return host.inside(lambda: open(f"/sys/class/net/{bridge}/bridge/root_id").read())


def test_guest_moves_no_bridges_root(world):
    """That of a bridge that it joins; with a patch port the frame reaches none (test_patch_port.py)."""
    lan = world.lan()
    host = world.host("desk", lan, policy=ALLOW + "join br0\n")
    other = world.host("other", lan)
    host.ip("link add br0 type bridge stp_state 1 forward_delay 200 priority 40000",
            "link set nic master br0", "link set br0 up")  # fmt: skip

    before = root_of(host, "br0")
    with Guest(host, br="br0") as guest:
        for _ in range(20):
            guest.send(superior(guest.mac))
        marker = b"\xff" * 6 + guest.mac + b"\x88\xb5" + os.urandom(46)
        with Wire(host, "br0") as wire:

            def passes():
                guest.send(marker)
                return any(frame == marker for frame in wire.frames(0.2))

            wait_until(passes, 15, "the port that forwards")
        assert root_of(host, "br0") == before
    # the same frame from the LAN does move it, or this test would show nothing
    with Wire(other) as wire:
        wire.send(superior(wire.mac))
        wait_until(lambda: root_of(host, "br0") != before, what="a new root")


def test_leftover_of_a_dead_tap_on_the_hub_is_swept(world):
    machine, host = two(world)

    def handles(net):
        filters = [line.split() for line in net.snapshot() if line.startswith("filter bthub in ")]
        return {words[4] for words in filters if words[3] in ("10", "11")} - {"0"}

    with NetState(host) as net:
        for slot in range(4):
            answer = ask(host, slot=slot)
            assert len(handles(net)) == 1, (slot, handles(net))
            close(answer)
            wait_until(lambda: not taps(host), what="the end of the TAP")
    release(host)


def check_others_filter_stays(world, direction):
    machine, host = two(world)
    with Guest(host) as guest:
        add = f"tc filter add dev nic {direction} pref 9 handle 1 protocol all bpf bytecode"
        action = "action mirred egress mirror dev lo continue"
        done = host.run([*add.split(), "1,6 0 0 0", *action.split()])
        assert done.returncode == 0, done
        with Wire(machine) as lan, Wire(host) as wire:
            check_reaches(guest, lan, wire)
    with NetState(host) as net:
        release(host)
        lines = [line for line in net.snapshot() if line.startswith(("qdisc nic", "filter nic"))]
        assert any("clsact" in line for line in lines), lines
        left = {tuple(line.split()[2:4]) for line in lines if "filter" in line}
        assert left == {({"ingress": "in", "egress": "out"}[direction], "9")}, left
        with unchanged(host):
            close(ask(host))
            release(host)


def test_filter_that_was_added_to_our_clsact_stays_and_so_does_that(world):
    check_others_filter_stays(world, "ingress")


def test_filter_on_the_way_out_that_was_added_to_our_clsact_stays_and_so_does_that(world):
    check_others_filter_stays(world, "egress")
