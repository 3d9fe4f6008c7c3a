# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, asked directly: what it hands over, and how it says no to bad input."""
import os
import socket

import helper
import ns
from desk import unchanged
from helper import CODES, HELPER, ask, ask_as_qemu, close, refused, taps
from proc import wait_until
from world import ALLOW, USERS

UID = USERS["mac"][0]


def desk(world, **options):
    return world.host("desk", world.lan(), **options)


def one_line(text):
    lines = text.splitlines()
    assert len(lines) == 1 and lines[0].strip(), text
    return lines[0]


# ---- what it does when all is well
def test_allowed_user_gets_a_tap_with_the_mac_of_the_slot(world):
    host = desk(world)
    answer = ask(host, slot=3)
    assert answer.status == 0 and answer.reply.code == "ok", answer
    assert answer.reply.slot == 3 and answer.reply.attach == "patch", answer
    assert answer.reply.uplink == "nic", answer
    assert answer.reply.mac[0] == 0xB2
    assert int.from_bytes(answer.reply.mac[4:], "big") == (UID & 0xFFF) << 4 | 3
    assert helper.tap_name(answer.fd) == answer.reply.tap == f"btap{UID:x}-3"
    close(answer)
    wait_until(lambda: not taps(host), what="the end of the TAP")


def test_slot_that_is_in_use_is_refused(world):
    host = desk(world)
    first = ask(host, slot=0)
    assert first.status == 0, first
    refused(ask(host, slot=0), "slot-busy")
    close(first)


def test_quota_of_the_policy_is_kept(world):
    host = desk(world, policy=ALLOW + "max-taps 2\n")
    answers = [ask(host, slot=slot) for slot in (0, 1)]
    assert [answer.status for answer in answers] == [0, 0], answers
    refused(ask(host, slot=2), "quota")
    close(answers.pop())
    wait_until(lambda: len(taps(host)) == 1, what="the end of a TAP")
    again = ask(host, slot=1)
    assert again.status == 0, again
    for answer in (*answers, again):
        close(answer)


def test_qemu_gets_one_nul_byte_and_a_tap(world):
    host = desk(world)
    status, message, fd = ask_as_qemu(host)
    assert (status, message) == (0, b"\0")
    assert helper.tap_name(fd).startswith(f"btap{UID:x}-")
    os.close(fd)


def test_quota_counts_the_taps_of_emulators_and_qemu_together(world):
    host = desk(world, policy=ALLOW + "max-taps 2\n")
    first, second = ask_as_qemu(host)[2], ask_as_qemu(host)[2]
    assert len(taps(host)) == 2
    refused(ask(host, slot=0), "quota")
    os.close(first)
    os.close(second)


def test_qemu_refused_gets_no_descriptor(world):
    host = desk(world, policy="deny all\n")
    status, _, fd = ask_as_qemu(host)
    assert status == CODES["denied"] and fd is None


def test_bridge_of_a_join_line_is_joined(world):
    host = desk(world, policy=ALLOW + "join br0\n")
    host.ip("link add br0 type bridge", "link set br0 up", "link set nic master br0")
    answer = ask(host, br="br0")
    assert answer.status == 0 and answer.reply.attach == "join", answer
    assert answer.reply.uplink == "br0", answer
    close(answer)


def test_release_leaves_nothing_of_ours(world):
    host = desk(world)
    with unchanged(host):
        answer = ask(host)
        assert answer.status == 0, answer
        assert {"bthub", "btlan"} < host.links()
        close(answer)
        wait_until(lambda: not taps(host), what="the end of the TAP")
        done = host.run([HELPER, "--release"])
        assert done.returncode == 0, done


def test_release_is_for_root_and_for_when_no_tap_lives(world):
    host = desk(world)
    answer = ask(host)
    assert answer.status == 0, answer
    done = host.run([HELPER, "--release"], user="mac")
    assert done.returncode == CODES["not-root"], done
    one_line(done.stderr)
    done = host.run([HELPER, "--release"])
    assert done.returncode == CODES["in-use"], done
    assert answer.reply.tap in done.stderr, done
    close(answer)


def test_status_works_for_anyone(world):
    host = desk(world, policy="deny all\n")
    done = host.run([HELPER, "--status"], user="guest")
    assert done.returncode == 0 and "nic" in done.stdout, done


def test_version_and_help_need_nothing(world):
    host = desk(world, policy=None)
    assert host.run([HELPER, "--version"], user="guest").returncode == 0
    done = host.run([HELPER, "--help"], user="guest")
    assert done.returncode == 0 and "--status" in done.stdout, done


# ---- the policy says no
def test_denied_user_is_told_what_to_do(world):
    host = desk(world, policy="deny user mac\nallow all\n")
    line = refused(ask(host), "denied")
    assert "helper.conf" in line, line
    assert not taps(host)
    other = ask(host, user="lisa")
    assert other.status == 0, other
    close(other)


def test_user_whom_no_line_names_is_refused(world):
    refused(ask(desk(world, policy=ALLOW), user="guest"), "denied")


def test_without_policy_only_root_is_allowed(world):
    host = desk(world, policy=None)
    refused(ask(host), "no-policy")
    answer = ask(host, user=None)
    assert answer.status == 0, answer
    close(answer)


def test_malformed_policy_refuses_everyone_and_names_line_and_word(world):
    host = desk(world, policy="allow group netdev\nmax-taps eight\n")
    line = refused(ask(host), "bad-policy")
    assert "helper.conf:2" in line and "eight" in line, line
    host.policy("alow all\n")
    line = refused(ask(host), "bad-policy")
    assert "helper.conf:1" in line and "alow" in line, line


