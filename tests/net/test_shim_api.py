# SPDX-License-Identifier: LGPL-2.1-or-later
"""libbasilisk-tap as an emulator's author meets it: header, library, example, what it writes."""
import glob
import os
import re
import select
import shutil
import struct
import subprocess

import sanitize
from case import Skip, needs
from helper import taps
from numbered import frame, number_of
from observe import neighbour
from peer import Peer
from proc import wait_until
from station import Station
from wire import BROADCAST, Wire, mac_text
from world import BUILD, REFUSE, TREE, USERS

chooser = neighbour("test_chooser")
FUNCTIONS = "bt_close bt_fd bt_get_status bt_is_ours bt_mac bt_open bt_receive bt_send bt_wait".split()
LIBRARY = "/usr/local/lib/libbasilisk-tap.so.0"


def compiler(name, other):
    found = shutil.which(name) or shutil.which(other)
    if not found:
        raise Skip(f"no {name}")
    return found


def build(world, source, name, compile=("cc", "gcc"), flags=()):
    """A program with the installed header and library, as a user's own is."""
    output = world.path(name)
    local = world.place.local
    argv = [compiler(*compile), *flags, *sanitize.FLAGS, "-Wall", "-Wextra", "-Werror", "-I", local + "/include"]
    argv += [source, "-o", output, "-L", local + "/lib", "-lbasilisk-tap"]
    argv += ["-Wl,-rpath,/usr/local/lib", "-Wl,-rpath-link," + local + "/lib"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return output


def example(world):
    return build(world, os.path.join(TREE, "shim/example/echo.c"), "echo", flags=["-std=c11"])


def started(host, path):
    """The example, running until the descriptor that is returned is closed."""
    reader, writer = os.pipe()
    argv = ["sh", "-c", f'exec "$0" auto <&{reader}', path]
    program = host.start(argv, user="mac", pass_fds=(reader,))
    os.close(reader)
    return program, writer


def test_library_exports_its_interface_and_nothing_else(world):
    argv = ["nm", "-D", "--defined-only", world.place.local + LIBRARY.removeprefix("/usr/local")]
    symbols = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    names = sorted(line.split()[2] for line in symbols.splitlines() if " A " not in line)
    assert names == [f"{name}@@BASILISK_TAP_0" for name in FUNCTIONS], names
    argv = ["readelf", "-d", argv[-1]]
    dynamic = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "SONAME" in dynamic and "[libbasilisk-tap.so.0]" in dynamic
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic


def names(kind, *paths):
    argv = ["nm", kind, *paths]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in told.splitlines() if len(line.split()) > 1}


def test_preload_library_uses_the_interface_and_nothing_else(world):
    """It is linked with the archive, where nothing is hidden."""
    adapter = glob.glob(os.path.join(glob.escape(BUILD), "shim", "preload", "*.o"))
    library = names("--defined-only", os.path.join(BUILD, "libbasilisk-tap.a"))
    assert set(FUNCTIONS) <= library and len(library) > 100, library
    used = names("--undefined-only", *adapter) & library
    assert len(used) > 5 and used <= set(FUNCTIONS), used - set(FUNCTIONS)


def test_header_stands_alone_in_c_and_in_cpp(world):
    for suffix, compile, standards in (
        ("c", ("cc", "gcc"), ("c99", "c11", "c17")),
        ("cc", ("c++", "g++"), ("c++98", "c++11", "c++20")),
    ):
        source = world.path("only." + suffix)
        with open(source, "w") as file:
            file.write("#include <basilisk-tap.h>\n#include <basilisk-tap.h>\n")
            file.write("int main(void) { struct bt_device *d; struct bt_status s;\n")
            file.write('if (bt_is_ours("eth0") || bt_open("nonsense", &d) == 0) return 1;\n')
            file.write("bt_close(d); (void)s; return 0; }\n")
        host = world.host(suffix)
        for standard in standards:
            flags = [f"-std={standard}", "-pedantic"]
            if standard == "c++98":
                flags.remove("-pedantic")  # which has no stdint.h
            program = build(world, source, f"only-{suffix}-{standard}", compile, flags)
            done = host.run([program])
            assert done.returncode == 0, done
            assert "nonsense" in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_example_echoes_bridged(world):
    lan = world.lan()
    desk = world.host("desk", lan)
    program, _ = started(desk, example(world))
    mac = bytes.fromhex(program.expect(r"bridged as (.*)$", stream="stdout")[1].replace(":", ""))
    assert "bridged to nic" in program.stderr and mac_text(mac) in program.stderr
    with Wire(world.host("machine", lan)) as wire:
        for length in (14, 60, 600, 1514):
            sent = (mac + wire.mac + b"\x88\xb5" + os.urandom(1500))[:length]
            wire.send(sent)
            expected = wire.mac + mac + sent[12:]

            def same(got, expected=expected):
                return got[: len(expected)] == expected

            wire.expect(same, 3, f"the echo of {length} bytes")


