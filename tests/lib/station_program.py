# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program of station.py:  station_program.py ETHER DESCRIPTOR

Between a card, opened and used as the emulator does it, and a socket pair: a message is a frame.
"""
import fcntl
import os
import select
import signal
import socket
import sys

SIOCSIFLINK, SIOCGIFADDR = 0x8911, 0x8915
STOP, GO = b"stop", b"go"
EXIT, FORK = b"exit", b"fork"  # exit() without close(), in the program or in a child of it
LEAVE = b"leave"  # a child that lives on, whatever becomes of the program


def main(ether, number):
    """The program: its end of the pair is descriptor `number`."""
    pair = socket.socket(fileno=number)
    card = os.open("/dev/sheep_net", os.O_RDWR)
    fcntl.ioctl(card, SIOCSIFLINK, ether.encode() + b"\0")
    fcntl.fcntl(card, fcntl.F_SETFL, fcntl.fcntl(card, fcntl.F_GETFL) | os.O_NONBLOCK)
    pair.send(fcntl.ioctl(card, SIOCGIFADDR, bytes(6)))
    poll = select.poll()
    poll.register(card, select.POLLIN)
    poll.register(pair, select.POLLIN)
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
                elif message == STOP:
                    poll.unregister(card)
                elif message == GO:
                    poll.register(card, select.POLLIN)
                else:
                    os.write(card, message)


def receive(card, pair):
    """As the emulator does: until there is none, or one is too short to be one."""
    while True:
        try:
            frame = os.read(card, 1514)
        except BlockingIOError:
            return
        assert 14 <= len(frame) <= 1514
        try:
            pair.send(frame, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass  # the test does not listen
        if len(frame) < 14:
            return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
