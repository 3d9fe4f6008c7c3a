# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, asked as the shim or QEMU asks it; its reply as in proto/reply.h.

CODES are the stable outcomes of proto/outcome.h: exit status and code in the reply.
"""
import array
import collections
import fcntl
import os
import socket
import struct

HELPER = "/usr/local/lib/basilisk-tap/basilisk-tap-helper"
CODES = {
    name: number
    for number, name in enumerate(
        "ok system usage denied no-policy bad-policy no-privilege no-tun bad-name bad-descriptor"
        " no-uplink uplink-unfit bridge-refused other-attachment quota slot-busy foreign-device"
        " foreign-namespace not-alive in-use not-root handover hostile-start drop tun-denied"
        " no-report".split()
    )
}
NAMES = {number: name for name, number in CODES.items()}
ATTACH = "no patch join bridge host none".split()

REPLY = struct.Struct(">4sBBBB6s2x16s16s320s")
Reply = collections.namedtuple("Reply", "code attach slot mac tap uplink text")
Answer = collections.namedtuple("Answer", "status stderr reply fd")

TUNGETIFF = 0x800454D2
SIOCGIFHWADDR = 0x8927


def parse_reply(message):
    magic, version, code, attach, slot, mac, tap, uplink, text = REPLY.unpack(message)
    assert (magic, version) == (b"BTRP", 1), message[:8]
    strings = [s.split(b"\0")[0].decode("ascii") for s in (tap, uplink, text)]
    return Reply(NAMES[code], ATTACH[attach], slot, mac, *strings)


def tap_name(fd):
    """The name of the TAP behind a descriptor; OSError when it is none."""
    answer = fcntl.ioctl(fd, TUNGETIFF, bytes(40))
    return answer[:16].split(b"\0")[0].decode()


def guest_mac(fd):
    """The guest's address, by the one that its TAP wears until somebody changes that."""
    address = fcntl.ioctl(fd, SIOCGIFHWADDR, bytes(40))[18:24]
    assert address[0] == 0xFE, address
    return b"\xb2" + address[1:]


def made_by(host, user, make):
    """The sockets that make() returns, as that user makes them: the kernel notes whose they are."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            try:
                if user:
                    uid, gid, groups = host.identity(user)
                    os.setgroups(groups)
                    os.setresgid(gid, gid, gid)
                    os.setresuid(uid, uid, uid)
                made = make()
                socket.send_fds(theirs, [b"x"], [sock.fileno() for sock in made])
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 4)
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def pair(host, user, kind=socket.SOCK_STREAM):
    return made_by(host, user, lambda: socket.socketpair(socket.AF_UNIX, kind))


def receive(sock, seconds=5):
    """(message, descriptor or None) of one answer; (b"", None) when the helper said nothing."""
    sock.settimeout(seconds)
    message, control, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return message, fds[0] if fds else None


def ask(host, *words, user="mac", slot=0, br="auto", argv0=HELPER):
    """The shim's call. Returns an Answer; whoever asked closes its fd."""
    words = words or (f"--slot={slot}", f"--br={br}")
    ours, theirs = pair(host, user)
    with ours, theirs:
        argv = [argv0, f"--fd={theirs.fileno()}", *words]
        done = host.run(argv, user=user, pass_fds=(theirs.fileno(),))
        theirs.close()
        message, fd = receive(ours)
        reply = parse_reply(message) if message else None
        return Answer(done.returncode, done.stderr, reply, fd)


def ask_as_qemu(host, br="auto", user="mac"):
    """QEMU's call: there is no reply but one NUL byte, and that only with a descriptor."""
    ours, theirs = pair(host, user)
    with ours, theirs:
        argv = [HELPER, "--use-vnet", f"--fd={theirs.fileno()}", f"--br={br}"]
        done = host.run(argv, user=user, pass_fds=(theirs.fileno(),))
        theirs.close()
        message, fd = receive(ours)
        assert message == (b"" if fd is None else b"\0"), message
        return Answer(done.returncode, done.stderr, None, fd)


def refused(answer, name):
    """Check that an answer is that refusal, in one line that says what to do; return the line."""
    assert answer.status == CODES[name], answer
    assert answer.fd is None, answer
    assert answer.reply and answer.reply.code == name, answer
    assert answer.reply.text and "\n" not in answer.reply.text, answer
    return answer.reply.text


def taps(host):
    return {link for link in host.links() if link.startswith("btap")}


def close(answer):
    if answer.fd is not None:
        os.close(answer.fd)
