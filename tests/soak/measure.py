# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a process and a host hold, in numbers."""
import os
import re


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def sockets(host):
    """{kind: how many} of the host's network namespace."""

    def body():
        found = {}
        for kind in ("unix", "netlink", "packet", "udp", "udp6", "tcp", "tcp6", "raw", "raw6"):
            with open(f"/proc/thread-self/net/{kind}") as file:
                found[kind] = len(file.readlines()) - 1
        return found

    return host.inside(body)


def programs():
    """{name: how many} of what runs in this process id namespace. Orphans that have ended are seen
    off first: we are their init."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)\n", file.read(), re.DOTALL).groups()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if rest[0] == "Z":
            os.waitpid(int(pid), 0)
        else:
            found[name] = found.get(name, 0) + 1
    return found


def leftovers(host):
    """Files below /tmp that no emulator needs once none runs: all but the locks, which stay, and
    sockets of those that were killed, of which there is one for each slot at most."""

    def body():
        found = []
        for folder, _, names in os.walk("/tmp"):
            inside = folder.startswith("/tmp/basilisk-tap-")
            for name in names:
                if not (inside and re.fullmatch(r"slot-\d+\.(lock|sock)", name)):
                    found.append(os.path.join(folder, name))
        return [path for path in found if "/.X11-unix/" not in path]

    return host.inside(body)
