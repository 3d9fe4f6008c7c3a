# SPDX-License-Identifier: LGPL-2.1-or-later
"""Socket activation (Accept=yes) by systemd-socket-activate, which is systemd's own accepting and
handing over, without a systemd that has booted.

What systemd does beside that is done here as packaging/systemd/ says: the socket is made, and each
helper runs as a user without a name, with CAP_NET_ADMIN as its only, ambient, capability.  The
units themselves, under a systemd that has booted: tests/vm/.
"""
import contextlib
import os
import re
import signal
import socket

from proc import Process, enter, wait_until

PROGRAM = "/usr/bin/systemd-socket-activate"
SOCKET = "/run/basilisk-tap.sock"
DYNAMIC_USER = 61184
NET_ADMIN = "-all,+net_admin"
LOCKED = "+noroot,+noroot_locked,+no_setuid_fixup,+no_setuid_fixup_locked"


class Activation:
    def __init__(self, host, helper, mode=0o666):
        def body():
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.bind(SOCKET)
            os.chmod(SOCKET, mode)
            sock.listen(128)
            return sock

        service = [
            *("setpriv", f"--reuid={DYNAMIC_USER}", f"--regid={DYNAMIC_USER}", "--clear-groups"),
            *(f"--inh-caps={NET_ADMIN}", f"--ambient-caps={NET_ADMIN}"),
            *(f"--bounding-set={NET_ADMIN}", f"--securebits={LOCKED}", "--no-new-privs"),
            *("--", "sh", "-c", 'exec "$0" --socket >/dev/null', helper),
        ]
        # outside of the host, which may have no systemd; the socket and who is started are inside
        with host.inside(body) as sock:
            start = f"exec 3<&{sock.fileno()} && LISTEN_PID=$$ LISTEN_FDS=1 exec {PROGRAM} "
            argv = ["bash", "-c", start + '"$@"', "bash", "--accept", "--inetd", "--"]
            self.process = Process(
                argv + enter(host.namespaces, service),
                name=f"{host.name}.{next(host.world.serial)}.activation",
                folder=host.world.path(),
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb"},
                pass_fds=(sock.fileno(), *host.namespaces.values()),
            )
        host.world.processes.append(self.process)

    @property
    def stderr(self):
        return self.process.stderr

    def statuses(self, count):
        """How so many helpers ended, in no order."""

        def ended():
            found = re.findall(r"^Child \d+ died with code (\d+)$", self.stderr, re.MULTILINE)
            return len(found) >= count and [int(number) for number in found]

        return wait_until(ended, what=f"the end of {count} helpers")

    def kill_children(self):
        """The helpers that run now, or are about to."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            for child in file.read().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)

    def close(self):
        self.process.kill()
