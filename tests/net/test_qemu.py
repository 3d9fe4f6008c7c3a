# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU as the second client: its own call of the helper, and a guest that needs no disk."""
import os

from case import needs
from documents import shown
from helper import HELPER, taps
from proc import wait_until

QEMU = "/usr/bin/qemu-system-x86_64"
DNSMASQ = "/usr/sbin/dnsmasq"


def missing():
    for program in (QEMU, DNSMASQ):
        if not os.path.exists(program):
            return f"no {program} (packaging/deps.sh check installs it)"
    return None


def leases(machine):
    """A DHCP server on the LAN side; returns where it writes what it gave to whom."""
    file = machine.world.path("leases")
    argv = [DNSMASQ, "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"]
    argv += ["--interface=nic", "--bind-interfaces", "--dhcp-range=10.9.0.100,10.9.0.199,1h"]
    argv += [f"--dhcp-leasefile={file}", "--pid-file=", "--dhcp-authoritative", "--no-ping"]
    machine.start(argv, name="dnsmasq")
    return file


def given(file):
    if not os.path.exists(file):
        return {}
    with open(file) as lines:
        return {words[1]: words[2] for words in map(str.split, lines)}


@needs(missing)
def test_boot_rom_of_a_qemu_guest_gets_a_lease_from_the_lan(world):
    lan = world.lan()
    machine, desk = world.host("machine", lan), world.host("desk", lan)
    file = leases(machine)
    mac = desk.run(["basilisk-tap", "mac"], user="mac").stdout.strip()
    command = shown(
        "qemu-system-x86_64 -device e1000,netdev=n,mac=$(basilisk-tap mac) -netdev"
        " bridge,id=n,br=auto,helper=/usr/local/lib/basilisk-tap/basilisk-tap-helper"
    )
    more = "-accel tcg -display none -boot n -m 64 -nodefaults"
    guest = desk.start(["sh", "-c", f"exec {command} {more}"], user="mac", name="qemu")
    wait_until(lambda: mac in given(file), seconds=40, what="a lease for the guest")
    assert len(taps(desk)) == 1
    guest.kill()
    wait_until(lambda: not taps(desk), what="the end of the TAP")


@needs(missing)
def test_refused_qemu_says_what_the_helper_said(world):
    desk = world.host("desk", world.lan(), policy="deny user mac\n")
    done = desk.run(
        [
            *(QEMU, "-accel", "tcg", "-display", "none", "-nodefaults"),
            *("-netdev", f"bridge,id=n,br=auto,helper={HELPER}"),
        ],
        user="mac",
    )
    assert done.returncode != 0
    assert "helper.conf:1 denies user 7001" in done.stderr, done.stderr
