# SPDX-License-Identifier: LGPL-2.1-or-later
"""The three values of `ether` that are ours, and those that are not."""
import emulator
import testproto
from case import needs
from emulator import Emulator
from helper import taps
from peer import Peer
from wire import Wire
from world import REFUSE


def from_a_guest(frame):
    return frame if frame[6] == 0xB2 else None


@needs(emulator.missing)
def test_auto_bridge_refused_goes_on_without_network_and_says_why(world):
    lan = world.lan()
    host = world.host("desk", lan, policy=REFUSE)
    with Wire(world.host("machine", lan), everything=True) as wire:
        mac = Emulator(host, ether="auto-bridge", seconds=3)
        said = mac.ended(20)
        assert said.uptime >= 3, said  # it ran, to the end that it was given
        assert not [frame for frame in wire.frames(0.2) if from_a_guest(frame)]
    [line] = mac.lines()
    assert "auto-bridge" in line and "helper.conf:1 denies" in line, line
    assert not taps(host)


@needs(emulator.missing)
def test_auto_bridge_allowed_is_bridged(world):
    lan = world.lan()
    host = world.host("desk", lan)
    with Wire(world.host("machine", lan)) as wire:
        mac = Emulator(host, ether="auto-bridge")
        mac.hello(wire)
        testproto.echo(wire, mac.mac, 600)
        assert len(taps(host)) == 1


@needs(emulator.missing)
def test_auto_p2p_never_asks_the_helper(world):
    lan = world.lan()
    host = world.host("desk", lan)
    host.write("/etc/asked", "", 0o666)
    host.write("/etc/spy", "#!/bin/sh\necho asked >/etc/asked\nexit 1\n", 0o755)
    with Peer(world.host("machine", lan)) as peer:
        mac = Emulator(host, ether="auto-p2p", env={"BASILISK_TAP_HELPER": "/etc/spy"})
        mac.hello(peer)
        assert "peer to peer" in mac.opened()
        assert not taps(host)
    assert host.run(["cat", "/etc/asked"]).stdout == ""


@needs(emulator.missing)
def test_value_that_is_not_understood_is_named(world):
    host = world.host("desk", world.lan())
    mac = Emulator(host, ether="auto/slto=3", seconds=2)
    mac.ended(20)
    [line] = mac.lines()
    assert "slto" in line, line


@needs(emulator.missing)
def test_foreign_value_is_the_emulators_own_business(world):
    host = world.host("desk", world.lan())
    mac = Emulator(host, ether="eth7", seconds=2)
    mac.ended(20)
    assert not mac.lines()
    assert not taps(host)
