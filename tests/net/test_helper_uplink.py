# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uplinks of other kinds, and an uplink that changes while guests are attached to it.  Kinds for which
a kernel needs more modules: tests/vm/test_uplinks.py.
"""
import contextlib
import re
import socket

from desk import check_ip, check_reaches, release, repair, tc, two, unchanged
from guest import Guest
from helper import ask, refused
from netstate import NetState, difference
from proc import wait_until
from wire import BROADCAST, Wire
from world import ALLOW

# ---- other uplinks
def test_jumbo_uplink(world):
    """The host's big frames pass as before; the guests get and send none."""
    machine, desk = two(world)
    world.lans[0].ip(*(f"link set {port} mtu 9000" for port in ("p1", "p2", "lan")))
    for host in (machine, desk):
        host.ip("link set nic mtu 9000")
    big = "ping -c1 -W2 -M do -s 8000"
    guest = Guest(desk)
    with Wire(machine) as lan, Wire(desk) as host:
        frame = BROADCAST + guest.mac + b"\x88\xb5" + bytes(100)
        for sender, receiver in ((lan, host), (host, lan)):
            large = BROADCAST + sender.mac + b"\x88\xb5" + bytes(6000)
            sender.send(large)
            receiver.expect(lambda got: got == large, what="the big frame")
            small = large[:1514]
            sender.send(small)
            heard = []
            guest.expect(lambda got: heard.append(len(got)) or got == small, what="the small one")
            assert max(heard) <= 1514, heard
        with contextlib.suppress(OSError):
            guest.send(frame.ljust(1515, b"\0"))
            guest.send(frame.ljust(6000, b"\0"))
        guest.send(frame)
        for wire in (lan, host):
            heard = []
            wire.expect(lambda got: heard.append(len(got)) or got == frame, what="guest's frame")
            assert max(heard) <= 1514, heard
    assert desk.run([*big.split(), machine.address]).returncode == 0
    check_ip(machine, desk, guest)
    guest.close()


PING = ["ping", "-c1", "-W1"]
UPLINK_MV = ALLOW + "uplink mv\n"


def test_card_that_keeps_no_list_of_addresses_takes_everything_while_it_is_needed(world):
    lan = world.lan()
    machine, desk = world.host("machine", lan), world.host("desk", lan, policy=UPLINK_MV)
    address = f"{desk.address}/24"
    desk.ip("link add mv link nic type macvlan mode bridge", "link set mv up")
    desk.ip(f"addr del {address} dev nic", f"addr add {address} dev mv")

    def flags():
        link = desk.run(["ip", "-o", "link", "show", "mv"]).stdout
        return {name for name in ("PROMISC", "ALLMULTI") if name in link}

    with unchanged(desk, ("nic", "mv")):
        guest = Guest(desk)
        assert guest.reply.attach == "patch" and guest.reply.uplink == "mv", guest.reply
        assert flags() == {"PROMISC", "ALLMULTI"}
        with Wire(machine) as wire:
            frame = BROADCAST + guest.mac + b"\x88\xb5" + bytes(46)
            guest.send(frame)
            wire.expect(lambda got: got == frame, what="guest's frame")
            frame = BROADCAST + wire.mac + b"\x88\xb5" + bytes(46)
            wire.send(frame)
            guest.expect(lambda got: got == frame, what="broadcast of the LAN")
        guest.close()
        release(desk)
        assert not flags()


def test_uplink_that_the_helper_has_made_is_refused(world):
    """Attached to itself, the hub would send its own frames round for ever."""
    machine, desk = two(world)
    guest = Guest(desk)
    with Wire(machine) as lan, Wire(desk) as host:
        for name in ("bthub", "btlan", guest.card):
            desk.policy(ALLOW + f"uplink {name}\n")
            line = refused(ask(desk, slot=1), "uplink-unfit")
            assert f"{name} is a device of the helper's" in line, line
            check_reaches(guest, lan, host)
    guest.close()
    desk.policy(ALLOW)
    release(desk)


def test_card_that_waits_for_its_address_is_spare_for_a_bridge_only_if_it_is_named(world):
    """At boot, and after its cable was out, the machine's only card has none either."""
    lan = world.lan()
    desk = world.host("desk", policy=ALLOW + "attach bridge\n")
    desk.plug(lan, address=0)
    with unchanged(desk):
        line = refused(ask(desk), "uplink-unfit")
        assert "'uplink' line" in line, line
    desk.policy(ALLOW + "attach bridge\nuplink nic\n")
    with Guest(desk) as guest:
        assert guest.reply.attach == "bridge", guest.reply
    release(desk)


# ---- the card changes
def await_lan(desk, machine):
    """A switch takes a moment to see that something is plugged in again."""
    wait_until(lambda: desk.run(PING + [machine.address]).returncode == 0, what="the LAN")


def test_repair_follows_a_new_mac_of_the_card(world):
    machine, desk = two(world)
    guest = Guest(desk)
    desk.ip("link set nic down", "link set nic address 02:00:00:00:77:01", "link set nic up")
    await_lan(desk, machine)
    answer = repair(desk)
    assert answer.status == 0 and answer.fd is None and answer.reply.attach == "patch", answer
    with Wire(machine) as lan, Wire(desk) as host:
        check_reaches(guest, lan, host)
        assert host.mac == bytes.fromhex("020000007701")
    assert desk.mac_of("btlan") == bytes.fromhex("020000007701")
    guest.close()


