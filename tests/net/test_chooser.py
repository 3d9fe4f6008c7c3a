# SPDX-License-Identifier: LGPL-2.1-or-later
"""basilisk-tap chooser: what a Mac's Chooser would list, without a Mac."""
import json
import re
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import appletalk
import emulator
from case import needs
from emulator import Emulator
from peer import Peer
from router import Router
from wire import Wire, mac_text
from world import REFUSE

CAPTURE = "/tmp/chooser.pcap"


def chooser(host, *words, user="lisa", env=None):
    """Run it; returns (exit status, stdout as JSON or None, the process)."""
    argv = ["basilisk-tap", "chooser", "--json", "--wait=1", *words]
    done = host.run(argv, user=user, env=env, seconds=30)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done


def at_once(*calls):
    """The results of functions that wait most of the time: each for a network's answers."""
    with ThreadPoolExecutor() as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


class Served:
    """A node that answers for as long as the block lasts."""

    def __init__(self, node):
        self.node = node

    def __enter__(self):
        self.over = False
        self.thread = threading.Thread(target=self.body)
        self.thread.start()
        return self.node

    def body(self):
        while not self.over:
            self.node.serve(0.2)

    def __exit__(self, *error):
        self.over = True
        self.thread.join()


def names(told):
    return [(n["type"], n["name"], n["zone"], n["address"]) for n in told["names"]]


def address_text(hello):
    return f"{hello.net}.{hello.node}"


