# SPDX-License-Identifier: LGPL-2.1-or-later
"""basilisk-tap doctor: what is in the way, each made real in a host's namespaces.

A wireless card cannot be had here: a folder of /sys that looks like one's is a stand-in.  So are
the marks in /run that NetworkManager and systemd-networkd leave, and the lists of the kernel's
modules.
"""
import json
import os
import shutil

import avahi
import guest_ip
import helper
import nft
import ns
from activation import Activation
from case import needs
from guest import Guest
from peer import Peer
from proc import wait_until
from station import Station
from wire import Wire
from world import REFUSE, USERS

IN, OUT = 1, 3  # hooks of nf_tables: <linux/netfilter.h>


def doctor(host, user="mac", env=None, before=()):
    """Run it; returns (exit status, the JSON object)."""
    argv = [*before, "basilisk-tap", "doctor", "--json"]
    done = host.run(argv, user=user, env=env)
    assert done.stdout and not done.stderr, done
    return done.returncode, json.loads(done.stdout)


def findings(told, problem=True):
    return {f["check"]: f for f in told["findings"] if f["problem"] == problem}


def check_only(answer, *checks):
    """Just these problems, each with what to do about it; returns the last one's sentence."""
    status, told = answer
    found = findings(told)
    assert set(found) == set(checks) and status == (1 if checks else 0), (status, told)
    for each in told["findings"]:
        assert each["what"] and each["remedy"] and "\n" not in each["what"] + each["remedy"], each
    return found[checks[-1]]["what"] if checks else None


def desk(world, **options):
    return world.host("desk", world.lan(), **options)


def copy_of_helper(world, path, mode):
    shutil.copy(os.path.join(world.place.local, "lib/basilisk-tap/basilisk-tap-helper"), path)
    os.chmod(path, mode)
    return {"BASILISK_TAP_HELPER": path}


def test_doctor_finds_nothing_where_all_is_well(world):
    host = desk(world)
    answer = doctor(host)
    check_only(answer)
    assert (answer[1]["attach"], answer[1]["uplink"]) == ("patch", "nic"), answer
    done = host.run(["basilisk-tap", "doctor"], user="mac")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[-1] == "nothing is in the way", done
    assert lines[0] == "`ether auto` here: bridged to nic (patch), because it has the default route", done
    assert not helper.taps(host) and "bthub" not in host.links()  # it only looked


def test_doctor_says_in_words_what_is_in_the_way_and_what_to_do(world):
    host = desk(world, policy=REFUSE)
    done = host.run(["basilisk-tap", "doctor"], user="mac")
    assert done.returncode == 1 and not done.stderr, done
    lines = done.stdout.splitlines()
    assert lines[0].startswith("`ether auto` here: peer to peer only, because "), done
    at = next(i for i, line in enumerate(lines) if line.startswith("problem  denied: "))
    assert "helper.conf:1 denies" in lines[at], done
    assert lines[at + 1].startswith("         what to do: ask the administrator"), done


def test_doctor_tells_a_policy_that_refuses_or_is_missing_or_void(world):
    host = desk(world)
    void = "allow nobody-known\n"
    for policy, check in ((REFUSE, "denied"), (None, "no-policy"), (void, "bad-policy")):
        host.policy(policy)
        check_only(doctor(host), check)


def test_doctor_finds_that_the_helper_is_missing(world):
    env = {"BASILISK_TAP_HELPER": "/nonexistent/helper"}
    what = check_only(doctor(desk(world), env=env), "helper-missing")
    assert "/nonexistent/helper" in what


def test_doctor_finds_that_no_helper_is_to_be_asked(world):
    check_only(doctor(desk(world), env={"BASILISK_TAP_HELPER": "none"}), "helper-none")


def test_doctor_finds_that_the_helper_has_lost_its_mode(world):
    host = desk(world)
    path = world.path("helper")
    for mode in (0o755, 0o4754):
        env = copy_of_helper(world, path, mode)
        assert path in check_only(doctor(host, env=env), "helper-mode")
    check_only(doctor(host, env=copy_of_helper(world, path, 0o4755)))


def test_doctor_finds_that_the_helper_is_mounted_nosuid(world):
    host = desk(world)
    env = host.inside(lambda: copy_of_helper(world, "/tmp/helper", 0o4755))
    assert "nosuid" in check_only(doctor(host, env=env), "nosuid")


def test_doctor_finds_no_new_privs(world):
    check_only(doctor(desk(world), before=["setpriv", "--no-new-privs", "--"]), "no-new-privs")


