# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper behind a service manager's socket: who asks is told by the kernel, and the policy decides."""
import os
import shutil
import socket

import helper
from activation import SOCKET, Activation
from case import needs
from emulator import Emulator, missing
from guest import Guest
from helper import HELPER, taps
from proc import wait_until
from wire import BROADCAST, Wire
from world import USERS


def plain_helper(host):
    """A helper without setuid, as it lies on a nosuid disk."""
    path = host.world.path(host.name + "-helper")

    def body():
        shutil.copyfile(HELPER, path)
        os.chmod(path, 0o755)

    host.inside(body)
    return path


def ask(host, *words, user="mac"):
    """The shim's message, by somebody of that user's credentials."""

    def body():
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        uid, groups = USERS[user]
        pid = os.fork()
        if pid == 0:  # the kernel notes who connects
            os.setgroups(groups)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            try:
                sock.connect(SOCKET)
            except OSError:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        return sock

    sock = host.inside(body)
    with sock:
        sock.send(b"".join(word.encode() + b"\0" for word in words))
        message, fd = helper.receive(sock)
        return helper.Answer(None, None, helper.parse_reply(message) if message else None, fd)


def test_caller_gets_a_tap_by_his_own_name(world):
    lan = world.lan()
    machine, desk = world.host("machine", lan), world.host("desk", lan)
    service = Activation(desk, plain_helper(desk))
    answer = ask(desk, "--fd=3", "--slot=2", "--br=auto")
    assert answer.reply and answer.reply.code == "ok", (answer, service.stderr)
    assert helper.tap_name(answer.fd) == f"btap{USERS['mac'][0]:x}-2"
    wire = Wire(machine)
    guest = object.__new__(Guest)
    guest.fd, guest.mac, guest.card = answer.fd, answer.reply.mac, answer.reply.tap
    sent = BROADCAST + guest.mac + b"\x88\xb5" + bytes(50)
    guest.send(sent)
    wire.expect(lambda frame: frame == sent, what="the guest's frame")
    guest.close()
    service.close()


def test_caller_whom_the_policy_refuses_is_refused(world):
    desk = world.host("desk", world.lan())
    service = Activation(desk, plain_helper(desk))
    answer = ask(desk, "--fd=3", "--slot=0", "--br=auto", user="guest")
    assert answer.reply.code == "denied" and "user 7002" in answer.reply.text, answer
    service.close()


def test_supplementary_group_of_the_caller_counts(world):
    desk = world.host("desk", world.lan(), policy="deny user nobody\nallow group 7101\n")
    service = Activation(desk, plain_helper(desk))
    assert ask(desk, "--fd=3", "--slot=0", "--br=auto", user="lisa").reply.code == "ok"
    service.close()


def test_only_a_tap_can_be_asked_for(world):
    desk = world.host("desk", world.lan())
    service = Activation(desk, plain_helper(desk))
    for words in (["--release"], ["--status"], ["--socket"], ["--fd=3", "--frob"], ["--fd=3", ""]):
        assert ask(desk, *words).reply is None, words
    assert not taps(desk)
    assert desk.links() == {"lo", "nic"}
    service.close()


def test_setuid_helper_never_takes_descriptor_0_for_a_caller(world):
    """Or else: connect to any daemon of root's and be taken for root."""
    desk = world.host("desk", world.lan(), policy="deny all\n")
    done = desk.run([HELPER, "--socket"], user="mac")
    assert done.returncode == helper.CODES["usage"], done
    assert "service manager" in done.stderr, done


@needs(missing)
def test_emulator_gets_there_where_setuid_does_not_work(world):
    lan = world.lan()
    machine, desk = world.host("machine", lan), world.host("desk", lan)
    path = plain_helper(desk)
    service = Activation(desk, path)
    mac = Emulator(desk, env={"BASILISK_TAP_HELPER": path})
    wire = Wire(machine)
    mac.hello(wire)
    assert "bridged to nic" in mac.process.stderr, mac.process.story()
    mac.quit(wire)
    wait_until(lambda: not taps(desk), what="the end of the TAP")
    service.close()
