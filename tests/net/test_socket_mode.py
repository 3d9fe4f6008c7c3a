# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper behind a service manager's socket, in what it is different there: who asks is told by
the kernel, and the caller has a connection and nothing else.  The rest: test_helper*.py.
"""
import array
import errno
import os
import socket
import threading
import time

import helper
import starter
from activation import PROGRAM, SOCKET as PATH, Activation
from case import needs, over
from emulator import Emulator, missing
from helper import CODES, HELPER, taps
from hostile import DEADLINE, libc
from modes import by_capability
from proc import wait_until
from tracer import At
from ways import SETUID, SOCKET
from wire import Wire
from world import NETDEV, USERS

CLONE_NEWUSER = 0x10000000
WORDS = b"--fd=3\0--slot=0\0--br=auto\0"


def no_activation():
    if not os.path.exists(PROGRAM):
        return f"no {PROGRAM} (packaging/deps.sh check installs it)"
    return None


def desk(world, **options):
    return world.host("desk", world.lan(), **options)


def ends_with(host, *names):
    """The helpers that were started so far ended so, by their exit status, and left nothing."""
    wanted = sorted(CODES[name] for name in names)
    assert sorted(SOCKET.service(host).statuses(len(names))) == wanted, names
    assert not taps(host)


# ---- the connection
@over(SOCKET)
def test_exit_status_is_the_code_of_the_reply(world, way):
    host = desk(world)
    way.guest(host).close()
    way.refused(way.ask(host, user="guest"), "denied")
    way.refused(way.ask(host, "--frob"), "usage")
    ends_with(host, "ok", "denied", "usage")


@over(SOCKET)
def test_message_that_is_no_request_is_refused(world, way):
    host = desk(world)
    wrong = (
        WORDS[:-1], b"\0", b"\0" * 256, b"--fd=3\0" * 9, b"x" * 255 + b"\0",
        WORDS.ljust(257, b"\0"), b"--slot=0\0--br=auto\0", bytes(range(256)),
    )  # fmt: skip
    for message in wrong:
        with way.connect(host) as sock:
            sock.send(message)
            way.refused(way.answer(sock), "usage")
    ends_with(host, *["usage"] * len(wrong))


@over(SOCKET)
def test_only_a_tap_can_be_asked_for(world, way):
    host = desk(world)
    for words in (["--release"], ["--status"], ["--check"], ["--help"], ["--socket"], ["--json"]):
        with way.connect(host, user=None) as sock:  # not even by root
            sock.send(b"".join(word.encode() + b"\0" for word in words))
            way.refused(way.answer(sock), "usage")
    assert host.links() == {"lo", "nic"}


@over(SOCKET)
def test_caller_who_says_nothing_is_waited_for_no_longer_than_the_deadline(world, way):
    host = desk(world)
    with way.connect(host) as silent:
        begun = time.monotonic()
        assert "no request" in way.refused(way.answer(silent), "handover")
        assert 0.5 < time.monotonic() - begun < DEADLINE
    with way.connect(host) as half:
        half.shutdown(socket.SHUT_WR)
        way.refused(way.answer(half), "usage")
    ends_with(host, "handover", "usage")


@over(SOCKET)
def test_caller_who_is_gone_gets_no_tap(world, way):
    host = desk(world)
    with way.connect(host) as sock:
        sock.send(WORDS)
        sock.shutdown(socket.SHUT_RD)
        ends_with(host, "handover")
    with way.connect(host) as sock:
        sock.send(WORDS)
    # gone before or after the reply: then it is on its way to nobody, and ends with the socket
    SOCKET.service(host).statuses(2)
    wait_until(lambda: not taps(host), what="the end of the TAP")


@over(SOCKET)
def test_descriptors_that_come_with_a_request_are_not_taken(world, way):
    host = desk(world)
    with way.connect(host) as sock, open("/dev/null") as null:
        fds = array.array("i", [null.fileno()] * 200)
        sock.sendmsg([WORDS], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        answer = way.answer(sock)
        assert answer.reply.code == "ok", answer
        helper.close(answer)


@over(SOCKET)
def test_connection_may_be_handed_on_but_its_maker_asks(world, way):
    """The kernel's word for the peer is whoever connected: guest's words on mac's connection."""
    host = desk(world, policy="deny user guest\nallow user mac\n")
    for user, code in (("mac", "ok"), ("guest", "denied")):
        other = {"mac": "guest", "guest": "mac"}[user]
        with way.connect(host, user) as sock:
            child = os.fork()
            if child == 0:
                os.setresuid(*[USERS[other][0]] * 3)
                os.write(sock.fileno(), WORDS)
                os._exit(0)
            os.waitpid(child, 0)
            answer = way.answer(sock)
            assert answer.reply.code == code, (user, answer)
            helper.close(answer)