def test_example_echoes_peer_to_peer_and_ends_cleanly(world):
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    program, writer = started(attic, example(world))
    program.expect(r"peer to peer as", stream="stdout")
    with Peer(world.host("machine", lan)) as peer:
        wait_until(lambda: peer.receive(0.05) or peer.peers, 5, "the example")
        (mac,) = peer.peers
        peer.send(frame(mac, peer.mac, 7))
        got = peer.expect(lambda f: f if f[6:12] == mac and f[12:14] == b"\x88\xb5" else None)
        assert got == frame(peer.mac, mac, 7)
    os.close(writer)
    assert program.wait() == 0
    assert re.search(r"^1 received, 1 sent, \d+ dropped, 1 peers$", program.stdout, re.MULTILINE)


def test_example_refuses_what_is_not_ours(world):
    done = world.host("desk").run([example(world), "slirp"])
    assert done.returncode == 2 and "slirp" in done.stderr, done


def test_errors_name_the_option_and_leave_nothing(world):
    desk = world.host("desk", world.lan())
    program = example(world)
    for ether, word in (
        ("auto/slot=99", "slot=99"),
        ("auto,colour=red", "colour=red"),
        ("auto-p2p/bridge=br0", "br0"),
        ("auto-bridge/bridge=nosuch", "nosuch"),
    ):
        done = desk.run([program, ether], user="mac")
        assert done.returncode == 1, (ether, done)
        assert done.stderr.count("\n") == 1 and word in done.stderr, (ether, done.stderr)
    assert not taps(desk)


def test_slot_and_port_are_taken_or_refused(world):
    attic = world.host("attic", world.lan(), policy=REFUSE)
    station = Station(attic, "auto/slot=5,port=7000")
    assert station.mac[5] & 15 == 5 and station.status()["port"] == "7000"
    program = example(world)
    for ether, word in (("auto/slot=5", "slot 5"), ("auto/port=7000", "port 7000")):
        done = attic.run([program, ether], user="mac")
        assert done.returncode == 1 and word in done.stderr, (ether, done)
    assert Station(attic).mac[5] & 15 == 0


def test_highest_port_in_use_is_said(world):
    """There is none behind it."""
    attic = world.host("attic", world.lan(), policy=REFUSE)
    station = Station(attic, "auto/port=65535")
    assert station.status()["port"] == "65535"
    done = attic.run([example(world), "auto/port=65535"], user="mac")
    assert done.returncode == 1 and "port 65535" in done.stderr, done


