# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program of station.py:  station_program.py ETHER DESCRIPTOR WAITS

Between a card, opened and used as the emulator does it, and a socket pair: a message is a frame.
WAITS: how the card is waited for. "both": by one poll(), together with the pair. "alone": in a thread
of its own, as the emulator has it. "select", "epoll": so, too, and by that for each second frame.
"""
import fcntl
import itertools
import os
import resource
import select
import signal
import socket
import sys
import threading

SIOCSIFLINK, SIOCGIFADDR = 0x8911, 0x8915
STOP, GO = b"stop", b"go"
EXIT, FORK = b"exit", b"fork"  # exit() without close(), in the program or in a child of it
LEAVE = b"leave"  # a child that lives on, whatever becomes of the program
FILL = b"fill"  # all descriptors that it may have are in use from then on


class Alone(threading.Thread):
    """Waits for the card, and for nothing else, as long as it is told to."""

    def __init__(self, card, pair, waits):
        super().__init__(daemon=True)
        self.card, self.pair = card, pair
        self.wanted = threading.Event()
        self.wanted.set()
        second = {"alone": self.by_poll, "select": self.by_select, "epoll": self.by_epoll}[waits]
        self.ways = itertools.cycle((self.by_poll, second))

    def by_poll(self):
        poll = select.poll()
        poll.register(self.card, select.POLLIN)
        return poll.poll()[0][1]

    def by_select(self):
        select.select([self.card], [], [])
        return select.POLLIN

    def by_epoll(self):
        with select.epoll() as poll:
            poll.register(self.card, select.EPOLLIN)
            return poll.poll()[0][1]

    def run(self):
        way = next(self.ways)
        while self.wanted.wait():
            events = way()
            if events & select.POLLNVAL:
                return  # it was closed
            assert events == select.POLLIN, f"the card shows {events:#x}"
            if self.wanted.is_set() and receive(self.card, self.pair):
                way = next(self.ways)


def fill():
    most = max(int(number) for number in os.listdir("/proc/self/fd")) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        while True:
            os.dup(0)
    except OSError as error:
        print(f"full: {error}", flush=True)


def main(ether, number, waits):
    """The program: its end of the pair is descriptor `number`."""
    pair = socket.socket(fileno=number)
    card = os.open("/dev/sheep_net", os.O_RDWR)
    fcntl.ioctl(card, SIOCSIFLINK, ether.encode() + b"\0")
    fcntl.fcntl(card, fcntl.F_SETFL, fcntl.fcntl(card, fcntl.F_GETFL) | os.O_NONBLOCK)
    pair.send(fcntl.ioctl(card, SIOCGIFADDR, bytes(6)))
    poll = select.poll()
    poll.register(pair, select.POLLIN)
    if waits == "both":
        poll.register(card, select.POLLIN)
    else:
        alone = Alone(card, pair, waits)
        alone.start()
    while True:
        for descriptor, events in poll.poll():
            if descriptor == card:
                assert events == select.POLLIN, f"the card shows {events:#x}"
                receive(card, pair)
            else:
                message = pair.recv(2048)
                if not message:
                    os.close(card)
                    return
                if message == EXIT:
                    sys.exit(0)
                if message == FORK:
                    child = os.fork()
                    if not child:
                        sys.exit(0)
                    os.waitpid(child, 0)
                elif message == LEAVE:
                    if not os.fork():
                        pair.close()
                        signal.pause()
                elif message == FILL:
                    fill()
                elif message in (STOP, GO) and waits != "both":
                    alone.wanted.clear() if message == STOP else alone.wanted.set()
                elif message == STOP:
                    poll.unregister(card)
                elif message == GO:
                    poll.register(card, select.POLLIN)
                else:
                    os.write(card, message)


def receive(card, pair):
    """As the emulator does: until there is none, or one is too short to be one. How many it was."""
    for count in itertools.count():
        try:
            frame = os.read(card, 1514)
        except BlockingIOError:
            return count
        assert 14 <= len(frame) <= 1514
        try:
            pair.send(frame, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass  # the test does not listen


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