def check_capture(host, world, mac, *protocols):
    """tshark understands every frame of ours and of AppleTalk's, finds nothing wrong with it, and
    sees these protocols."""
    copy = world.path("chooser.pcap")
    with open(copy, "wb") as file:
        file.write(host.inside(lambda: open(CAPTURE, "rb").read()))

    def tshark(*words):
        argv = ["tshark", "-n", "-r", copy, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    ours = f"(llc || eth.src == {mac})"  # and not what the host's own mDNS says
    assert tshark("-Y", ours)
    doubts = "_ws.malformed || _ws.expert || _ws.short || data && ddp.type != 4"
    wrong = tshark("-Y", f"{ours} && ({doubts})")
    assert not wrong, wrong
    seen = {p for line in tshark("-T", "fields", "-e", "frame.protocols").splitlines()
            for p in line.split(":")}  # fmt: skip
    assert set(protocols) <= seen, seen
    return tshark("-V")


def tshark_missing():
    return None if shutil.which("tshark") else "no tshark (packaging/deps.sh check)"


@needs(emulator.missing)
def test_chooser_lists_a_bridged_mac_of_the_lan(world):
    lan = world.lan()
    mac = Emulator(world.host("desk", lan), name="Quadra")
    with Wire(world.host("machine", lan)) as wire:
        hello = mac.hello(wire, online=True)
    status, told, done = chooser(world.host("other", lan))
    assert status == 0, done
    assert names(told) == [("Macintosh", "Quadra", "*", address_text(hello))], told
    assert told["node"]["mode"] == "bridge" and told["router"] is None, told
    assert told["zones"] == ["*"] and told["complete"] is True, told


@needs(emulator.missing)
def test_chooser_lists_a_bridged_mac_of_its_own_host(world):
    lan = world.lan()
    desk = world.host("desk", lan)
    mac = Emulator(desk, name="Quadra")
    with Wire(world.host("machine", lan)) as wire:
        hello = mac.hello(wire, online=True)
    status, told, done = chooser(desk, user="mac")
    assert status == 0, done
    assert names(told) == [("Macintosh", "Quadra", "*", address_text(hello))], told


@needs(emulator.missing)
def test_chooser_and_ping_reach_a_refused_mac_by_tunnel(world):
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    cellar = world.host("cellar", lan, policy="deny all\n")
    mac = Emulator(attic, name="Centris")
    with Peer(world.host("machine", lan)) as ear:
        hello = mac.hello(ear, online=True)
    (status, told, done), ping = at_once(
        lambda: chooser(cellar), lambda: chooser(cellar, "ping", "--count", "3", "Centris")
    )
    assert status == 0, done
    assert told["node"]["mode"] == "p2p" and told["node"]["attach"] == "no", told
    assert names(told) == [("Macintosh", "Centris", "*", address_text(hello))], told
    status, told, done = ping
    assert status == 0, done
    found = told["ping"]
    assert found["sent"] == found["answered"] == 3, told
    assert (found["address"], found["mac"]) == (address_text(hello), mac_text(mac.mac)), told


@needs(emulator.missing)
def test_ping_finds_a_mac_by_name_in_any_case_by_type_and_by_address(world):
    lan = world.lan()
    mac = Emulator(world.host("desk", lan), name="Quadra")
    with Wire(world.host("machine", lan)) as wire:
        hello = mac.hello(wire, online=True)
    host = world.host("other", lan)
    words = "qUADRA:Macintosh@*", address_text(hello)
    argv = ["basilisk-tap", "chooser", "ping", "--count=2"]
    runs = at_once(*(lambda w=w: host.run([*argv, w], user="mac", seconds=30) for w in words))
    for word, done in zip(words, runs):
        assert done.returncode == 0, done
        first, *echoes, last = done.stdout.splitlines()
        assert first == f"{word} is {address_text(hello)} at MAC {mac_text(mac.mac)}", done
        assert all(re.fullmatch(r"echo \d: \d+\.\d\d ms", line) for line in echoes), done
        assert len(echoes) == 2 and last.startswith("2 sent, 2 answered"), done


def test_chooser_lists_names_of_all_zones_that_the_router_tells(world):
    lan = world.lan()
    zones = ["Büro", "Etage 2", "Lager", "Werkstatt", "Ω"]
    behind = {
        ("LaserWriter Plus", "LaserWriter", "Büro"): (2000, 5),
        ("Files", "AFPServer", "Werkstatt"): (3000, 77),
        ("π", "AFPServer", "Ω"): (3001, 78),
    }
    with Wire(world.host("machine", lan)) as wire, Served(
        Router(wire, zone="Ethernet", zones=zones, behind=behind)
    ) as router:
        host = world.host("desk", lan)
        status, told, done = chooser(host)
        assert status == 0, done
        assert names(told) == [
            ("AFPServer", "Files", "Werkstatt", "3000.77"),
            ("AFPServer", "π", "Ω", "3001.78"),
            ("LaserWriter", "LaserWriter Plus", "Büro", "2000.5"),
            ("Macintosh", "Router", "Ethernet", "100.128"),
        ], told
        assert told["zones"] == ["Ethernet", *zones], told
        assert told["router"] == {"address": "100.128", "mac": mac_text(wire.mac),
                                  "networks": [100, 105], "zone": "Ethernet"}, told  # fmt: skip
        net = int(told["node"]["address"].split(".")[0])
        assert 100 <= net <= 105, told
        assert router.answered["GetZoneList"] == 2, router.answered

        status, told, done = chooser(host, "--zone", "Büro")
        assert status == 0 and [n["zone"] for n in told["names"]] == ["Büro"], done

        status, told, done = chooser(host, "ping", "--count=2", "Files:AFPServer@Werkstatt")
        assert status == 0 and told["ping"]["answered"] == 2, done
        assert told["ping"]["mac"] == mac_text(wire.mac), told
        assert router.answered["echo behind"] == 2, router.answered


def test_chooser_answers_aarp_and_echo_while_it_looks(world):
    lan = world.lan()
    with Wire(world.host("machine", lan)) as wire:
        node = appletalk.Node(wire)
        host = world.host("desk", lan)
        process = host.start(["basilisk-tap", "chooser", "--wait=5"], user="mac")
        looks = node.serve(15, lambda frame: frame if (p := appletalk.parse_ddp(frame))
                           and p.kind == appletalk.NBP else None)  # fmt: skip
        asker = appletalk.parse_ddp(looks)
        address = asker.net, asker.node
        assert node.aarp(address) == asker.mac
        data = bytes(range(200))
        assert node.echo(asker.mac, address, data) == data
        status = None
        while status is None:
            node.serve(0.2)
            status = process.popen.poll()
        assert status == 0, process.story()
        assert re.search(r"^Macintosh +Machine +\* +65280\.1:128$", process.stdout, re.M), process


def test_chooser_leaves_an_address_to_its_owner(world):
    """Somebody who answers to the first two addresses it tries keeps both."""
    lan = world.lan()
    with Wire(world.host("machine", lan)) as wire:
        host = world.host("desk", lan)
        process = host.start(["basilisk-tap", "chooser", "--wait=1"], user="mac")
        owned = []

        def own(frame):
            got = appletalk.parse_aarp(frame)
            if got and got[0] == appletalk.PROBE:
                if got[3] not in owned and len(owned) < 2:
                    owned.append(got[3])
                if got[3] in owned:
                    wire.send(appletalk.aarp_frame(got[1], wire.mac, appletalk.RESPONSE, got[3],
                                                   got[2], got[1]))  # fmt: skip
            packet = appletalk.parse_ddp(frame)
            return packet if packet and packet.kind == appletalk.NBP else None

        found = wire.expect(own, 15)
        assert len(owned) == 2 and (found.net, found.node) not in owned, (owned, found)
        assert process.wait() == 3, process.story()


def test_chooser_gives_up_where_somebody_owns_every_address(world):
    lan = world.lan()
    with Wire(world.host("machine", lan)) as wire:
        host = world.host("desk", lan)
        process = host.start(["basilisk-tap", "chooser"], user="mac")

        def own(frame):
            got = appletalk.parse_aarp(frame)
            if got and got[0] == appletalk.PROBE:
                wire.send(appletalk.aarp_frame(got[1], wire.mac, appletalk.RESPONSE, got[3],
                                               got[2], got[1]))  # fmt: skip
            return process.popen.poll() is not None

        for frame in wire.frames(10):
            if own(frame):
                break
        assert process.wait() == 1 and "are taken" in process.stderr, process.story()


def test_chooser_says_that_nobody_is_there_and_ends_with_3(world):
    host = world.host("desk", world.lan())
    words = "Nobody", "65280.200"
    (status, told, done), *pings = at_once(
        lambda: chooser(host),
        *(lambda w=w: chooser(host, "ping", w, user="mac") for w in words),
    )
    assert status == 3 and told["names"] == [] and told["zones"] == ["*"], done
    for word, (status, told, done) in zip(words, pings):
        assert status == 3 and word in done.stderr, done
        ping = {"address": word if word[0].isdigit() else None, "mac": None, "sent": 0, "answered": 0}
        assert told["ping"] == ping, done
    assert not any(link.startswith("btap") for link in host.links())


def test_chooser_names_what_it_does_not_understand(world):
    host = world.host("desk", world.lan())
    for words in (["--wait=0"], ["--wait=61"], ["frob"], ["ping"], ["ping", "a", "b"],
                  ["ping", "Name:@"], ["ping", "漢字"], ["--zone", "x" * 33], ["--ether=tun"],
                  ["--ether=auto/slot=99"], ["ping", "--count=1001", "x"], ["--frob"]):  # fmt: skip
        done = host.run(["basilisk-tap", "chooser", *words], user="mac")
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, (words, done)
        assert not done.stdout, done


def test_chooser_without_any_network_says_why_and_ends_with_1(world):
    host = world.host("desk", world.lan(), policy=REFUSE)
    done = host.run(["basilisk-tap", "chooser", "--ether=auto-bridge"], user="mac")
    assert done.returncode == 1 and "denies" in done.stderr, done


def test_interrupted_chooser_takes_its_leave(world):
    lan = world.lan()
    with Wire(world.host("machine", lan)) as wire:
        host = world.host("desk", lan)
        process = host.start(["basilisk-tap", "chooser", "--wait=60"], user="mac")
        wire.expect(appletalk.parse_aarp, 5)
        process.signal(2)
        assert process.wait() == 1 and "interrupted" in process.stderr, process.story()


def test_chooser_tells_of_its_progress_on_a_terminal_alone(world):
    host = world.host("desk", world.lan())
    line = "basilisk-tap chooser --wait=1"
    seen, done = at_once(
        lambda: host.run(["script", "--quiet", "--command", line, "/dev/null"], user="mac").stdout,
        lambda: host.run(line.split(), user="mac"),
    )
    assert "\x1b[Kjoining the network ..." in seen and "\x1b[Klooking for names" in seen, seen
    assert "..." not in done.stdout + done.stderr and "\x1b" not in done.stderr, done


def test_names_from_the_network_cannot_speak_to_the_terminal(world):
    lan = world.lan()
    with Wire(world.host("machine", lan)) as wire, Served(
        appletalk.Node(wire, name="\x1b[2Jbad\x07")
    ):
        done = world.host("desk", lan).run(["basilisk-tap", "chooser", "--wait=1"], user="mac")
        assert done.returncode == 0 and "\ufffd[2Jbad\ufffd" in done.stdout, done
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout + done.stderr), done