@over(SOCKET)
def test_caller_in_another_network_is_refused(world, way):
    """A container that sees the socket's file: its own network is not the service's."""
    host, other = desk(world), world.host("other")
    way.service(host)
    other.namespaces["mnt"], kept = host.namespaces["mnt"], other.namespaces["mnt"]
    try:
        other.activation = host.activation
        line = way.refused(way.ask(other), "foreign-namespace")
        assert "another network namespace" in line, line
    finally:
        other.namespaces["mnt"] = kept
    assert not taps(host) and not taps(other)


@over(SOCKET)
def test_one_who_holds_connections_open_does_not_keep_others_out(world, way):
    host = desk(world)
    silent = [way.connect(host) for _ in range(40)]
    way.guest(host, user="lisa").close()
    for sock in silent:
        sock.close()


@over(SOCKET)
def test_socket_as_the_unit_makes_it_is_for_its_group_alone(world, way):
    host = desk(world, policy="allow all\n")
    host.activation = Activation(host, HELPER, mode=0o660)
    host.inside(lambda: os.chown(PATH, 0, NETDEV))
    way.guest(host).close()
    seen = []

    def connect():
        pid = os.fork()
        if pid == 0:
            uid, gid, groups = host.identity("guest")
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            os._exit(socket.socket(socket.AF_UNIX).connect_ex(PATH))
        seen.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    host.inside(connect)
    assert seen == [13], seen  # EACCES


# ---- the program's own privilege
@over(SETUID)
def test_setuid_helper_never_takes_descriptor_0_for_a_caller(world, way):
    """Or else: connect to any daemon of root's and be taken for root."""
    check_refuses_a_caller_at_0(desk(world, policy="deny all\n"))


def check_refuses_a_caller_at_0(host):
    def listening():
        server = socket.socket(socket.AF_UNIX)
        server.bind("\0daemon")
        server.listen()
        return [server]

    [server] = helper.made_by(host, None, listening)

    def connected():
        client = socket.socket(socket.AF_UNIX)
        client.connect("\0daemon")
        return [client]

    [client] = helper.made_by(host, "mac", connected)
    with server, client:
        client.send(WORDS)
        words = ["bash", "-c", f'exec "$0" --socket <&{client.fileno()}', HELPER]
        done = host.run(words, user="mac", pass_fds=(client.fileno(),))
        assert done.returncode == CODES["usage"], done
        assert "service manager" in done.stderr, done
        accepted, _ = server.accept()
        accepted.setblocking(False)
        assert accepted.recv(1000) == WORDS
        accepted.close()
    assert not taps(host)


def test_helper_with_a_file_capability_does_not_either(world):
    with by_capability():
        check_refuses_a_caller_at_0(desk(world, policy="deny all\n"))


@over(SOCKET)
def test_descriptor_0_that_is_no_connection_is_refused(world, way):
    """Root by hand, who has the privilege that a service manager gives."""
    done = desk(world).run([HELPER, "--socket"])
    assert done.returncode == CODES["bad-descriptor"], done
    assert "descriptor 0 is no socket" in done.stderr, done


# ---- the whole way
@needs(missing, no_activation)
def test_emulator_gets_there_where_setuid_does_not_work(world):
    lan = world.lan()
    machine, host = world.host("machine", lan), world.host("desk", lan)
    with SOCKET.installed():
        SOCKET.service(host)
        mac = Emulator(host, env={"BASILISK_TAP_HELPER": HELPER})
        wire = Wire(machine)
        mac.hello(wire)
        assert "bridged to nic" in mac.process.stderr, mac.process.story()
        mac.quit(wire)
        wait_until(lambda: not taps(host), what="the end of the TAP")


