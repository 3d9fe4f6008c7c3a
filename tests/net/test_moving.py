# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reader who comes from a network made by hand: what basilisk-tap-moving(7) says is in the way is, and
what it shows takes it away."""
import os
import shutil

import emulator
from case import needs
from desk import two
from documents import shown, typed
from emulator import Emulator
from guest import Guest
from guest_ip import ping
from station import Station
from wire import Wire


def do(host, text):
    done = typed(host, text)
    assert done.returncode == 0, (text, done)


def how(host):
    with Station(host, debug=False) as mac:
        return mac.said()[0], mac.status()["attach"]


def test_bridge_made_by_hand_is_kept_or_taken_apart(world):
    machine, desk = two(world)
    net = desk.address
    desk.ip(
        "tuntap add tap0 mode tap user 7001",
        "link add br0 type bridge",
        "link set tap0 master br0 up",
        "link set nic master br0",
        "addr flush dev nic",
        f"addr add {net}/24 dev br0",
        "link set br0 up",
        f"route add default via {net.rpartition('.')[0]}.254",
    )
    desk.sysctl("net/ipv4/ip_forward", "1")
    line, attach = how(desk)
    assert attach == "host" and "br0" in line, line
    desk.policy("allow all\njoin br0\n")  # kept
    assert how(desk)[1] == "join"
    desk.policy("allow all\n")  # taken apart
    do(desk, "sudo basilisk-tap-helper --release")
    do(desk, shown("sudo ip link delete tap0"))
    do(desk, shown("sudo ip link delete br0"))
    do(desk, shown("sudo sysctl -w net.ipv4.ip_forward=0"))
    gateway = net.rpartition(".")[0] + ".254"
    desk.ip(f"addr add {net}/24 dev nic", f"route add default via {gateway} dev nic")
    assert how(desk) == (f"basilisk-tap: bridged to nic, MAC {own_mac(desk)}", "patch")
    guest = Guest(desk)
    ping(guest, machine.address)
    guest.close()


def own_mac(host):
    return host.run(["basilisk-tap", "mac", "--slot=0"], user="mac").stdout.strip()


def test_ingress_qdisc_is_taken_away(world):
    desk = world.host("desk", world.lan())
    do(desk, "sudo ip link set nic down && ip link set nic name eth0 && ip link set eth0 up")
    do(desk, "sudo tc qdisc add dev eth0 ingress")
    assert how(desk)[1] == "none"
    do(desk, shown("sudo tc qdisc del dev eth0 ingress"))
    assert how(desk)[1] == "patch"


def test_privilege_of_an_emulator_is_taken_away(world):
    desk = world.host("desk", world.lan())
    program = "/opt/BasiliskII/BasiliskII"

    def put():
        import ns

        ns.mount("tmpfs", "/opt", "tmpfs", data="mode=755")
        os.mkdir("/opt/BasiliskII")
        shutil.copy("/usr/bin/true", program)

    desk.inside(put)
    do(desk, f"sudo chmod u+s {program}")
    do(desk, f"sudo setcap cap_net_admin+ep {program}")
    for text, why in (
        (shown("sudo chmod u-s /opt/BasiliskII/BasiliskII"), "is setuid"),
        (shown("sudo setcap -r /opt/BasiliskII/BasiliskII"), "has file capabilities"),
    ):
        done = desk.run(["basilisk-tap", "run", program], user="mac")
        assert done.returncode == 126 and why in done.stderr, done
        do(desk, text)
    assert desk.run(["basilisk-tap", "run", program], user="mac").returncode == 0


@needs(emulator.missing)
def test_last_ether_line_counts_and_udptunnel_comes_before_it(world):
    lan = world.lan()
    desk = world.host("desk", lan)
    with Wire(world.host("machine", lan)) as wire:
        mac = Emulator(desk, ether="tap0\nether auto")
        mac.hello(wire)
        mac.quit(wire)
    for ether in ("auto\nether tap0", "auto\nudptunnel true\nudpport 6066"):
        mac = Emulator(desk, ether=ether, seconds=1)
        mac.ended(20)
        assert not mac.lines(), (ether, mac.stderr)
