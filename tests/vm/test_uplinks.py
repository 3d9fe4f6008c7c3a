# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uplinks that need a kernel with modules, as Debian's has: VLAN, bond, team, and a wireless card,
which is one of mac80211_hwsim's: nl80211, mac80211 and a driver, but no radio.
"""
import json
import socket
import struct

from case import limit
from desk import check_ip, check_reaches, release, two, unchanged
from guest import Guest
from helper import HELPER
from netstate import attributes
from wire import Wire
from world import ALLOW

SLOW = 240  # seconds: an emulated processor
INTO = "link set nic down", "link set nic master pile"


def check_stacked(world, *lines, before=()):
    """lines: how the uplink, "pile", is made of the card; before: commands after the first of them."""
    lan = world.lan()
    machine, desk = (world.host(name, lan) for name in ("machine", "desk"))
    for host, last in ((machine, 1), (desk, 2)):
        host.ip("addr flush dev nic", lines[0])
        for words in before:
            done = host.run(words.split())
            assert done.returncode == 0, done
        host.ip(*lines[1:], "link set nic up", "link set pile up",
                f"addr add 10.20.0.{last}/24 dev pile", "route replace default dev pile")  # fmt: skip
        host.cards["nic"] = f"10.20.0.{last}"
    assert desk.run(["ping", "-c1", "-W5", machine.address]).returncode == 0
    with unchanged(desk, ("pile",)):
        with Guest(desk) as guest, Wire(machine, "pile") as lan, Wire(desk, "pile") as wire:
            assert guest.reply.attach == "patch" and guest.reply.uplink == "pile", guest.reply
            check_reaches(guest, lan, wire)
        release(desk)
    with Guest(desk) as guest:
        check_ip(machine, desk, guest)


@limit(SLOW)
def test_vlan_as_uplink(world):
    check_stacked(world, "link add link nic name pile type vlan id 7")


@limit(SLOW)
def test_bond_as_uplink(world):
    check_stacked(world, "link add pile type bond mode active-backup", *INTO)


@limit(SLOW)
def test_team_as_uplink(world):
    mode = "teamnl pile setoption mode roundrobin"
    check_stacked(world, "link add pile type team", *INTO, before=[mode])


@limit(SLOW)
def test_part_of_a_bond_as_uplink_is_refused_by_name(world):
    machine, desk = two(world, policy=ALLOW + "uplink nic\n")
    desk.ip("addr flush dev nic", "link add pile type bond mode active-backup", *INTO,
            "link set pile up")  # fmt: skip
    done = desk.run([HELPER, "--status"], user="mac")
    assert "nic is a part of bond pile: name that" in done.stdout, done


# ---- wireless
def ask_generic(sock, family, command, version=1, payload=b""):
    """The attributes of the answer, {} where it is a mere yes."""
    body = struct.pack("=BBH", command, version, 0) + payload
    sock.send(struct.pack("=IHHII", 16 + len(body), family, 5, 1, 0) + body)  # REQUEST, ACK
    answer = sock.recv(8192)
    if struct.unpack_from("=H", answer, 4)[0] == 2:  # NLMSG_ERROR
        error = struct.unpack_from("=i", answer, 16)[0]
        assert error >= 0, (command, error)
        return {}
    sock.recv(8192)
    return dict(attributes(answer[20 : struct.unpack_from("=I", answer)[0]]))


def plug_wireless(host):
    """A card of the host's own; returns its name."""

    def body():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:  # NETLINK_GENERIC
            sock.settimeout(5)
            name = b"MAC80211_HWSIM\0\0"
            found = ask_generic(sock, 16, 3, payload=struct.pack("=HH", 19, 2) + name)
            ask_generic(sock, struct.unpack("=H", found[1][:2])[0], 4)  # HWSIM_CMD_NEW_RADIO

    before = host.links()
    host.inside(body)
    [name] = {link for link in host.links() - before if link.startswith("wlan")}
    return name


@limit(SLOW)
def test_wireless_card_gives_the_host_and_says_why_not_more(world):
    host = world.host("desk")
    card = plug_wireless(host)
    host.ip(f"link set {card} up", f"addr add 10.30.0.2/24 dev {card}",
            f"route add default via 10.30.0.1 dev {card}")  # fmt: skip
    with Guest(host) as guest:
        assert guest.reply.attach == "host" and guest.reply.uplink == card, guest.reply
        assert guest.reply.text == f"{card} is wireless and cannot be bridged", guest.reply
    release(host)
    done = host.run(["basilisk-tap", "doctor", "--json"], user="mac", seconds=SLOW)
    found = {f["check"]: f["what"] for f in json.loads(done.stdout)["findings"] if f["problem"]}
    assert f"{card} is wireless" in found["wireless"] and "attach" not in found, done


@limit(SLOW)
def test_wired_card_is_preferred_to_a_wireless_one_with_the_default_route(world):
    machine, host = two(world)
    card = plug_wireless(host)
    host.ip("route del default", f"link set {card} up", f"addr add 10.30.0.2/24 dev {card}",
            f"route add default via 10.30.0.1 dev {card}")  # fmt: skip
    with Guest(host) as guest, Wire(machine) as lan, Wire(host) as wire:
        assert (guest.reply.attach, guest.reply.uplink) == ("patch", "nic"), guest.reply
        check_reaches(guest, lan, wire)
    release(host)


@limit(SLOW)
def test_wireless_card_is_never_given_to_a_bridge(world):
    host = world.host("desk")
    card = plug_wireless(host)
    for policy in (f"uplink {card}\nattach bridge\n", f"uplink {card}\nattach patch\n"):
        host.policy(ALLOW + policy)
        done = host.run([HELPER, "--status"], user="mac")
        assert "is wireless and cannot be bridged" in done.stdout, done
        assert "uplink-unfit" in done.stdout, done
