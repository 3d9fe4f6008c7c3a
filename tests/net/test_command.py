# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command basilisk-tap: what it starts, what it refuses to, and what scripts may rely on."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess

import emulator
from case import Skip, needs
from emulator import Emulator
from numbered import await_all_know_all, frame
from peer import Peer
from proc import wait_until
from station import Station
from wire import Wire, mac_text
from world import REFUSE, USERS

PRELOAD = "basilisk-tap-preload.so"
MAPS = ["/usr/bin/python3", "-c", "print(open('/proc/self/maps').read())"]


def desk(world, **options):
    return world.host("desk", world.lan(), **options)


def command(host, *words, user="mac", **options):
    return host.run(["basilisk-tap", *words], user=user, **options)


# ---- run


def test_run_keeps_what_is_preloaded_already(world):
    host = desk(world)
    other = "/usr/lib/x86_64-linux-gnu/libdl.so.2"
    both = other, other.replace("x86_64", "aarch64")
    libraries = [path for path in both if os.path.exists(path)]
    argv = ["env", "LD_PRELOAD=" + ":".join(libraries), "basilisk-tap", "run", "--"]
    value = host.run([*argv, "sh", "-c", "echo $LD_PRELOAD"], user="mac").stdout.strip().split(":")
    assert os.path.basename(value[0]) == PRELOAD and value[1:] == libraries, value


def test_run_gives_the_program_its_arguments_and_status(world):
    host = desk(world)
    script = 'printf "%s|" "$0" "$@"; exit 42'
    done = command(host, "run", "sh", "-c", script, "--help", "two words", "", "--")
    assert (done.stdout, done.returncode) == ("--help|two words||--|", 42), done
    done = command(host, "run", "--", "sh", "-c", "kill -TERM $$")
    assert done.returncode == -signal.SIGTERM, done


def test_run_works_from_a_path_that_a_list_cannot_hold(world):
    """LD_PRELOAD is a list, divided by blanks and colons, without a way to quote them."""
    host = desk(world)
    for name in ("a b", "c:d"):
        folder = world.path(name)
        os.mkdir(folder)
        for file in ("bin/basilisk-tap", "lib/basilisk-tap/" + PRELOAD):
            shutil.copy(os.path.join(world.place.local, file), folder)
        for _ in range(2):  # the second time its link is there already
            done = host.run([os.path.join(folder, "basilisk-tap"), "run", *MAPS], user="mac")
            assert done.returncode == 0, done
            assert os.path.join(folder, PRELOAD) in done.stdout, done.stdout


def own_program(host, name, mode=0o755, owner=0, source="/usr/bin/true"):
    """A copy of a program in the host's /run/bin, which is not nosuid as its /run is."""

    def body():
        import ns

        if not os.path.isdir("/run/bin"):
            os.mkdir("/run/bin")
            ns.mount("tmpfs", "/run/bin", "tmpfs", data="mode=755")
        path = "/run/bin/" + name
        shutil.copy(source, path)
        os.chown(path, owner, owner)
        os.chmod(path, mode)
        return path

    return host.inside(body)


def test_run_refuses_what_the_loader_would_start_without_us(world):
    host = desk(world)
    cases = {
        "is setuid": own_program(host, "setuid", 0o4755),
        "is setgid": own_program(host, "setgid", 0o2755),
        "has file capabilities": own_program(host, "capable"),
    }
    # VFS_CAP_REVISION_2 with the effective bit, and CAP_NET_RAW permitted
    capability = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
    path = cases["has file capabilities"]
    host.inside(lambda: os.setxattr(path, "security.capability", capability))
    for why, program in cases.items():
        done = command(host, "run", program)
        assert done.returncode == 126 and f"{program} {why}" in done.stderr, (why, done)
        assert len(done.stderr.splitlines()) == 1, done
    for program in cases.values():  # root gains nothing by them, and loses nothing
        assert command(host, "run", program, user=None).returncode == 0, program
    # who has such a bit for the caller's own identity is no other than the caller
    own = own_program(host, "own", 0o4755, USERS["mac"][0])
    assert command(host, "run", own).returncode == 0