def test_nonsense_from_the_network_harms_nothing(world):
    """Every way to cut and to lie in an answer, all the while; the true one is still listed."""
    lan = world.lan()
    with Wire(world.host("machine", lan)) as wire:
        node = appletalk.Node(wire)
        host = world.host("desk", lan)
        process = host.start(["basilisk-tap", "chooser", "--wait=2"], user="mac")
        plain = node.wire.send
        turn = 0

        def send(frame):
            nonlocal turn
            for _ in range(20):
                turn += 1
                broken = bytearray(frame)
                at = 12 + turn * 7 % (len(frame) - 12)
                broken[at] = (broken[at] + turn * 37) & 0xFF
                plain(bytes(broken))
                plain(frame[: 14 + turn % (len(frame) - 14)])
            plain(frame)

        node.wire.send = send
        while process.popen.poll() is None:
            node.serve(0.2)
        assert process.wait() == 0 and " Machine " in process.stdout, process.story()


@needs(emulator.missing, tshark_missing)
def test_tshark_decodes_every_frame_of_chooser_and_ping(world):
    lan = world.lan()
    mac = Emulator(world.host("desk", lan), name="Quadra")
    wire = Wire(world.host("machine", lan))
    hello = mac.hello(wire, online=True)
    host = world.host("other", lan)
    with Served(Router(wire, zones=["Lager"])):
        for words in ((), ("ping", "Quadra")):
            env = {"BASILISK_TAP_CAPTURE": CAPTURE}
            status, told, done = chooser(host, *words, env=env)
            assert status == 0, done
            protocols = "aarp", "ddp", "nbp", "zip", *(() if words else ("atp",))
            found = told["ping"]["address"] if words else told["names"][0]["address"]
            assert found == address_text(hello), told
            if not words:  # the Mac itself says "*"
                assert told["names"][0]["zone"] == "Ethernet", told
            assert "Quadra" in check_capture(host, world, told["node"]["mac"], *protocols)
