# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real avahi-daemon in a host, with a message bus of its own in that host's /run.

The programs are the machine's, or those that packaging/deps.sh unpacked into build/debian.
"""
import os
import shutil
import socket

from proc import wait_until
from world import TREE

BUS_SOCKET = "/run/dbus/system_bus_socket"
BUS = f"""<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={BUS_SOCKET}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""
DAEMON = """[server]
host-name={name}
use-ipv4=yes
use-ipv6=yes
{server}
[publish]
publish-hinfo=no
publish-workstation=no
[rlimits]
"""


def program(name):
    unpacked = os.path.join(TREE, "build", "debian", name)
    if os.path.exists(unpacked):
        return unpacked
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")


def missing():
    """Why no Avahi can be started here, or None."""
    for name in ("avahi-daemon", "avahi-browse", "dbus-daemon"):
        if not program(name):
            return f"no {name} (packaging/deps.sh check)"
    return None


def answers():
    """The bus's socket is there before anybody can connect to it."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(BUS_SOCKET) == 0


class Avahi:
    """dbus-daemon and avahi-daemon of a host, both answering when this returns."""

    def __init__(self, host, server=""):
        self.host = host
        self.tools = {}
        for name in ("avahi-daemon", "avahi-browse"):  # from where the host sees them, too
            self.tools[name] = host.world.path(f"{host.name}-{name}")
            shutil.copy(program(name), self.tools[name])
        for folder in ("/run/dbus", "/run/avahi-daemon"):
            host.inside(lambda: os.makedirs(folder, exist_ok=True))
        host.write("/etc/avahi-test/bus.conf", BUS)
        host.write("/etc/avahi-test/daemon.conf", DAEMON.format(name=host.name, server=server))
        host.write("/etc/avahi/hosts", "")
        self.bus = host.start(["dbus-daemon", "--config-file=/etc/avahi-test/bus.conf", "--nofork"])
        wait_until(lambda: host.inside(answers), what="the message bus")
        self.start()

    def start(self):
        argv = [self.tools["avahi-daemon"], "-f", "/etc/avahi-test/daemon.conf"]
        argv += ["--no-chroot", "--no-rlimits", "--no-drop-root"]
        self.daemon = self.host.start(argv, name="avahi-daemon")
        self.daemon.expect("Server startup complete", 10)

    def stop(self):
        self.daemon.kill()

    def browse(self, kind="_basilisk-ether._udp"):
        """Resolved services as avahi-browse prints them: {name: [(host, address, port, [TXT])]}.

        A service has one entry for each interface and protocol that it was found by.
        """
        done = self.host.run([self.tools["avahi-browse"], "-rpt", kind], user="mac")
        services = {}
        for line in done.stdout.splitlines():
            if line.startswith("="):
                _, _, _, name, _, _, host, address, port, txt = line.split(";", 9)
                entry = host, address, int(port), txt.strip('"').split('" "')
                services.setdefault(name, []).append(entry)
        return services