def test_all_slots_taken_is_said(world):
    attic = world.host("attic", world.lan(), policy=REFUSE)
    locks = (
        "import fcntl, time\n"
        "fs = [open(f'/tmp/basilisk-tap-7001/slot-{n}.lock', 'w') for n in range(16)]\n"
        "[fcntl.flock(f, fcntl.LOCK_EX) for f in fs]\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    Station(attic).close()  # which makes the directory
    holder = attic.start(["/usr/bin/python3", "-c", locks], user="mac")
    holder.expect("held", stream="stdout")
    done = attic.run([example(world), "auto"], user="mac")
    assert done.returncode == 1 and "all 16 slots" in done.stderr, done


def test_directory_of_somebody_else_is_left_alone(world):
    """Without locks and status, but with a network."""
    attic = world.host("attic", world.lan(), policy=REFUSE)
    attic.run(["sh", "-c", "cd /tmp; mkdir -m 700 basilisk-tap-7001; chown lisa basilisk-tap-7001"])
    done = attic.run([example(world), "auto"], user="mac")
    assert "/tmp/basilisk-tap-7001" in done.stderr and "peer to peer" in done.stderr, done
    assert attic.run(["ls", "-A", "/tmp/basilisk-tap-7001"]).stdout == ""
    # root could enter it, and must not
    attic.run(["sh", "-c", "mkdir -m 700 /tmp/basilisk-tap-0; chown lisa /tmp/basilisk-tap-0"])
    done = attic.run([example(world), "auto-p2p"])
    assert "/tmp/basilisk-tap-0" in done.stderr and "peer to peer" in done.stderr, done
    assert attic.run(["ls", "-A", "/tmp/basilisk-tap-0"]).stdout == ""
    attic.run(["sh", "-c", "rmdir /tmp/basilisk-tap-7001; ln -s /etc /tmp/basilisk-tap-7001"])
    done = attic.run([example(world), "auto"], user="mac")
    assert "/tmp/basilisk-tap-7001" in done.stderr and "peer to peer" in done.stderr, done
    attic.run(["sh", "-c", "rm /tmp/basilisk-tap-7001; mkdir -m 755 /tmp/basilisk-tap-7001"])
    attic.run(["chown", "mac", "/tmp/basilisk-tap-7001"])
    done = attic.run([example(world), "auto"], user="mac")
    assert "/tmp/basilisk-tap-7001" in done.stderr and "peer to peer" in done.stderr, done


def test_status_socket_answers_the_owner_and_root_alone(world):
    attic = world.host("attic", world.lan(), policy=REFUSE)
    station = Station(attic)
    ask = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "s.settimeout(30)\n"
        "s.connect(sys.argv[1])\n"
        "s.send(b'status')\n"
        "print(s.recv(65536).decode())\n"
    )
    path = f"/tmp/basilisk-tap-{station.uid}/slot-0.sock"

    def asked(user):
        return attic.run(["/usr/bin/python3", "-c", ask, path], user=user)

    assert "version=1\n" in asked("mac").stdout
    assert "version=1\n" in asked(None).stdout
    assert asked("lisa").returncode != 0
    # even where somebody opens the way to the file
    attic.run(["sh", "-c", f"chmod 755 $(dirname {path}); chmod 777 {path}"])
    done = asked("lisa")
    assert "version=" not in done.stdout, done
    assert "version=1\n" in asked("mac").stdout


def test_idle_clients_do_not_lock_others_out(world):
    attic = world.host("attic", world.lan(), policy=REFUSE)
    station = Station(attic)
    script = (
        "import socket, time\n"
        "ss = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(20)]\n"
        f"[s.connect('/tmp/basilisk-tap-{station.uid}/slot-0.sock') for s in ss]\n"
        "print('connected', flush=True)\n"
        "time.sleep(60)\n"
    )
    attic.start(["/usr/bin/python3", "-c", script], user="mac").expect("connected", 5, "stdout")
    assert station.status()["slot"] == "0"


def read_pcap(path):
    with open(path, "rb") as file:
        content = file.read()
    magic, major, minor, _, _, longest, link = struct.unpack("<IHHIIII", content[:24])
    assert (magic, major, minor, longest, link) == (0xA1B23C4D, 2, 4, 1514, 1)
    frames, at = [], 24
    while at < len(content):
        _, nano, captured, length = struct.unpack("<IIII", content[at : at + 16])
        assert captured == length and nano < 10**9
        frames.append(content[at + 16 : at + 16 + captured])
        at += 16 + captured
    return frames