def test_doctor_finds_a_group_that_this_login_does_not_know_yet(world):
    host = desk(world)
    uid = USERS["lisa"][0]
    before = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]
    assert "lisa" in check_only(doctor(host, user=None, before=before), "login-groups")
    check_only(doctor(host, user="guest"), "denied")  # whom a new login would not help


def test_doctor_finds_that_the_card_is_wireless(world):
    host = desk(world)

    def stand_in():
        ns.mount("tmpfs", "/sys/class/net", "tmpfs")
        os.makedirs("/sys/class/net/nic/wireless")

    host.inside(stand_in)
    assert "nic is wireless" in check_only(doctor(host), "wireless")


def test_doctor_finds_an_ingress_qdisc_and_leaves_clsact_alone(world):
    host = desk(world)
    host.run(["tc", "qdisc", "add", "dev", "nic", "clsact"])
    check_only(doctor(host))
    host.run(["tc", "qdisc", "del", "dev", "nic", "clsact"])
    host.run(["tc", "qdisc", "add", "dev", "lo", "ingress"])
    check_only(doctor(host))
    done = host.run(["tc", "qdisc", "add", "dev", "nic", "ingress"])
    assert done.returncode == 0, done
    assert "nic" in check_only(doctor(host), "ingress")


def with_both_families(world, name):
    """A host whose card has its IPv6 address already: the kernel takes a moment over it."""
    host = world.host(name, world.lan())

    def has_address():
        shown = host.run(["ip", "-6", "address", "show", "dev", "nic", "scope", "link"]).stdout
        return "inet6 fe80" in shown and "tentative" not in shown

    wait_until(has_address, what="its IPv6 address")
    return host


def test_doctor_finds_a_firewall_by_its_effect(world):
    for family, hook, name in (
        ("ip", IN, "IPv4"), ("ip", OUT, "IPv4"), ("inet", IN, "IPv4 and IPv6"),
        ("inet", OUT, "IPv4 and IPv6"),
    ):  # fmt: skip
        host = with_both_families(world, f"{family}{hook}")
        nft.chain(host, family, hook, nft.DROP)
        answer = doctor(host)
        check_only(answer, "firewall-tunnel", "firewall-mdns")
        for found in findings(answer[1]).values():
            assert f" to {name} on nic: " in found["what"], found
    env = {"BASILISK_TAP_HELPER": "none"}  # then all depends on it
    check_only(doctor(host, env=env), "helper-none", "firewall-tunnel", "firewall-mdns")
    host = with_both_families(world, "open")
    nft.chain(host, "inet", IN, nft.ACCEPT)
    answer = doctor(host)
    check_only(answer)
    assert not [f for f in answer[1]["findings"] if "firewall" in f["check"]], answer


def test_doctor_tells_the_port_that_is_closed(world):
    for port, check in ((6066, "firewall-tunnel"), (5353, "firewall-mdns")):
        host = with_both_families(world, f"closed{port}")
        nft.close_port(host, "inet", IN, port)
        assert f"UDP port {port} to IPv4 and IPv6" in check_only(doctor(host), check)
        if port == 6066:  # an emulator that has it has been told, so the next is asked for
            with Station(host, "auto-p2p"):
                check_only(doctor(host))


def test_doctor_notes_a_firewall_for_ipv6_alone(world):
    """Peers take IPv4 where they have it; where they have not, it is in the way."""
    host = with_both_families(world, "desk")
    nft.chain(host, "ip6", IN, nft.DROP)
    answer = doctor(host)
    check_only(answer)
    notes = findings(answer[1], problem=False)
    for check in ("firewall-tunnel", "firewall-mdns"):
        assert " to IPv6 on nic: " in notes[check]["what"], notes
    host.ip("addr flush dev nic scope global")
    check_only(doctor(host), "firewall-tunnel", "firewall-mdns")


def test_firewall_probe_stays_on_this_host(world):
    lan = world.lan()
    host, machine = world.host("desk", lan), world.host("machine", lan)
    with Wire(machine, everything=True) as wire:
        check_only(doctor(host))
        assert not [f for f in iter(lambda: wire.receive(0), None) if b"basilisk-tap doctor" in f]


@needs(avahi.missing)
def test_doctor_notes_that_there_is_no_avahi_daemon(world):
    host = desk(world)
    assert "no-avahi-daemon" in findings(doctor(host)[1], problem=False)
    avahi.Avahi(host)
    answer = doctor(host)
    check_only(answer)
    assert "no-avahi-daemon" not in findings(answer[1], problem=False), answer