def test_run_starts_a_setuid_program_that_gains_nothing(world):
    """Where new privileges are ruled out the loader is not on its guard."""
    host = desk(world)
    program = own_program(host, "setuid", 0o4755)
    argv = ["setpriv", "--no-new-privs", "basilisk-tap", "run", program]
    assert host.run(argv, user="mac").returncode == 0


def elf(machine_bits, loader):
    """As much of a program as is looked at."""
    if machine_bits == 32:
        return b"\x7fELF\x01\x01\x01" + bytes(120)
    segment = struct.pack("<IIQQQQQQ", 3 if loader else 1, 0, 0, 0, 0, 0, 0, 0)
    header = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return b"\x7fELF\x02\x01\x01" + bytes(9) + header + segment


def test_run_refuses_what_no_library_gets_into(world):
    host = desk(world)
    for why, content in (("statically linked", elf(64, False)), ("word size", elf(32, True))):
        path = own_program(host, "program")

        def write(path=path, content=content):
            with open(path, "wb") as file:
                file.write(content)

        host.inside(write)
        done = command(host, "run", "--", path)
        assert done.returncode == 126 and why in done.stderr, (why, done)


@needs(emulator.missing)
def test_run_starts_the_emulator_in_an_appimage(world):
    """A stand-in: as the format's own runtime it is static, marked, and starts another program; but
    that is the installed emulator, not one that it carries."""
    lan = world.lan()
    host = world.host("desk", lan)
    source, program = world.path("runtime.c"), world.path("BasiliskII.AppImage")
    with open(source, "w") as file:
        file.write("#include <unistd.h>\n"
                   "int main(int c, char **v) { return c < 2 || execv(v[1], v + 1); }\n")  # fmt: skip
    subprocess.run(["cc", "-static", "-o", program, source], check=True)
    done = command(host, "run", "--", program)
    assert done.returncode == 126 and "statically linked" in done.stderr, done
    with open(program, "r+b") as file:
        file.seek(8)
        file.write(b"AI\x02")
    with Wire(world.host("machine", lan)) as wire:
        mac = Emulator(host, run=("basilisk-tap", "run", "--", program))
        mac.hello(wire)
        assert "bridged to nic" in mac.opened(), mac.stderr
        mac.quit(wire)


def test_run_starts_scripts(world):
    """Also those without a first line that says by what, as a shell would."""
    host = desk(world)
    for number, text in enumerate(("#!/bin/sh\necho $LD_PRELOAD\n", "echo $LD_PRELOAD\n")):
        host.write(f"/run/script{number}", text, 0o755)
        done = command(host, "run", f"/run/script{number}")
        assert done.returncode == 0 and PRELOAD in done.stdout, done


def test_run_names_what_it_cannot_start(world):
    host = desk(world)
    host.write("/run/text", "hello", 0o644)
    cases = {
        ("run", "--", "nosuchprogram"): (127, "nosuchprogram"),
        ("run", "/run/text"): (126, "/run/text"),
        ("run", "/run"): (126, "/run"),
        ("run",): (2, "program"),
        ("run", "--fast", "ls"): (2, "--fast"),
    }
    for words, (status, word) in cases.items():
        done = command(host, *words)
        assert done.returncode == status and word in done.stderr, (words, done)
        assert len(done.stderr.splitlines()) == 1 and not done.stdout, (words, done)


@needs(emulator.missing)
def test_dump_peers_lists_them_instead_of_starting_the_emulator(world):
    lan = world.lan()
    station = Station(world.host("attic", lan, policy=REFUSE))
    host = world.host("desk", lan)
    done = command(host, "run", "--", emulator.BINARY, "--config", "x", "--dump-peers")
    assert done.returncode == 0 and station.mac.hex(":") in done.stdout, done
    assert "Basilisk II" not in done.stdout, done


# ---- peers and status


