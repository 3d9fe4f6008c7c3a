# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units of packaging/systemd under a systemd that has booted: this machine, which is a virtual one
and has nothing else to do, is the host.  Run by tests/vm/inside.
"""
import contextlib
import errno
import os
import re
import socket
import stat
import subprocess
import time

import helper
from helper import CODES, HELPER
from proc import wait_until
from world import NETDEV, TREE, USERS

PATH = "/run/basilisk-tap.sock"
WORDS = b"--fd=3\0--slot=0\0--br=auto\0"


def do(line):
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert done.returncode == 0, done
    return done.stdout


def policy(text):
    os.makedirs("/etc/basilisk-tap", exist_ok=True)
    with open("/etc/basilisk-tap/helper.conf", "w") as file:
        file.write(text)


def prepare():
    """Users, a network with a default route, and the program as it lies where setuid does nothing."""
    do(f"groupadd --gid {NETDEV} netdev")
    for name, (uid, groups) in USERS.items():
        do(f"useradd --uid {uid} {f'--groups {NETDEV}' if groups else ''} {name}")
    do("ip netns add lan && ip link add nic type veth peer name far netns lan")
    do("ip addr add 10.1.0.1/24 dev nic && ip link set nic up")
    do("ip -n lan link set far up && ip route add default via 10.1.0.2")
    do(f"make -s -C '{TREE}' -o all install prefix=/usr/local")
    os.chmod(HELPER, 0o755)
    policy("allow group netdev\nmax-taps 16\n")
    do("systemctl daemon-reload && systemctl enable --now basilisk-tap.socket")


def connect(user):
    """A connection of that user's; a number where he may not."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    child = os.fork()
    if child == 0:
        uid, groups = USERS[user]
        os.setgroups(groups)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        os._exit(sock.connect_ex(PATH))
    error = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return error or sock


def ask(user, words=WORDS):
    with connect(user) as sock:
        sock.send(words)
        message, fd = helper.receive(sock, 20)
        return helper.parse_reply(message), fd


def await_quiet():
    """No helper runs: of more than 16 at a time systemd drops the connection."""
    wait_until(lambda: not do("systemctl list-units --plain --no-legend 'basilisk-tap@*'"), 120,
               what="the end of the helpers", step=0.5)  # fmt: skip


def taps():
    return [name for name in os.listdir("/sys/class/net") if name.startswith("btap")]


def test_socket_is_for_its_group():
    found = os.stat(PATH)
    assert stat.S_IMODE(found.st_mode) == 0o660 and (found.st_uid, found.st_gid) == (0, NETDEV)
    assert connect("guest") == errno.EACCES


def test_caller_gets_a_tap_by_his_own_name():
    reply, fd = ask("mac")
    assert (reply.code, reply.attach, reply.uplink) == ("ok", "patch", "nic"), reply
    assert helper.tap_name(fd) == "btap1b59-0" and taps() == ["btap1b59-0"]
    os.close(fd)
    wait_until(lambda: not taps(), what="the end of the TAP")
    reply, fd = ask("lisa")
    assert helper.tap_name(fd) == "btap1b5b-0", reply
    os.close(fd)


def test_policy_decides_beside_the_group():
    policy("deny user lisa\nallow group netdev\n")
    try:
        reply, fd = ask("lisa")
        assert fd is None and reply.code == "denied" and "helper.conf:1" in reply.text, reply
    finally:
        policy("allow group netdev\nmax-taps 16\n")


def test_helper_is_a_user_of_its_own_with_one_capability_and_no_more():
    with contextlib.closing(connect("mac")):

        def waiting():
            for name in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:
                    if b"--socket" in file.read().split(b"\0"):
                        with open(f"/proc/{name}/status") as status:
                            found = dict(re.findall(r"^(\w+):\s*(.*)$", status.read(), re.M))
                        # what its own start, and not systemd, makes of it
                        if found["NoNewPrivs"] == "1" and int(found["CapPrm"], 16) == 0x1000:
                            return found
            return None

        found = wait_until(waiting, 10, "a helper that waits for its request")
    uids = set(found["Uid"].split())
    assert len(uids) == 1 and 61184 <= int(uids.pop()) <= 65519, found  # DynamicUser
    assert int(found["CapBnd"], 16) == 0x1000 and found["Groups"].split()[1:] == [], found


def test_line_is_in_the_journal():
    before = time.time()
    reply, fd = ask("mac")
    os.close(fd)

    def said():
        log = do(f"journalctl --output=short-unix --since=@{int(before)} SYSLOG_FACILITY=10")
        return re.search(r"uid=7001 pid=\d+ result=ok .*helper.conf:1 tap=btap1b59-0", log)

    wait_until(said, 10, "the line in the journal")


def test_unit_survives_a_loop_of_connections():
    for _ in range(60):
        with connect("mac"):
            pass
    await_quiet()
    reply, fd = ask("lisa")
    assert reply.code == "ok", reply
    os.close(fd)
    assert do("systemctl is-active basilisk-tap.socket").strip() == "active"


def test_one_user_who_keeps_connections_does_not_shut_out_another():
    await_quiet()
    kept = [connect("mac") for _ in range(12)]
    reply, fd = ask("lisa")
    assert reply.code == "ok", reply
    os.close(fd)
    for sock in kept:
        sock.close()


def test_many_at_once_are_served():
    await_quiet()
    socks = [connect(user) for user in ("mac", "lisa") for _ in range(4)]
    for slot, sock in enumerate(socks):
        sock.send(f"--fd=3\0--slot={slot % 4}\0--br=auto\0".encode())
    replies = []
    for sock in socks:
        with sock:
            message, fd = helper.receive(sock, 60)
            replies.append(message and helper.parse_reply(message))
            if fd is not None:
                os.close(fd)
    assert [reply and reply.code for reply in replies] == ["ok"] * 8, replies


def test_release_leaves_nothing():
    wait_until(lambda: not taps(), what="the end of the TAPs")
    done = subprocess.run([HELPER, "--release"], capture_output=True, text=True)
    assert done.returncode == CODES["ok"], done
    assert sorted(os.listdir("/sys/class/net")) == ["lo", "nic"], os.listdir("/sys/class/net")
    assert "clsact" not in do("tc qdisc show dev nic")


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]
