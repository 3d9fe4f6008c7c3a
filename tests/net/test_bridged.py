# SPDX-License-Identifier: LGPL-2.1-or-later
"""`ether auto` where the policy allows it: the Mac is on the LAN, by the patch port."""
import re
import signal

import appletalk
import emulator
import testproto
from case import needs
from emulator import Emulator
from helper import taps
from proc import wait_until
from wire import Wire, mac_text
from world import USERS

LENGTHS = 34, 60, 64, 600, 1500, 1514


def desk_and_machine(world):
    """A host whose users may have a TAP, and another machine on the same LAN."""
    lan = world.lan()
    return world.host("desk", lan), world.host("machine", lan)


def bridged_mac(world, **options):
    desk, machine = desk_and_machine(world)
    wire = Wire(machine)
    mac = Emulator(desk, **options)
    mac.hello(wire)
    return desk, machine, wire, mac


def check_echoes(wire, mac):
    for length in LENGTHS:
        testproto.echo(wire, mac.mac, length)


def check_appletalk(wire, mac, name):
    """What another machine's AppleTalk gets from that Mac: AARP, AEP, NBP."""
    hello = mac.hello(wire, online=True)
    address = hello.net, hello.node
    node = appletalk.Node(wire)
    assert node.aarp(address) == mac.mac
    data = bytes(range(256)) * 2
    assert node.echo(mac.mac, address, data) == data
    sender, entity = node.look_up(name)
    assert sender == mac.mac
    assert (entity.net, entity.node) == address
    assert (entity.name, entity.type, entity.zone) == (name, "Macintosh", "*")


@needs(emulator.missing)
def test_hello_reaches_the_lan_from_a_guest_mac(world):
    desk, _, _, mac = bridged_mac(world)
    uid = USERS["mac"][0]
    assert mac.mac[0] == 0xB2, mac_text(mac.mac)
    assert int.from_bytes(mac.mac[4:], "big") == (uid & 0xFFF) << 4, mac_text(mac.mac)
    assert taps(desk) == {f"btap{uid:x}-0"}


@needs(emulator.missing)
def test_one_line_says_bridged_and_the_mac(world):
    _, _, _, mac = bridged_mac(world)
    line = mac.opened()
    assert "bridged" in line and mac_text(mac.mac) in line, line
    assert mac.lines() == [line]


@needs(emulator.missing)
def test_echo_from_the_lan_is_exact_at_every_length(world):
    _, _, wire, mac = bridged_mac(world)
    check_echoes(wire, mac)


@needs(emulator.missing)
def test_burst_of_full_frames_reaches_the_lan_whole_and_in_order(world):
    _, _, wire, mac = bridged_mac(world)
    testproto.burst(wire, mac.mac, 80, 1514)


@needs(emulator.missing)
def test_lan_finds_the_mac_by_appletalk(world):
    _, _, wire, mac = bridged_mac(world)
    check_appletalk(wire, mac, "BasiliskROM")


@needs(emulator.missing)
def test_mac_finds_a_machine_of_the_lan_by_nbp(world):
    _, _, wire, mac = bridged_mac(world, name="Quadra")
    node = appletalk.Node(wire, name="Server")
    found = node.serve(10, testproto.news(mac.mac, "Server"))
    assert found and (found.net, found.node) == node.address, found


@needs(emulator.missing)
def test_host_itself_reaches_the_mac(world):
    desk, _ = desk_and_machine(world)
    wire = Wire(desk)
    mac = Emulator(desk)
    mac.hello(wire)
    check_echoes(wire, mac)
    testproto.burst(wire, mac.mac, 80, 1514)
    check_appletalk(wire, mac, "BasiliskROM")


@needs(emulator.missing)
def test_two_macs_of_a_host_find_each_other(world):
    desk, _, wire, one = bridged_mac(world, name="Quadra")
    two = Emulator(desk, name="Centris")
    wire.expect(testproto.news(one.mac, "Centris"), 20)
    two.mac = wire.expect(testproto.news(None, "Quadra"), 20).mac
    assert two.mac[:5] == one.mac[:5] and two.mac[5] == one.mac[5] + 1
    assert len(taps(desk)) == 2


@needs(emulator.missing)
def test_ping_of_the_host_loses_nothing_while_a_mac_comes_and_goes(world):
    desk, machine = desk_and_machine(world)
    wire = Wire(machine)
    ping = desk.start(["ping", "-i", "0.01", machine.address])
    ping.expect(r"icmp_seq=1 ", stream="stdout")
    for _ in range(2):
        mac = Emulator(desk)
        mac.hello(wire)
        mac.quit(wire)
    wait_until(lambda: not taps(desk), what="the end of the TAP")
    ping.expect(r"icmp_seq=\d{3} ", stream="stdout")
    ping.signal(signal.SIGINT)
    assert ping.wait() == 0
    sent, received = re.search(r"(\d+) packets transmitted, (\d+) received", ping.stdout).groups()
    assert int(sent) >= 100
    assert int(received) >= int(sent) - 1, f"{received} of {sent}"  # the last may be on its way
    numbers = [int(n) for n in re.findall(r"icmp_seq=(\d+) ", ping.stdout)]
    assert numbers == list(range(1, len(numbers) + 1)), "lost or doubled"


@needs(emulator.missing)
def test_no_tap_is_left_after_quit(world):
    desk, _, wire, mac = bridged_mac(world)
    assert taps(desk)
    said = mac.quit(wire)
    assert said.mac == mac.mac and said.open_result == 0 and said.refused == 0
    wait_until(lambda: not taps(desk), what="the end of the TAP")


@needs(emulator.missing)
def test_no_tap_is_left_after_kill(world):
    desk, _, _, mac = bridged_mac(world)
    assert taps(desk)
    mac.kill()
    wait_until(lambda: not taps(desk), what="the end of the TAP")


@needs(emulator.missing)
def test_next_start_has_the_same_mac(world):
    desk, _, wire, mac = bridged_mac(world)
    mac.quit(wire)
    again = Emulator(desk, home=mac.home)
    assert again.hello(wire).mac == mac.mac