@needs(chooser.tshark_missing)
def test_capture_holds_what_the_guest_saw_and_sent(world):
    lan = world.lan()
    desk = world.host("desk", lan)
    path = os.path.join(desk.home("mac"), "frames.pcap")
    station = Station(desk, env={"BASILISK_TAP_CAPTURE": path})
    other = Station(world.host("attic", lan, policy=REFUSE))
    other.await_peer(station.mac, proven="1")
    expected = []
    for number in range(20):
        station.send(frame(BROADCAST, station.mac, number))
        assert other.expect(lambda f: number_of(f, station.mac) is not None)
        expected.append((station.mac, number))
        other.send(frame(station.mac, other.mac, number))
        assert station.expect(lambda f: number_of(f, other.mac) is not None)
        expected.append((other.mac, number))
    station.close()  # or it goes on growing
    frames = read_pcap(path)
    got = [(f[6:12], int.from_bytes(f[18:22], "big")) for f in frames if f[14:18] == b"TEST"]
    assert got == expected
    assert os.stat(path).st_mode & 0o777 == 0o600
    done = subprocess.run(["tshark", "-n", "-r", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == len(frames), done.stdout


def test_frames_are_counted_whichever_threads_they_pass(world):
    """By the way of its own that a busy peer gets, where most are counted by one of the threads."""
    lan = world.lan()
    other, _ = started(world.host("attic", lan, policy=REFUSE), example(world))
    desk = world.host("desk", lan, policy=REFUSE)
    mac = other.expect(r"peer to peer as (.*)$", stream="stdout")[1].replace(":", "")
    source = os.path.join(TREE, "tests/lib/threads.c")
    program = build(world, source, "threads", flags=["-std=gnu11", "-O2", "-pthread"])
    for number in ("1", "3"):
        argv = ["env", "BASILISK_TAP_LOG=debug", program, mac, number, "80000"]
        done = desk.run(argv, user="mac", seconds=60)
        assert done.returncode == 0 and "a way of its own" in done.stderr, done
        told = re.search(r"(\d+) sent, (\d+) taken; counted (\d+), (\d+)", done.stdout).groups()
        sent, taken, *counted = map(int, told)
        assert sent == int(number) * 80000 and taken > 100, done
        assert counted == [sent, taken], done


def test_capture_writes_to_nothing_but_a_file_of_the_users_own(world):
    """In a directory where others may write, any name may be theirs, or lead where they like."""
    desk = world.host("desk", world.lan(), policy=REFUSE)
    home = desk.home("mac")

    def made(name, script):
        done = desk.run(["sh", "-c", f"cd {home}; {script}"])
        assert done.returncode == 0, (name, done)

    made("files", "echo precious >own; echo precious >hers; chown mac own; chown lisa hers; chmod 666 hers")
    made("links", "ln -s own symbolic; ln own hard; mkdir folder; chown mac folder; mknod -m 666 null c 1 3")
    for name in ("symbolic", "hard", "own", "hers", "folder", "null"):
        path = os.path.join(home, name)
        done = desk.run([example(world), "auto"], user="mac", env={"BASILISK_TAP_CAPTURE": path})
        assert f"no capture: {path} " in done.stderr and "peer to peer" in done.stderr, (name, done)
    made("untouched", "test $(cat own hers | grep -c '^precious$') = 2; test ! -s null; rm hard")
    station = Station(desk, env={"BASILISK_TAP_CAPTURE": os.path.join(home, "own")})
    station.close()
    assert read_pcap(os.path.join(home, "own")) == []


def test_capture_into_a_pipe_is_seen_at_once(world):
    """Once somebody reads; and it does no harm that nobody does yet, or any more."""
    desk = world.host("desk", world.lan(), policy=REFUSE)
    path = os.path.join(desk.home("mac"), "pipe")
    desk.run(["mkfifo", path], user="mac")
    station = Station(desk, env={"BASILISK_TAP_CAPTURE": path})
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert len(os.read(reader, 4096)) == 24
    station.send(frame(BROADCAST, station.mac, 5))
    assert select.select([reader], [], [], 5)[0]
    assert number_of(os.read(reader, 4096)[16:], station.mac) == 5
    os.close(reader)
    for number in range(2000):
        station.send(frame(BROADCAST, station.mac, number))
    wait_until(lambda: station.counter("sent") == 2001, what="the last frame, sent")


def test_setuid_program_is_not_led_by_its_environment(world):
    """One of lisa's, started by mac: it is the file's owner's rights that a caller must not get."""
    desk = world.host("desk", world.lan(), policy=REFUSE)
    program = world.path("setuid")
    shutil.copy(example(world), program)
    os.chown(program, USERS["lisa"][0], 0)
    os.chmod(program, 0o4755)
    trap = world.path("trap")
    with open(trap, "w") as file:
        file.write("#!/bin/sh\necho trapped >&2\n")
    os.chmod(trap, 0o755)
    capture = os.path.join(desk.home("lisa"), "captured")
    listens = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('/tmp/bus'); s.listen(); "
    listens += "print('listens', flush=True); s.accept(); print('trapped', flush=True)"
    bus = desk.start(["/usr/bin/python3", "-c", listens], user="mac")
    bus.expect("listens", stream="stdout")
    env = {
        "BASILISK_TAP_CAPTURE": capture,
        "BASILISK_TAP_HELPER": trap,
        "BASILISK_TAP_LOG": "debug",
        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/tmp/bus",
    }
    desk.run(["chmod", "666", "/tmp/bus"], user="mac")
    done = desk.run([program, "auto"], user="mac", env=env)
    assert "set-user-id" in done.stderr and "peer to peer" in done.stderr, done
    assert "trapped" not in done.stderr and "[" not in done.stderr, done
    assert not os.path.exists(capture) and "trapped" not in bus.stdout
    # nor does it take mac's own emulators the place for their locks
    assert desk.run(["ls", "-d", "/tmp/basilisk-tap-7001"]).returncode != 0
    Station(desk)
    done = desk.run([program, "auto"], user="mac")
    assert "peer to peer" in done.stderr, done
    assert desk.run(["find", "/tmp/basilisk-tap-7001", "-user", "lisa"]).stdout == ""
    Station(desk)


def test_stderr_that_was_closed_ends_nobody(world):
    """No line of ours is worth a SIGPIPE, which ends a program that did not think of it."""
    desk = world.host("desk", world.lan(), policy=REFUSE)
    pipe, go = (os.path.join(desk.home("mac"), name) for name in ("pipe", "go"))
    desk.run(["mkfifo", pipe], user="mac")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    script = 'exec 2>"$0"; echo ready; until test -e "$1"; do sleep 0.05; done; exec "$2" auto'
    program = desk.start(["sh", "-c", script, pipe, go, example(world)], user="mac")
    program.expect("ready", stream="stdout")
    os.close(reader)
    desk.run(["touch", go])
    assert program.wait() == 0, program.story()


def test_file_that_may_not_grow_ends_nobody(world):
    """Neither the capture nor stderr is worth a SIGXFSZ."""
    lan = world.lan()
    desk = world.host("desk", lan, policy=REFUSE)
    path = os.path.join(desk.home("mac"), "frames.pcap")
    reader, writer = os.pipe()
    argv = ["sh", "-c", f'ulimit -f 4; exec "$0" auto <&{reader}', example(world)]
    program = desk.start(argv, user="mac", pass_fds=(reader,), env={"BASILISK_TAP_CAPTURE": path})
    os.close(reader)
    program.expect(r"peer to peer as", stream="stdout")
    with Peer(world.host("machine", lan)) as peer:
        wait_until(lambda: peer.receive(0.05) or peer.peers, what="the example")
        (mac,) = peer.peers
        for number in range(60):
            peer.send(frame(mac, peer.mac, number))
            peer.expect(lambda f, n=number: f == frame(peer.mac, mac, n), what="the echo")
    assert os.path.getsize(path) == 2048, os.path.getsize(path)
    os.close(writer)
    assert program.wait() == 0, program.story()
    script = 'cd "$1"; head -c 2048 /dev/zero >full; ulimit -f 4; exec "$0" auto 2>>full </dev/null'
    done = desk.run(["sh", "-c", script, example(world), desk.home("mac")], user="mac")
    assert done.returncode == 0 and "peer to peer as" in done.stdout, done


def test_child_has_no_network_but_may_open_its_own(world):
    desk = world.host("desk", world.lan(), policy=REFUSE)
    program = build(world, os.path.join(TREE, "tests/lib/child.c"), "child", flags=["-std=gnu11"])
    done = desk.run([program], user="mac")
    assert done.returncode == 0 and done.stdout == "parent 0, child 1\n", done


def test_debug_tells_the_story(world):
    lan = world.lan()
    desk = world.host("desk", lan)
    station = Station(desk)
    other = Station(world.host("attic", lan, policy=REFUSE))
    station.await_peer(other.mac, proven="1")
    mac = mac_text(other.mac)
    for part in (
        r"asking /usr/local/lib/\S+ for slot 0",
        r"got btap1b59-0, attached by patch to nic",
        r"bridged to nic, MAC " + mac_text(station.mac),
        r"discovery by ",
        rf"{mac} at 10\.9\.0\.\d+:6066 \(no\) has answered",
    ):
        station.story(part)
    other.close()
    station.story(mac + ".* is gone")
    quiet = Station(desk, debug=False, env={"BASILISK_TAP_LOG": "error"})
    assert quiet.said() == []