def test_peers_as_json(world):
    lan = world.lan()
    host = world.host("desk", lan)
    with Peer(world.host("attic", lan)) as peer:
        process = host.start(["basilisk-tap", "peers", "--json"], user="mac", name="peers")
        while process.running():
            peer.receive(0.1)
        answer = json.loads(process.stdout)
        port = peer.port
    assert answer["version"] == 1 and answer["discovery"].startswith("discovery by"), answer
    (found,) = answer["peers"]
    assert 0 <= found.pop("seen") <= 2
    assert found == {
        "mac": peer.mac.hex(":"),
        "mode": "p2p",
        "attach": "no",
        "hostname": "attic",
        "port": port,
        "addresses": [peer.host.address],
    }, found
    nobody = command(world.host("lonely"), "peers", "--json")
    assert nobody.returncode == 0 and json.loads(nobody.stdout)["peers"] == [], nobody


def test_peers_tells_when_an_emulator_last_heard_of_them(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar")]
    stations = [Station(host) for host in hosts]
    await_all_know_all(stations)

    def seen():
        peers = json.loads(command(hosts[0], "peers", "--json").stdout)["peers"]
        return {p["mac"]: p["seen"] for p in peers}.get(stations[1].mac.hex(":"))

    # they may know each other before each has heard the other's announcement
    wait_until(lambda: seen() is not None, what="the announcement")
    hosts[1].ip("link set nic down")
    # its announcement is still believed, but it is not heard of any more
    wait_until(lambda: seen() >= 3, 20, "its age", step=0.2)
    hosts[1].ip("link set nic up")
    await_all_know_all(stations)
    stations[1].send(frame(stations[0].mac, stations[1].mac, 1))
    assert seen() <= 3, seen()


def test_peers_watch_tells_who_comes_and_goes(world):
    lan = world.lan()
    watches = {
        option: world.host(f"watch{number}", lan).start(
            ["basilisk-tap", "peers", "--watch", *([option] if option else [])],
            user="mac",
            name="watch",
        )
        for number, option in enumerate(("", "--json"))
    }
    station = Station(world.host("attic", lan, policy=REFUSE))
    mac = station.mac.hex(":")
    watches[""].expect(rf"^\+ {mac} ", stream="stdout")
    watches["--json"].expect(rf'^{{"event": "found", "peer": {{"mac": "{mac}"', stream="stdout")
    station.close()
    watches[""].expect(rf"^- {mac} ", stream="stdout")
    watches["--json"].expect(rf'^{{"event": "lost", "peer": {{"mac": "{mac}"', stream="stdout")
    for line in watches["--json"].stdout.splitlines():
        json.loads(line)


def test_status_as_json(world):
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    stations = [Station(attic), Station(attic), Station(attic, user="lisa")]
    await_all_know_all(stations)

    def told(user, *words):
        done = command(attic, "status", "--json", *words, user=user)
        answer = json.loads(done.stdout)
        assert answer["version"] == 1, answer
        return done.returncode, answer["emulators"]

    status, own = told("mac")
    assert status == 0 and [e["mac"] for e in own] == [s.mac.hex(":") for s in stations[:2]], own
    first = own[0]
    assert (first["user"], first["slot"], first["port"]) == (USERS["mac"][0], 0, 6066), first
    assert first["mode"] == "p2p" and first["attach"] == "no" and first["tap"] == "", first
    assert first["pid"] == stations[0].process.pid and "denies" in first["reason"], first
    assert {p["mac"] for p in first["peers"]} == {s.mac.hex(":") for s in stations[1:]}, first
    assert all(p["proven"] == 1 and p["way"] == "tunnel" for p in first["peers"]), first
    assert told("guest") == (3, [])
    assert [e["mac"] for e in told(None)[1]] == [s.mac.hex(":") for s in stations]
    assert [e["mac"] for e in told(None, "--user", "lisa")[1]] == [stations[2].mac.hex(":")]
    assert command(attic, "status", "--user", "lisa").returncode != 0


def test_status_of_one_that_does_not_answer(world):
    attic = world.host("attic", world.lan(), policy=REFUSE)
    station = Station(attic)
    station.process.stop()
    done = command(attic, "status")
    assert done.returncode == 1 and "does not answer" in done.stderr, done
    assert len(done.stderr.splitlines()) == 1, done
    station.process.go_on()
    wait_until(lambda: command(attic, "status").returncode == 0, what="its answer")


LIAR = r"""
import os, socket
os.mkdir("/tmp/basilisk-tap-7002", 0o700)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind("/tmp/basilisk-tap-7002/slot-0.sock")
listener.listen()
print("listens", flush=True)
while True:
    with listener.accept()[0] as client:
        client.recv(100)
        client.send(
            b"mode=p2p\x1b]0;owned\x07\nslot=007\nreason=\xc2\x9b2J \xff\xed\xa0\x80 caf\xc3\xa9"
            b"\0 after\rover\nport=0\npeer=x\x7f heard=08 way=\x1b[31m\nlast=\xe2\x82"
        )
"""


def test_status_shows_another_users_words_but_obeys_none(world):
    """Root asks the emulators of all users; what calls itself one may be anybody's program."""
    attic = world.host("attic", world.lan(), policy=REFUSE)
    liar = attic.start(["/usr/bin/python3", "-c", LIAR], user="guest", name="stand-in")
    liar.expect("listens", stream="stdout")
    for words in ((), ("--json",)):
        done = command(attic, "status", *words, user=None)
        assert done.returncode == 0 and "caf\u00e9? after?over" in done.stdout, done
        assert all(c.isprintable() or c == "\n" for c in done.stdout), done
    emulator = json.loads(done.stdout)["emulators"][0]
    assert (emulator["slot"], emulator["port"]) == ("007", 0), emulator
    assert emulator["peers"] == [{"mac": "x?", "heard": "08", "way": "?[31m"}], emulator
    assert emulator["last"] == "??", emulator


def test_status_tells_people_how_peers_are_reached(world):
    lan = world.lan()
    attic, cellar = (world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar"))
    done = command(attic, "status")
    assert (done.returncode, done.stdout) == (3, "") and "'ether auto' in its prefs" in done.stderr, done
    one, other = Station(attic), Station(cellar)
    one.await_peer(other.mac, proven="1")
    with Peer(world.host("machine", lan), confirms=False) as silent:
        wait_until(lambda: silent.receive(0.05) or silent.mac in one.status()["peer"], 5, "the silent one")
        lines = command(attic, "status").stdout.splitlines()
    peers = [line.split(None, 1)[1] for line in lines if line.startswith("  peer ")]
    reached = rf"{mac_text(other.mac)} by tunnel at {cellar.address}:6066, heard of \d+\.\d s ago"
    assert any(re.fullmatch(reached, peer) for peer in peers), lines
    unknown = rf"{mac_text(silent.mac)} by tunnel at \S+, heard of \d+\.\d s ago, never answered"
    assert any(re.fullmatch(unknown, peer) for peer in peers), lines


def test_status_is_not_led_to_another_users_emulator(world):
    attic = world.host("attic", world.lan(), policy=REFUSE)
    station = Station(attic)
    attic.run(["sh", "-c", "cd /tmp; mkdir -m 700 basilisk-tap-7003; chown lisa basilisk-tap-7003"])
    link = "ln -s /tmp/basilisk-tap-7001/slot-0.sock /tmp/basilisk-tap-7003/slot-0.sock"
    assert attic.run(["sh", "-c", link]).returncode == 0
    done = command(attic, "status", "--json", user=None)
    assert [e["user"] for e in json.loads(done.stdout)["emulators"]] == [station.uid], done
    done = command(attic, "status", "--user", "lisa", user=None)
    assert done.returncode == 1 and "/tmp/basilisk-tap-7003" in done.stderr, done


def test_status_of_all_names_the_one_that_does_not_answer(world):
    attic = world.host("attic", world.lan(), policy=REFUSE)
    stations = [Station(attic, user=user) for user in ("mac", "lisa")]
    stations[0].process.stop()
    done = command(attic, "status", "--json", user=None)
    assert done.returncode == 1, done
    assert "slot 0 of user 7001 does not answer" in done.stderr, done
    assert [e["user"] for e in json.loads(done.stdout)["emulators"]] == [stations[1].uid], done


# ---- mac


def test_mac_is_that_of_the_slot_and_user(world):
    attic = world.host("attic", world.lan(), policy=REFUSE)
    stations = [Station(attic), Station(attic), Station(attic, user="lisa")]
    for user, slot, station in (("mac", 0, 0), ("mac", 1, 1), ("lisa", 0, 2)):
        expected = stations[station].mac.hex(":")
        done = command(attic, "mac", "--slot", str(slot), user=user)
        assert (done.returncode, done.stdout) == (0, expected + "\n"), done
        done = command(attic, "mac", f"--slot={slot}", "--user", user, user="guest")
        assert (done.returncode, done.stdout) == (0, expected + "\n"), done


def test_mac_for_qemu_is_that_of_the_highest_slot_that_is_free(world):
    host = desk(world, policy="allow all\nmax-taps 16\n")

    def last():
        done = command(host, "mac")
        assert done.returncode == 0, done
        return int(done.stdout.strip()[-1], 16)

    assert last() == 15
    stations = [Station(host)]
    assert stations[0].status()["mode"] == "bridge"
    assert last() == 15  # emulators take the lowest
    stations += [Station(host, f"auto/slot={slot}") for slot in (15, 14)]
    assert [s.status()["mode"] for s in stations] == ["bridge"] * 3
    assert last() == 13
    stations[1].close()
    wait_until(lambda: last() == 15, what="the slot that is free again")


def test_words_that_are_not_understood_are_named(world):
    host = desk(world)
    cases = (
        ("mac", "--slot", "16"), ("mac", "--slot", "-1"), ("mac", "--slot", "0x1"), ("mac", "3"),
        ("mac", "--slots=1"), ("mac", "--slot"), ("peers", "--jsn"), ("peers", "--json=1"),
        ("peers", "all"), ("status", "-x"), ("status", "--json", "now"), ("doctors",),
        ("--verbose",),
    )  # fmt: skip
    for words in cases:
        done = command(host, *words)
        assert done.returncode == 2 and words[-1] in done.stderr and not done.stdout, (words, done)
        assert len(done.stderr.splitlines()) == 1, (words, done)
    done = command(host, "mac", "--user", "nosuchuser")
    assert done.returncode == 1 and "nosuchuser" in done.stderr, done
    assert command(host).returncode == 2


def test_help_and_version(world):
    host = desk(world)
    text = command(host, "--help")
    assert (command(host, "help").returncode, command(host, "help").stdout) == (0, text.stdout)
    assert text.returncode == 0 and not text.stderr, text
    for name in ("run", "peers", "status", "mac"):
        assert name in text.stdout, text
        for word in ("--help", "-h"):
            done = command(host, name, word)
            assert done.returncode == 0 and not done.stderr, done
            assert done.stdout.startswith("usage: basilisk-tap " + name), done
    version = command(host, "--version")
    assert version.returncode == 0 and version.stdout.startswith("basilisk-tap "), version


def test_output_that_cannot_be_written_is_told(world):
    host = desk(world)
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full")
    # also where there is nothing to tell of, or something is in the way
    for words in ("--help", "mac", "status --help", "status --json", "doctor", "peers --json"):
        for place in ("/dev/full", "&-"):
            done = host.run(["sh", "-c", f"basilisk-tap {words} >{place}"], user="mac")
            assert done.returncode == 1 and "cannot write" in done.stderr, (words, place, done)


def test_watch_ends_where_nobody_gets_what_it_tells(world):
    lan = world.lan()
    watch = world.host("desk", lan, policy=REFUSE).start(
        ["sh", "-c", "exec basilisk-tap peers --watch >/dev/full"], user="mac"
    )
    station = Station(world.host("attic", lan, policy=REFUSE))
    assert watch.wait(10) == 1 and "cannot write" in watch.stderr, watch.story()
    station.close()


def test_watch_ends_with_its_reader_though_nothing_changes(world):
    desk = world.host("desk", world.lan(), policy=REFUSE)
    station = Station(desk)
    reader, writer = os.pipe()
    script = f"exec basilisk-tap peers --watch >&{writer}"
    watch = desk.start(["sh", "-c", script], user="mac", pass_fds=(writer,))
    os.close(writer)
    assert os.read(reader, 4096).startswith(b"+ b2:")
    assert watch.running()
    os.close(reader)
    assert watch.wait(10) == 0 and not watch.stderr, watch.story()
    station.close()
