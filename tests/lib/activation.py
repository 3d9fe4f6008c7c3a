# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for systemd's socket activation (Accept=yes), which needs a systemd that has booted.

As packaging/systemd/ says: each connection becomes the standard input of a helper of its own, which
runs as a user without a name, with CAP_NET_ADMIN as its only, ambient, capability.
"""
import os
import socket
import subprocess
import threading

from proc import enter

SOCKET = "/run/basilisk-tap.sock"
DYNAMIC_USER = 61184


class Activation:
    def __init__(self, host, helper):
        self.host = host
        self.helper = helper
        self.stderr = []

        def body():
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.bind(SOCKET)
            os.chmod(SOCKET, 0o666)
            sock.listen(16)
            return sock

        self.socket = host.inside(body)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        cap = "+net_admin"
        argv = ["setpriv", f"--reuid={DYNAMIC_USER}", f"--regid={DYNAMIC_USER}", "--clear-groups"]
        argv += ["--inh-caps=-all," + cap, "--ambient-caps=-all," + cap, "--bounding-set=-all," + cap]
        argv += ["--no-new-privs", "--", self.helper, "--socket"]
        with connection:
            done = subprocess.run(
                enter(self.host.namespaces, argv),
                stdin=connection,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env={},
                pass_fds=tuple(self.host.namespaces.values()),
            )
        self.stderr.append(done.stderr)

    def close(self):
        self.socket.close()