@over(SOCKET)
def test_40_callers_at_once_are_each_served_by_their_own_name(world, way):
    host = desk(world, policy="allow all\nmax-taps 16\n")
    wrong, found = [], []

    def one(user, slot):
        answer = way.ask(host, user=user, slot=slot)
        if answer.reply.code == "ok":
            name = f"btap{USERS[user][0]:x}-{slot:x}"
            if helper.tap_name(answer.fd) != name:
                wrong.append((user, slot, answer))
        found.append(answer)

    way.service(host)
    asked = [(user, slot) for user in USERS for slot in range(14)]
    threads = [threading.Thread(target=one, args=who) for who in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(found) == 42, wrong
    assert {answer.reply.code for answer in found} == {"ok"}, found
    for answer in found:
        helper.close(answer)


# ---- callers in a user namespace of their own
def connect_from_namespace(host, user, lent, change):
    """The connection of a process of that user's, in a network group, in a user namespace to which
    the administrator has lent so many ids from a first one on (as newuidmap does); it becomes what
    change() makes of it."""
    ours, theirs = socket.socketpair()
    uid, gid, _ = host.identity(user)
    child = os.fork()
    if child == 0:
        try:
            starter.enter(host)
            starter.become((uid, gid, [NETDEV]))
            assert libc.unshare(CLONE_NEWUSER) == 0, "no user namespace"
            theirs.send(b"in it")
            theirs.recv(10)
            change()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.connect(PATH)
                socket.send_fds(theirs, [b"connected"], [sock.fileno()])
        except BaseException as error:
            theirs.send(repr(error).encode())
        finally:
            os._exit(0)
    assert ours.recv(100) == b"in it"
    for name, own in ("uid_map", uid), ("gid_map", gid):
        with open(f"/proc/{child}/{name}", "w") as file:
            file.write(f"0 {own} 1\n1 {lent[0]} {lent[1]}\n")
    ours.send(b"mapped")
    said, fds, _, _ = socket.recv_fds(ours, 1000, 1)
    os.waitpid(child, 0)
    assert said == b"connected", said
    return socket.socket(fileno=fds[0])


@over(SOCKET)
def test_nobody_passes_a_deny_by_a_namespace_of_his_own(world, way):
    host = desk(world, policy="deny user guest\ndeny group 7103\nallow all\n")
    passwd = host.inside(lambda: open("/etc/group").read())
    host.write("/etc/group", passwd + "shut:x:7103:other,mac\n")
    way.service(host)
    host.write("/etc/subuid", "lisa:300000:65536\nguest:100000:65536\n7002:200000:10\nbad:x:5\n")
    for user, change, code in (
        ("guest", lambda: None, "denied"),
        ("guest", lambda: os.setresuid(1, 1, 1), "foreign-namespace"),
        ("guest", lambda: os.setresuid(65536, 65536, 65536), "foreign-namespace"),
        ("mac", lambda: os.setgroups([]), "denied"),
        ("lisa", lambda: os.setgroups([]), "ok"),
    ):  # fmt: skip
        with connect_from_namespace(host, user, (100000, 65536), change) as sock:
            way.send(sock, "--slot=0", "--br=auto")
            answer = way.answer(sock)
        assert answer.reply.code == code, (user, code, answer)
        helper.close(answer)


def reply_to(host, way, words=("--slot=0", "--br=auto"), **options):
    answer = way.ask(host, *words, **options)
    helper.close(answer)
    wait_until(lambda: not taps(host), what="the end of the TAP")
    return answer.reply


@over(SOCKET)
def test_files_about_the_peer_are_there_and_understood_or_he_is_refused(world, way):
    host = desk(world, policy="deny group 7103\nallow all\n")
    passwd = host.inside(lambda: open("/etc/passwd").read())
    others = "".join(line for line in passwd.splitlines(True) if not line.startswith("mac:"))
    assert reply_to(host, way).code == "ok"
    host.write("/etc/subuid", "mac:100000:65536\n", mode=0o666)
    reply = reply_to(host, way)
    assert reply.code == "system" and "/etc/subuid" in reply.text, reply
    host.inside(lambda: os.unlink("/etc/subuid"))
    assert reply_to(host, way).code == "ok"
    # a user without a name has the groups that the kernel tells
    host.write("/etc/passwd", others)
    assert reply_to(host, way).code == "ok"
    # one whose line has no group likewise; one whose name cannot be looked up may be denied by it
    host.write("/etc/passwd", others + "mac:x:7001::::\n")
    assert reply_to(host, way).code == "ok"
    host.write("/etc/passwd", others + "mac:x:7001:7103:::\n")
    assert reply_to(host, way).code == "denied"
    host.write("/etc/passwd", others + f"{'m' * 300}:x:7001:7001:::\n")
    reply = reply_to(host, way)
    assert reply.code == "system" and "the groups of user 7001" in reply.text, reply


@over(SOCKET)
def test_peer_with_as_many_groups_as_there_can_be(world, way):
    """No room for those that /etc/group gives him beside them: one of them may be denied."""
    host = desk(world, policy="allow all\n")
    way.service(host)
    for user, code in (("guest", "ok"), ("mac", "system")):
        uid = USERS[user][0]

        def connected():
            os.setgroups(range(1, 65537))
            os.setresuid(uid, uid, uid)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(PATH)
            way.send(sock, "--slot=0", "--br=auto")
            return [sock]

        [sock] = host.inside(lambda: helper.made_by(host, None, connected))
        with sock:
            answer = way.answer(sock)
        assert answer.reply.code == code, (user, answer)
        helper.close(answer)


@over(SOCKET)
def test_what_the_kernel_does_not_tell_about_the_peer_is_a_reason_to_refuse(world, way):
    host = desk(world)
    with way.tracer(host) as tracer:
        tracer.start(*way.argv(0))
        end = tracer.go()
        assert end.status == 0, end
        os.close(end.fd)
        asked = [i for i, call in enumerate(end.calls) if call.name == "getsockopt"]
        assert len(asked) >= 7, end.calls
        for index in asked:
            tracer.start(*way.argv(0))
            assert isinstance(tracer.to(index), At)
            end = tracer.fail(errno.EPERM)
            codes = "bad-descriptor", "foreign-namespace", "system"
            assert helper.NAMES[end.status] in codes and end.fd is None, (index, end)
