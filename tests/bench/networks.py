# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other ways from one host to another, each really started, as fast as it can be set:
encryption off where it can be, frames of 1,514 bytes let through, nothing logged.

A function for each takes the two hosts and starts what is needed; it returns the ways (way.h) of
both ends.  vde is used as an emulator would that is linked with its library.  The others end in a
TAP of their own; the program uses a packet socket on that, which is less than an emulator would
need (it would have to bridge a TAP of its own with it), so the figures flatter them.
"""
import os
import shutil
import subprocess

from proc import wait_until
from world import BUILD


def program(host, name):
    """A copy in a place that hosts see, wherever the tree is."""
    path = host.world.path(name)
    if not os.path.exists(path):
        shutil.copy(os.path.join(BUILD, "debian", name), path)
    return path


def version(package):
    """As Debian names it: of the installed package, or of the one that was unpacked."""
    marker = os.path.join(BUILD, "debian", package + ".unpacked")
    if os.path.exists(marker) and os.path.getsize(marker):
        with open(marker) as file:
            return file.read().strip()
    argv = ["dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(argv, capture_output=True, text=True).stdout.strip()


def up(host, card):
    """Await the card, and nothing else on it: no address, no router solicitations."""
    wait_until(lambda: card in host.links(), 10, card)
    host.sysctl(f"net/ipv6/conf/{card}/disable_ipv6", "1")
    host.ip(f"link set {card} mtu 1500 up")
    return f"card:{card}"


def vdeplug_udp(here, there):
    return [f"vde:udp://7101->{b.address}:7101" for b in (there, here)]


def vde_plug_tap(here, there):
    for own, other in ((here, there), (there, here)):
        plug = ["tap://vde0", f"udp://7103->{other.address}:7103"]
        own.start([program(own, "vde_plug"), *plug])
    return [up(host, "vde0") for host in (here, there)]


def vde_switch(here, there):
    for own, other in ((here, there), (there, here)):
        # as a daemon, because otherwise it ends with its stdin
        own.run([program(own, "vde_switch"), "-d", "-s", "/tmp/vde.ctl", "-M", "/tmp/vde.mgmt"])
        wait_until(lambda: own.inside(lambda: os.path.exists("/tmp/vde.ctl/ctl")), 5, "vde_switch")
        plug = ["vde:///tmp/vde.ctl", f"udp://7102->{other.address}:7102"]
        own.start([program(own, "vde_plug"), *plug])
    return ["vde:vde:///tmp/vde.ctl"] * 2


def tinc(here, there):
    keys = {}
    for name, host in (("here", here), ("there", there)):
        folder = host.world.path("tinc-" + name)
        os.makedirs(folder + "/hosts")
        host.folder_tinc = folder
        with open(folder + "/tinc.conf", "w") as file:
            file.write(f"Name = {name}\nMode = switch\nDeviceType = tap\nInterface = tinc0\n")
            file.write("ConnectTo = there\n" if name == "here" else "")
        # a key is needed for the connection of control, which stays encrypted
        subprocess.run(
            [program(host, "tincd"), "-c", folder, "-K", "1024"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        with open(f"{folder}/hosts/{name}") as file:
            keys[name] = file.read()
    options = "Cipher = none\nDigest = none\nMACLength = 0\nCompression = 0\nPMTUDiscovery = no\n"
    for host in (here, there):
        for name, other in (("here", here), ("there", there)):
            with open(f"{host.folder_tinc}/hosts/{name}", "w") as file:
                file.write(f"Address = {other.address}\n{options}{keys[name]}")
        pid = host.folder_tinc + "/pid"
        host.start([program(host, "tincd"), "-c", host.folder_tinc, "-D", f"--pidfile={pid}"])
    return [up(host, "tinc0") for host in (here, there)]


def n2n(here, there):
    there.start([program(there, "supernode"), "-l", "7654"])
    for number, host in enumerate((here, there), 1):
        argv = [program(host, "edge"), "-d", "n2n0", "-a", f"10.20.0.{number}", "-c", "bench"]
        host.start([*argv, "-k", "bench", "-l", f"{there.address}:7654", "-M", "1500"])
    return [up(host, "n2n0") for host in (here, there)]


def openvpn(here, there):
    for own, other in ((here, there), (there, here)):
        argv = [program(own, "openvpn"), "--dev", "ovpn0", "--dev-type", "tap", "--proto", "udp"]
        argv += ["--remote", other.address, "--port", "1194", "--mssfix", "0", "--verb", "0"]
        own.start([*argv, "--cipher", "none", "--auth", "none"])
    return [up(host, "ovpn0") for host in (here, there)]


# name: what starts it, the Debian packages it is from, what to say of its encryption
NETWORKS = {
    "vdeplug udp://": (vdeplug_udp, ["libvdeplug2"], ", in the process"),
    "vde_plug tap:// udp://": (vde_plug_tap, ["vdeplug"], ""),
    "vde_switch, vde_plug udp://": (vde_switch, ["vde-switch", "vdeplug"], ""),
    "tinc": (tinc, ["tinc"], ", not encrypted"),
    "n2n": (n2n, ["n2n"], ", encrypted (always)"),
    "openvpn": (openvpn, ["openvpn"], ", not encrypted"),
}
