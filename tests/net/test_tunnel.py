# SPDX-License-Identifier: LGPL-2.1-or-later
"""`ether auto` where the helper says no: Macs find each other by mDNS and talk over UDP.

A Peer on a third machine is the tests' own end of that network: Macs send their broadcasts to it,
too, and it tells them to quit.  Frames of one peer are never passed on to another.
"""
import emulator
import testproto
from case import needs
from emulator import Emulator
from helper import taps
from peer import Peer
from wire import Wire, mac_text
from world import REFUSE

LENGTHS = 34, 60, 64, 600, 1500, 1514


def refused_host(world, lan, name):
    return world.host(name, lan, policy=REFUSE)


def check_they_see_each_other(one, two, ear):
    """Two Macs, both heard by ear: each finds the other by NBP, and has heard its hello."""
    about_two = ear.expect(testproto.news(one.mac, two.name), 20)
    about_one = ear.expect(testproto.news(two.mac, one.name), 20)
    assert (about_one.net, about_one.node) != (about_two.net, about_two.node)


def check_heard(mac, wire, other):
    """Let mac quit; its XPRAM tells whose hello it heard last."""
    said = mac.quit(wire)
    assert said.heard == other.mac, f"heard {mac_text(said.heard)}, not {mac_text(other.mac)}"
    assert said.refused == 0


@needs(emulator.missing)
def test_refused_macs_of_two_hosts_find_each_other(world):
    lan = world.lan()
    hosts = [refused_host(world, lan, name) for name in ("attic", "cellar")]
    with Peer(world.host("machine", lan)) as ear:
        one, two = Emulator(hosts[0], name="Quadra"), Emulator(hosts[1], name="Centris")
        one.mac = ear.expect(testproto.news(None, "Centris"), 20).mac
        two.mac = ear.expect(testproto.news(None, "Quadra"), 20).mac
        check_they_see_each_other(one, two, ear)
        for host in hosts:
            assert not taps(host)
        check_heard(one, ear, two)
        check_heard(two, ear, one)


@needs(emulator.missing)
def test_refused_macs_of_one_host_find_each_other(world):
    lan = world.lan()
    host = refused_host(world, lan, "attic")
    with Peer(world.host("machine", lan)) as ear:
        one, two = Emulator(host, name="Quadra"), Emulator(host, name="Centris")
        one.mac = ear.expect(testproto.news(None, "Centris"), 20).mac
        two.mac = ear.expect(testproto.news(None, "Quadra"), 20).mac
        assert one.mac != two.mac and one.mac[:5] == two.mac[:5]
        check_they_see_each_other(one, two, ear)
        assert not taps(host)
        check_heard(one, ear, two)
        check_heard(two, ear, one)


@needs(emulator.missing)
def test_bridged_and_refused_mac_find_each_other(world):
    lan = world.lan()
    desk, attic = world.host("desk", lan), refused_host(world, lan, "attic")
    with Wire(world.host("machine", lan)) as wire, Peer(world.host("other", lan)) as ear:
        one = Emulator(desk, name="Quadra")
        one.hello(wire)
        two = Emulator(attic, name="Centris")
        two.mac = ear.expect(testproto.news(None, "Quadra"), 20).mac
        check_they_see_each_other(one, two, ear)
        assert taps(desk) and not taps(attic)
        check_heard(one, wire, two)
        check_heard(two, ear, one)


@needs(emulator.missing)
def test_one_line_says_peer_to_peer_and_why(world):
    lan = world.lan()
    mac = Emulator(refused_host(world, lan, "attic"))
    line = mac.opened()
    assert "peer to peer" in line and "helper.conf:1 denies" in line, line
    assert mac.lines() == [line]


@needs(emulator.missing)
def test_tunnel_carries_frames_of_every_length_exactly(world):
    lan = world.lan()
    host = refused_host(world, lan, "attic")
    with Peer(world.host("machine", lan)) as peer:
        mac = Emulator(host)
        mac.hello(peer)
        for length in LENGTHS:
            testproto.echo(peer, mac.mac, length)
        testproto.burst(peer, mac.mac, 80, 1400)


@needs(emulator.missing)
def test_peer_without_confirmation_frames_is_served(world):
    lan = world.lan()
    host = refused_host(world, lan, "attic")
    with Peer(world.host("machine", lan), confirms=False) as peer:
        mac = Emulator(host)
        mac.hello(peer)
        testproto.echo(peer, mac.mac, 600)


@needs(emulator.missing)
def test_unknown_sender_is_not_heard(world):
    lan = world.lan()
    host = refused_host(world, lan, "attic")
    with Peer(world.host("machine", lan)) as peer:
        stranger = Peer(world.host("other", lan), announces=False, confirms=False)
        mac = Emulator(host, seconds=8)
        mac.hello(peer)
        stranger.peers[mac.mac] = peer.peers[mac.mac]
        for _ in range(5):
            testproto.quit(stranger, mac.mac)
        testproto.echo(peer, mac.mac, 60)  # still there: what came before was not obeyed
        assert mac.ended(20).uptime >= 8


@needs(emulator.missing)
def test_mac_is_the_same_bridged_or_refused(world):
    lan = world.lan()
    host = world.host("desk", lan)
    with Wire(world.host("machine", lan)) as wire:
        mac = Emulator(host)
        mac.hello(wire)
        mac.quit(wire)
    host.policy(REFUSE)
    with Peer(world.host("other", lan)) as peer:
        again = Emulator(host, home=mac.home)
        assert again.hello(peer).mac == mac.mac
