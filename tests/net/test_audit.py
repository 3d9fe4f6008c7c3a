# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper's line in the system's log, one for each decision, before the caller knows."""
import contextlib
import errno
import os
import select
import socket
import stat

import helper
import ns
from case import limit, over
from desk import release
from stand import ATTACH, POLICY, into_bridge
from tracer import At, Tracer
from ways import SETUID, WAYS
from world import ALLOW

LOG = 7  # FD_LOG of helper/early.h


def system_log(host):
    """The host gets a /dev of its own with a /dev/log, which is the socket that is returned."""
    dev = host.world.path(host.name + "-dev")

    def body():
        os.makedirs(dev + "/net")
        devices = {"null": (1, 3), "zero": (1, 5), "urandom": (1, 9), "net/tun": (10, 200)}
        for name, device in devices.items():
            os.mknod(f"{dev}/{name}", stat.S_IFCHR | 0o666, os.makedev(*device))
            os.chmod(f"{dev}/{name}", 0o666)
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.bind(dev + "/log")
        os.chmod(dev + "/log", 0o666)
        ns.bind(dev, "/dev")
        log.settimeout(5)
        return log

    return host.inside(body)


@over(*WAYS)
def test_every_decision_is_one_line_in_the_log(world, way):
    host = world.host("desk", world.lan())
    with system_log(host) as log:
        with way.guest(host) as guest:
            line = log.recv(1024).decode()
            assert line.startswith("<86>basilisk-tap-helper: uid=7001 pid="), line  # authpriv.info
            for part in ("result=ok", "helper.conf:1", f"tap={guest.card}", "attach=patch",
                         "uplink=nic"):  # fmt: skip
                assert part in line, (part, line)
        host.policy("allow group netdev\ndeny user guest\n")
        way.refused(way.ask(host, user="guest"), "denied")
        line = log.recv(1024).decode()
        assert "uid=7002" in line and "result=denied" in line and "helper.conf:2" in line, line
        way.refused(way.ask(host, br="a/b"), "bad-name")
        assert "uid=7001" in (line := log.recv(1024).decode()) and "result=bad-name" in line, line
        nothing_in(log)
        release(host)
        line = log.recv(1024).decode()
        assert "uid=0" in line and "result=ok" in line, line
        nothing_in(log)


# What the line has of each attachment: the card, or the bridge that is the way to the LAN
UPLINKS = {"patch": "nic", "host": "nic", "none": "", "join": "br0", "bridge": "br-basilisk"}


@limit(60)
def test_line_names_the_attachment_with_its_card_or_bridge_and_the_bridge_that_is_refused(world):
    for attachment, uplink in UPLINKS.items():
        host = world.host(attachment, world.lan(), policy=ALLOW + POLICY[attachment])
        if attachment == "join":
            into_bridge(host)
        if attachment == "bridge":
            host.plug(world.lan(), "spare", address=0)
        with system_log(host) as log:
            with SETUID.guest(host) as guest:
                line = log.recv(1024).decode()
                for part in (f"tap={guest.card} ", f"attach={attachment} ", f"uplink={uplink}"):
                    assert part in line + " ", (part, line)
            SETUID.refused(SETUID.ask(host, br="br7"), "bridge-refused")
            line = log.recv(1024).decode()
            assert "result=bridge-refused" in line and "bridge=br7 " in line, line


def nothing_in(log):
    assert not select.select([log], [], [], 0)[0], log.recv(1024)


def test_line_waits_for_room_in_the_log(world):
    """Anybody can fill the queue of the log's socket; that must not hide what he does next."""
    host = world.host("desk", world.lan())
    with system_log(host) as log, Tracer(host) as tracer:
        tracer.start(*ATTACH)
        at = tracer.until("sendto", LOG)
        assert isinstance(at, At), at

        def fill():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect("/dev/log")
                with contextlib.suppress(BlockingIOError):
                    while True:
                        sock.send(b"<13>anything")

        host.inside(fill)
        at = tracer.to(at.index + 1)
        assert isinstance(at, At) and at.name == "ppoll", at
        assert log.recv(1024) == b"<13>anything"
        end = tracer.go()
        os.close(end.fd)
        log.settimeout(0)
        lines = []
        with contextlib.suppress(BlockingIOError):
            while True:
                lines.append(log.recv(1024))
        assert [line for line in lines if b"result=ok" in line], lines


def test_line_is_there_before_the_caller_knows_and_another_if_he_never_will(world):
    """From the reply on he may be able to end the helper."""
    host = world.host("desk", world.lan())
    with system_log(host) as log, Tracer(host) as tracer:
        tracer.start(*ATTACH)
        assert isinstance(tracer.until("sendmsg"), At)
        assert b"result=ok" in log.recv(1024)
        end = tracer.fail(errno.EPIPE)
        assert end.status == helper.CODES["handover"] and end.fd is None, end
        assert b"result=handover" in log.recv(1024)
        nothing_in(log)


def test_line_of_a_refused_command_line_goes_to_the_log_and_nowhere_else(world):
    host = world.host("desk", world.lan())
    with system_log(host) as log:
        mine, theirs = socket.socketpair()
        with mine, theirs:  # an inherited socket on every number that the helper could mean
            fds = [os.dup(theirs.fileno()) for _ in range(12)]
            done = host.run([helper.HELPER, "--frob"], user="mac", pass_fds=fds)
            for fd in fds:
                os.close(fd)
            theirs.close()
            assert done.returncode == helper.CODES["usage"], done
            assert mine.recv(1024) == b""
        assert "result=usage" in log.recv(1024).decode()