def test_doctor_finds_that_there_can_be_no_discovery(world):
    host = desk(world)
    host.write("/etc/avahi/avahi-daemon.conf", "[server]\ndisallow-other-stacks=yes\n")
    assert "allows no other" in check_only(doctor(host), "discovery")


def test_doctor_finds_that_the_own_name_is_a_loopback_only_with_stock_udptunnel(world):
    host = desk(world)
    prefs = os.path.join(host.home("mac"), ".basilisk_ii_prefs")
    off = "ether auto\nudptunnel false\n"
    for content, checks in ((off, ()), ("udptunnel true\n", ["own-name"])):
        with open(prefs, "w") as file:
            file.write(content)
        what = check_only(doctor(host), *checks)
    assert "127.0.1.1" in what and prefs in what
    host.write("/etc/hosts", f"127.0.0.1 localhost\n{host.address} desk\n")
    check_only(doctor(host))


def test_doctor_finds_udptunnel_in_the_way_of_ether_auto(world):
    host = desk(world)
    prefs = os.path.join(host.home("mac"), ".sheepshaver_prefs")
    for content, checks in (
        ("ether auto-p2p/port=7000\nudptunnel\ttrue\n", ["udptunnel"]),
        ("udptunnel true\nudptunnel false\nether auto\n", ()),
        ("ether auto\nudptunnel true\nether tap0\n", ["own-name"]),
    ):
        with open(prefs, "w") as file:
            file.write(content)
        what = check_only(doctor(host), *checks)
        assert not what or prefs in what, what


def test_doctor_notes_prefs_that_ask_for_another_network(world):
    host = desk(world)
    prefs = os.path.join(host.home("mac"), ".basilisk_ii_prefs")
    for content, word in (
        ("ether auto\nether tap0\n", "'ether tap0'"),
        ("rom x\n", "no 'ether' line"),
        ("ether tap0\nether auto\n", None),
    ):
        with open(prefs, "w") as file:
            file.write(content)
        answer = doctor(host)
        check_only(answer)
        note = findings(answer[1], problem=False).get("ether")
        assert (word in note["what"] and prefs in note["what"]) if word else not note, answer


def own_mac(host):
    done = host.run(["basilisk-tap", "mac", "--slot=0"], user="mac")
    return bytes.fromhex(done.stdout.strip().replace(":", ""))


def test_doctor_finds_a_mac_of_another_host_with_an_address_of_ours(world):
    lan = world.lan()
    host, other = world.host("desk", lan), world.host("copy", lan)
    mac = own_mac(host)
    for twin, check in ((mac, "mac-clash"), (mac[:4] + b"\xab\xc0", "cloned-machine-id")):
        with Peer(other, mac=twin) as peer:
            process = host.start(["basilisk-tap", "doctor", "--json"], user="mac")
            while process.popen.poll() is None:
                peer.receive(0.2)
            what = check_only((process.wait(), json.loads(process.stdout)), check)
            assert twin.hex(":") in what and " copy has " in what.replace("on copy", "copy"), what


def copy_with_mac(world, lan, desk, mac):
    """A machine that announces nothing, with that address; the desk has just heard of it."""
    copy = world.host("copy", lan)
    copy.ip("link set nic down", f"link set nic address {mac.hex(':')}", "link set nic up")
    assert desk.run(["ping", "-c1", "-W5", copy.address]).returncode == 0
    return copy


def test_doctor_finds_an_address_of_ours_at_a_machine_that_announces_nothing(world):
    lan = world.lan()
    host = world.host("desk", lan)
    host.sysctl("net/ipv4/neigh/nic/delay_first_probe_time", "1")
    mac = own_mac(host)
    copy = copy_with_mac(world, lan, host, mac)
    what = check_only(doctor(host), "mac-clash")
    assert f"the Mac {mac.hex(':')} at {copy.address} has an address of this user's" in what
    # the neighbour is known still, but nobody is there any more
    copy.ip("link set nic down")
    host.ip(f"neigh replace {copy.address} dev nic lladdr {mac.hex(':')} nud stale")
    check_only(doctor(host))
    copy.ip(f"link set nic address {(mac[:4] + bytes((0xAB, 0xC0))).hex(':')}", "link set nic up")
    host.ip("neigh flush dev nic")
    assert host.run(["ping", "-c1", "-W5", copy.address]).returncode == 0
    host.ip(f"neigh change {copy.address} dev nic nud stale")  # the kernel has to ask again
    assert copy.address in check_only(doctor(host), "cloned-machine-id")