def test_repair_follows_a_renamed_card(world):
    machine, desk = two(world)
    guest = Guest(desk)
    desk.ip("link set nic down", "link set nic name lan0", "link set lan0 up")
    desk.ip("route add default via 10.9.0.254 dev lan0")
    await_lan(desk, machine)
    answer = repair(desk)
    assert answer.status == 0 and answer.reply.uplink == "lan0", answer
    with Wire(machine) as lan, Wire(desk, "lan0") as host:
        check_reaches(guest, lan, host)
    guest.close()
    release(desk)


def test_card_that_vanishes_and_another_that_comes(world):
    lan = world.lan()
    machine, desk = world.host("machine", lan), world.host("desk", lan)
    guest, other = Guest(desk), Guest(desk, slot=1)
    desk.ip("link del nic")
    for slot in (0, 1):
        answer = repair(desk, slot)
        assert answer.status == 0 and answer.reply.attach == "none", answer
    frame = BROADCAST + guest.mac + b"\x88\xb5" + bytes(46)
    guest.send(frame)
    other.expect(lambda got: got == frame, what="frame of the other guest")
    desk.plug(lan)
    await_lan(desk, machine)
    for slot in (0, 1):
        answer = repair(desk, slot)
        assert answer.status == 0 and answer.reply.attach == "patch", answer
    with Wire(machine) as wire, Wire(desk) as host:
        check_reaches(guest, wire, host)
        check_reaches(other, wire, host)
    for end in (guest, other):
        end.close()
    release(desk)


def test_stranger_who_has_the_number_of_a_card_that_has_gone_is_left_alone(world):
    """And nothing of his is taken for ours: flags, addresses, filters of our preferences."""
    machine, desk = two(world)
    index = desk.inside(lambda: socket.if_nametoindex("nic"))
    guest = Guest(desk)
    prefix = guest.mac[:4].hex(":")
    desk.ip("link del nic", f"link add stranger index {index} type veth peer name other",
            "link set stranger up allmulticast on promisc on", "link set other up")  # fmt: skip
    desk.run(["bridge", "fdb", "add", f"{prefix}:00:01", "dev", "stranger", "self"])
    tc(desk, "qdisc add dev stranger clsact")
    for direction in ("ingress", "egress"):
        for preference in (24700, 24701):
            add = f"tc filter add dev stranger {direction} pref {preference} handle 1 protocol all"
            words = [*add.split(), "bpf", "bytecode", "1,6 0 0 0"]
            done = desk.run([*words, *"action mirred egress mirror dev lo".split()])
            assert done.returncode == 0, done

    def strangers(net):
        return [line for line in net.snapshot() if re.match(r"\w+ (stranger|other) ", line)]

    with NetState(desk) as net:
        net.settle("stranger", "other")
        before = strangers(net)
        assert sum(line.startswith("filter") for line in before) >= 4, before
        assert repair(desk).reply.attach == "none"
        assert strangers(net) == before, difference(before, strangers(net))
        guest.close()
        release(desk)
        assert strangers(net) == before, difference(before, strangers(net))
    assert desk.links() == {"lo", "stranger", "other"}


def test_card_with_another_address_is_still_known_at_release(world):
    machine, desk = two(world)
    guest = Guest(desk)
    desk.ip("link set nic address 02:00:00:00:77:01")
    guest.close()
    release(desk)
    with NetState(desk) as net:
        ours = r"filter nic|qdisc nic ffff|fdb nic b2"
        left = [line for line in net.snapshot() if re.match(ours, line)]
    assert not left, left


def test_card_that_moves_to_another_namespace_and_back(world):
    machine, desk = two(world)
    away = world.host("away")
    guest = Guest(desk)
    with NetState(away) as net:
        before = [line for line in net.snapshot() if not line.startswith("route")]
        moved(world, desk, away, "nic")
        left = [line for line in net.snapshot() if line not in before]
        assert not [line for line in left if line.startswith(("qdisc nic ffff", "filter"))], left
        assert repair(desk).reply.attach == "none"
        moved(world, away, desk, "nic")
    desk.ip(f"addr add {desk.address}/24 dev nic", "link set nic up",
            "route add default via 10.9.0.254 dev nic")  # fmt: skip
    await_lan(desk, machine)
    assert repair(desk).reply.attach == "patch"
    with Wire(machine) as lan, Wire(desk) as host:
        check_reaches(guest, lan, host)
    guest.close()
    release(desk)


def moved(world, source, target, card):
    fd = target.namespaces["net"]
    world.ip(source.namespaces, f"link set {card} netns /proc/self/fd/{fd}", pass_fds=(fd,))


def test_card_that_joins_a_bridge_of_the_administrators(world):
    """Then its frames are the bridge's; without a `join` line the guests get the host alone."""
    machine, desk = two(world)
    guest = Guest(desk)
    desk.ip("link add br0 type bridge mcast_snooping 0", "link set br0 up",
            "addr flush dev nic", "link set nic master br0",
            f"addr add {desk.address}/24 dev br0", "route add default via 10.9.0.254")  # fmt: skip
    await_lan(desk, machine)
    answer = repair(desk)
    assert answer.status == 0 and answer.reply.attach == "host", answer
    assert "br0" in answer.reply.text, answer
    with Wire(desk, "br0") as host:
        check_reaches(guest, host)
    desk.policy(ALLOW + "join br0\n")
    answer = repair(desk)
    assert answer.status == 0 and answer.reply.attach == "join", answer
    with Wire(machine) as lan, Wire(desk, "br0") as host:
        check_reaches(guest, lan, host)
    guest.close()
    release(desk)
    assert desk.run(["ping", "-c1", "-W2", machine.address]).returncode == 0
