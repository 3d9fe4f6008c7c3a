# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest without an emulator: the descriptor that the helper handed over, and raw frames."""
import os
import select
import time

import helper
from wire import Ether


class Guest(Ether):
    """Closing it ends its TAP, as the end of an emulator does."""

    def __init__(self, host, ask=helper.ask, **options):
        answer = ask(host, **options)
        assert answer.status == 0, answer
        self.fd = answer.fd
        self.reply = answer.reply  # None where it has no more room than for a byte
        self.mac = helper.guest_mac(answer.fd)
        self.card = helper.tap_name(answer.fd)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def send(self, frame):
        os.write(self.fd, frame)

    def receive(self, seconds):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return os.read(self.fd, 65536)
            except BlockingIOError:
                left = max(deadline - time.monotonic(), 0)
                if not select.select([self.fd], [], [], left)[0]:
                    return None