def test_doctor_is_not_surprised_by_macs_of_this_host(world):
    host = desk(world)
    with Station(host, "auto-p2p", user="lisa"):
        check_only(doctor(host))


def test_doctor_knows_its_own_mac_among_the_neighbours(world):
    host = desk(world)
    guest = Guest(host)
    guest_ip.ping(guest, host.address)
    address = guest_ip.ADDRESS.format(host.address.rpartition(".")[0])
    host.ip(f"neigh change {address} dev nic nud reachable")  # as if it went on talking
    known = host.run(["ip", "neigh", "show"]).stdout
    assert guest.mac.hex(":") in known, known
    check_only(doctor(host))
    guest.close()


def test_doctor_finds_that_the_machine_has_no_identity(world):
    host = desk(world)
    for content in ("", "uninitialized\n"):
        host.write("/etc/machine-id", content)
        check_only(doctor(host), "machine-id")


def test_doctor_finds_a_kernel_without_what_the_patch_port_needs(world):
    host = desk(world)
    lists = {"modules.builtin": "kernel/drivers/net/tun.ko\n",
             "modules.dep": "kernel/drivers/net/veth.ko.xz: kernel/net/sched/cls_bpf.ko.xz\n"
                            "kernel/net/sched/act_mirred.ko.zst:\n"}  # fmt: skip
    folder = world.path("lib", "modules", os.uname().release)
    os.makedirs(folder)
    for name, content in lists.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(content)

    def hide():
        ns.mount("lib", "/usr/lib", "overlay", data=f"lowerdir={world.path('lib')}:/usr/lib")
        ns.mount("tmpfs", "/sys/module", "tmpfs")

    host.inside(hide)
    assert "cls_bpf" in check_only(doctor(host), "kernel")
    host.inside(lambda: os.mkdir("/sys/module/cls_bpf"))
    check_only(doctor(host))


def test_doctor_notes_macvlan_children_and_the_cards_manager(world):
    host = desk(world)
    assert not {"macvlan", "manager"} & set(findings(doctor(host)[1], problem=False))
    host.ip("link add link nic name mv0 type macvlan mode bridge")
    index = host.inside(lambda: open("/sys/class/net/nic/ifindex").read().strip())
    for path, name in (("/run/network/ifstate", "ifupdown"),
                       ("/run/systemd/netif/links/" + index, "systemd-networkd"),
                       ("/run/NetworkManager/devices/" + index, "NetworkManager")):  # fmt: skip
        host.write(path, "lo=lo\nnic=nic\n")
        answer = doctor(host)
        check_only(answer)
        notes = findings(answer[1], problem=False)
        assert name in notes["manager"]["what"] and "mv0" in notes["macvlan"]["what"], answer


def test_doctor_notes_that_somebody_has_changed_what_the_helper_made(world):
    host = desk(world)

    def noted():
        answer = doctor(host)
        check_only(answer)
        note = findings(answer[1], problem=False).get("attachment")
        return note and note["what"].partition(" ")[0]

    with Guest(host):
        assert noted() is None
        for device, change in (
            ("btlan", "ip link set btlan down"),
            ("bthub", "ip link set bthub down"),
            ("nic", "tc filter del dev nic egress"),
        ):
            assert host.run(change.split()).returncode == 0, change
            assert noted() == device, device
            with Guest(host, user="lisa"):
                assert noted() is None, f"after another start, with {device}"
    wait_until(lambda: not helper.taps(host), what="the end of the TAPs")
    assert noted() is None


def test_doctor_finds_that_there_is_no_card(world):
    host = world.host("desk")
    assert "LAN" in check_only(doctor(host), "attach")


def test_doctor_is_content_with_a_service_managers_socket(world):
    host = desk(world)
    env = copy_of_helper(world, world.path("helper"), 0o755)
    check_only(doctor(host, env=env), "helper-mode")
    service = Activation(host, helper.HELPER)
    status, told = doctor(host, env=env)
    service.close()
    check_only((status, told))
    assert "service manager" in told["attach"], told


def test_doctor_names_what_it_does_not_understand(world):
    done = desk(world).run(["basilisk-tap", "doctor", "--cure"], user="mac")
    assert done.returncode == 2 and "--cure" in done.stderr, done
