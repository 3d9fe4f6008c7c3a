# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, with words that it does not understand and descriptors that it must not use, in each
of the ways to ask it.  More of the kind, meant ill: test_helper_hostile.py.
"""
import contextlib
import os
import socket

import helper
from case import over
from helper import CODES, HELPER, taps
from ways import CAPABILITY, QEMU, SETUID, SOCKET, WAYS


def desk(world, **options):
    return world.host("desk", world.lan(), **options)


def one_line(text):
    lines = text.splitlines()
    assert len(lines) == 1 and lines[0].strip(), text
    return lines[0]


# ---- words
@over(SETUID, CAPABILITY, SOCKET)
def test_unknown_word_is_named(world, way):
    host = desk(world)
    line = way.refused(way.ask(host, "--slot=0", "--br=auto", "--frobnicate"), "usage")
    assert "--frobnicate" in line and "--help" in line, line
    assert not taps(host)


@over(SETUID, CAPABILITY, SOCKET)
def test_slot_beyond_the_last_is_refused(world, way):
    line = way.refused(way.ask(desk(world), "--slot=16", "--br=auto"), "usage")
    assert "--slot=16" in line, line


@over(SETUID, CAPABILITY, QEMU)
def test_option_given_on_a_terminal_is_answered_on_stderr(world, way):
    done = desk(world).run([HELPER, "--frobnicate"], user="mac")
    assert done.returncode == CODES["usage"], done
    assert "--frobnicate" in one_line(done.stderr), done


# ---- descriptors; by SOCKET there is none to choose
def ask_on(way, host, descriptor):
    """The exit status and stderr of a request with that descriptor for the reply."""
    words = ["--use-vnet"] if way is QEMU else ["--slot=0"]
    argv = [HELPER, f"--fd={descriptor}", *words, "--br=auto"]
    passed = () if descriptor in (0, 1, 2, 77) else (descriptor,)
    return host.run(argv, user="mac", pass_fds=passed)


def check_descriptor(way, host, descriptor, reason):
    done = ask_on(way, host, descriptor)
    assert done.returncode == CODES["bad-descriptor"], done
    line = one_line(done.stderr)
    assert str(descriptor) in line and reason in line and "socket pair" in line, line
    assert not taps(host)


@over(SETUID, CAPABILITY, QEMU)
def test_descriptor_that_is_no_socket_is_refused(world, way):
    host = desk(world)
    reader, writer = os.pipe()
    check_descriptor(way, host, writer, "is no socket")
    os.close(writer)
    assert os.read(reader, 10) == b""
    os.close(reader)
    check_descriptor(way, host, 77, "is not open")
    check_descriptor(way, host, 2, "from 3 up")


@over(SETUID, CAPABILITY, QEMU)
def test_tcp_socket_as_descriptor_is_refused(world, way):
    def make():
        server = socket.create_server(("127.0.0.1", 0))
        return socket.create_connection(server.getsockname()), server

    host = desk(world)
    client, server = helper.made_by(host, "mac", make)
    with client, server:
        check_descriptor(way, host, client.fileno(), "is no AF_UNIX socket")


@over(SETUID, CAPABILITY, QEMU)
def test_listening_socket_as_descriptor_is_refused(world, way):
    def make():
        server = socket.socket(socket.AF_UNIX)
        server.bind("")  # any abstract name
        server.listen()
        return [server]

    host = desk(world)
    [server] = helper.made_by(host, "mac", make)
    with server:
        check_descriptor(way, host, server.fileno(), "is a listening socket")


@over(SETUID, CAPABILITY, QEMU)
def test_socket_that_is_not_connected_or_no_stream_is_refused(world, way):
    host = desk(world)
    [alone] = helper.made_by(host, "mac", lambda: [socket.socket(socket.AF_UNIX)])
    ours, theirs = helper.pair(host, "mac", socket.SOCK_DGRAM)
    with alone, ours, theirs:
        check_descriptor(way, host, alone.fileno(), "is not connected")
        check_descriptor(way, host, theirs.fileno(), "is no stream socket")


@over(SETUID, CAPABILITY, QEMU)
def test_connection_to_another_user_as_descriptor_is_refused(world, way):
    host = desk(world)
    ours, theirs = helper.pair(host, "lisa")
    with ours, theirs:
        check_descriptor(way, host, theirs.fileno(), "leads to user 7003")
        theirs.close()
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            assert ours.recv(100) == b"", "said to lisa"


@over(SETUID, CAPABILITY, QEMU)
def test_caller_who_is_gone_gets_no_tap(world, way):
    """Closed early, and full: the helper waits no longer than its deadline, and leaves no TAP."""
    host = desk(world)
    for closed in (True, False):
        ours, theirs = helper.pair(host, "mac")
        with ours, theirs:
            if closed:
                ours.close()
            else:
                theirs.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        theirs.send(bytes(4096))
            done = ask_on(way, host, theirs.fileno())
            assert done.returncode == CODES["handover"], done
            assert "could not be sent" in one_line(done.stderr), done
        assert not taps(host)


# ---- what all say in common
@over(*WAYS)
def test_refusal_is_one_line_of_printable_characters(world, way):
    host = desk(world)
    for name in ("br\x1b[2J", "br\xe9", "%s%n"):
        line = way.refused(way.ask(host, br=name), "bad-name")
        assert all(" " <= character <= "~" for character in line), line