def test_policy_that_others_may_write_is_not_trusted(world):
    host = desk(world)
    host.write("/etc/basilisk-tap/helper.conf", "allow all\n", 0o666)
    line = refused(ask(host), "bad-policy")
    assert "helper.conf" in line, line


def test_policy_with_a_name_that_does_not_exist_is_invalid(world):
    host = desk(world, policy="deny user nosuchuser\nallow all\n")
    line = refused(ask(host), "bad-policy")
    assert "nosuchuser" in line, line


# ---- the machine cannot
def test_missing_tun_device_is_told(world):
    host = desk(world)
    host.inside(lambda: ns.mount("none", "/dev/net", "tmpfs"))
    line = refused(ask(host), "no-tun")
    assert "/dev/net/tun" in line, line


def test_without_uplink_the_guests_are_among_themselves(world):
    answer = ask(world.host("island"))
    assert answer.status == 0 and answer.reply.attach == "none", answer
    assert answer.reply.text, answer
    close(answer)


def test_missing_uplink_of_the_policy_is_named(world):
    host = desk(world, policy=ALLOW + "uplink eth9\n")
    line = refused(ask(host), "no-uplink")
    assert "eth9" in line, line


def test_helper_without_privilege_says_so(world):
    host = desk(world)
    host.run(["cp", HELPER, "/etc/plain-helper"])
    host.run(["chmod", "755", "/etc/plain-helper"])
    refused(ask(host, argv0="/etc/plain-helper"), "no-privilege")


# ---- the command line is wrong
def check_usage(world, words, code, *told):
    host = desk(world)
    answer = ask(host, *words)
    assert answer.status == CODES[code], answer
    assert answer.fd is None, answer
    said = answer.reply.text if answer.reply else one_line(answer.stderr)
    for word in told:
        assert word in said, (word, said)
    assert not taps(host)


def test_unknown_option_is_named(world):
    check_usage(world, ["--slot=0", "--br=auto", "--frobnicate"], "usage", "--frobnicate")


def test_option_given_on_a_terminal_is_answered_on_stderr(world):
    done = desk(world).run([HELPER, "--frobnicate"], user="mac")
    assert done.returncode == CODES["usage"], done
    assert "--frobnicate" in one_line(done.stderr), done


def test_bridge_name_of_16_bytes_is_refused_not_cut(world):
    name = "sixteen-bytes-16"
    assert len(name) == 16
    check_usage(world, ["--slot=0", "--br=" + name], "bad-name", name)


def test_bridge_without_join_line_is_refused(world):
    host = desk(world)
    host.ip("link add br0 type bridge", "link set br0 up")
    line = refused(ask(host, br="br0"), "bridge-refused")
    assert "br0" in line and "join" in line, line


def test_slot_beyond_the_last_is_refused(world):
    check_usage(world, ["--slot=16", "--br=auto"], "usage", "16")


# ---- the descriptor is wrong
def ask_on(host, descriptor):
    """The exit status and stderr of a request with that descriptor for the reply."""
    argv = [HELPER, f"--fd={descriptor}", "--slot=0", "--br=auto"]
    return host.run(argv, user="mac", pass_fds=(descriptor,))


def check_descriptor(host, descriptor):
    done = ask_on(host, descriptor)
    assert done.returncode == CODES["bad-descriptor"], done
    assert str(descriptor) in one_line(done.stderr), done
    assert not taps(host)


def test_pipe_as_descriptor_is_refused(world):
    reader, writer = os.pipe()
    check_descriptor(desk(world), writer)
    os.close(writer)
    assert os.read(reader, 10) == b""
    os.close(reader)


def test_tcp_socket_as_descriptor_is_refused(world):
    def make():
        server = socket.create_server(("127.0.0.1", 0))
        return socket.create_connection(server.getsockname()), server

    host = desk(world)
    client, server = helper.made_by(host, "mac", make)
    with client, server:
        check_descriptor(host, client.fileno())


def test_datagram_socket_as_descriptor_is_refused(world):
    host = desk(world)
    ours, theirs = helper.pair(host, "mac", socket.SOCK_DGRAM)
    with ours, theirs:
        check_descriptor(host, theirs.fileno())


def test_listening_socket_as_descriptor_is_refused(world):
    def make():
        server = socket.socket(socket.AF_UNIX)
        server.bind("")  # any abstract name
        server.listen()
        return [server]

    host = desk(world)
    [server] = helper.made_by(host, "mac", make)
    with server:
        check_descriptor(host, server.fileno())


def test_connection_to_another_user_as_descriptor_is_refused(world):
    host = desk(world)
    ours, theirs = helper.pair(host, "lisa")
    with ours, theirs:
        check_descriptor(host, theirs.fileno())


def test_closed_descriptor_is_refused(world):
    host = desk(world)
    done = host.run([HELPER, "--fd=77", "--slot=0", "--br=auto"], user="mac")
    assert done.returncode == CODES["bad-descriptor"], done
    assert "77" in one_line(done.stderr), done


def test_standard_stream_as_descriptor_is_refused(world):
    host = desk(world)
    done = host.run([HELPER, "--fd=2", "--slot=0", "--br=auto"], user="mac")
    assert done.returncode == CODES["bad-descriptor"], done
    one_line(done.stderr)


def test_check_does_not_lend_the_callers_group_to_a_number(world):
    host = world.host("desk", policy=f"allow group {UID}\n")
    assert host.run([HELPER, "--check"], user="mac").returncode == 0
    done = host.run([HELPER, "--check", "--user=9999"], user="mac")
    assert done.returncode == CODES["denied"], done
