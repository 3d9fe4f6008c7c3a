# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the helper tells of itself: --status for people and for scripts, and --check."""
import fcntl
import json
import os
import re

from case import limit
from desk import release, repair, tc, two
from helper import CODES, HELPER
from stand import POLICY
from ways import QEMU, SETUID
from world import ALLOW, NETDEV, TREE, USERS

TUNSETPERSIST = 0x400454CB

# Every fact and its keys, in their order
SCHEMA = {
    "policy": ["file", "state"],
    "rule": ["verdict", "all|user|group", "line"],
    "privilege": ["mode", "user"],
    "uplink": ["name", "because"],
    "attachment": ["attach", "to", "taps", "refused", "state"],
    "tap": ["name", "user", "slot", "mac", "pid", "sent", "received", "forged"],
    "ether auto": ["attach", "code", "because"],
}


def facts_of(host, user="guest"):
    done = host.run([HELPER, "--status", "--json"], user=user)
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert list(told) == ["version", "facts"] and told["version"] == 1, told
    return told["facts"]


def one(facts, kind, **wanted):
    [found] = [f for f in facts if f["fact"] == kind and wanted.items() <= f.items()]
    return found


def test_json_has_the_facts_of_the_text_and_the_keys_of_the_manual(world):
    machine, host = two(world, policy=ALLOW + "deny user guest\nallow all\n")
    with SETUID.guest(host), QEMU.guest(host):
        facts = facts_of(host)
        text = host.run([HELPER, "--status"], user="guest").stdout.splitlines()
    assert len(text) == len(facts)
    for line, fact in zip(text, facts):
        keys = [key for key in fact if key != "fact"]
        wanted = SCHEMA[fact["fact"]]
        assert len(keys) == len(wanted), fact
        assert all(re.fullmatch(want, key) for want, key in zip(wanted, keys)), fact
        values = [str(fact[keys[0]]), *(f"{key} {fact[key]}" for key in keys[1:])]
        assert line == f"{fact['fact']:<12} " + ", ".join(values), (line, fact)
    assert {f["fact"] for f in facts} == set(SCHEMA)
    with open(os.path.join(TREE, "man", "basilisk-tap-helper.8")) as file:
        manual = file.read()
    for name, keys in SCHEMA.items():
        line = f".It Ql {name} : " + " , ".join(k for key in keys for k in key.split("|"))
        assert line in manual, line
    release(host)


def test_status_tells_whose_taps_there_are_and_what_went_through(world):
    machine, host = two(world)
    with SETUID.guest(host, user="lisa", slot=2) as guest:
        for _ in range(7):
            guest.send(b"\xff" * 6 + guest.mac + b"\x88\xb5" + bytes(50))
        for _ in range(5):
            guest.send(b"\xff" * 6 + machine.mac_of("nic") + b"\x88\xb5" + bytes(50))
        for _ in range(3):
            guest.send(b"\xff" * 6 + guest.mac + b"\x88\xcc" + bytes(50))  # LLDP
        facts = facts_of(host)
        tap = one(facts, "tap", name=guest.card)
        assert (tap["user"], tap["slot"], tap["mac"]) == ("lisa", 2, guest.mac.hex(":")), tap
        assert (tap["sent"], tap["forged"]) == (15, 5), tap
        assert int(tap["pid"]) > 1, tap
        assert one(facts, "attachment", attach="patch", taps=1)["refused"] == 3, facts
    release(host)


# What somebody may do to what stands, and whose fault status then takes it for; {tap}: the guest's
MEDDLING = {
    "tc filter del dev nic egress pref 24700": "nic",
    "tc filter del dev nic ingress pref 24701": "nic",
    "tc qdisc del dev nic clsact": "nic",
    "tc filter del dev btlan ingress pref 12": "btlan",
    "tc filter del dev btlan ingress pref 99": "btlan",
    "ip link set btlan address 02:00:00:00:00:99": "btlan",
    "ip link set btlan down": "btlan",
    "ip link set bthub down": "bthub",
    "tc filter del dev bthub ingress pref 99": "bthub",
    "tc filter del dev bthub ingress pref 11": "{tap}",
    "tc filter del dev {tap} ingress pref 10": "{tap}",
    "tc filter del dev {tap} ingress pref 99": "{tap}",
    "ip link set {tap} down": "{tap}",
}


@limit(60)
def test_status_tells_what_somebody_has_changed_until_a_start_mends_it(world):
    host = world.host("desk", world.lan())

    def state():
        return one(facts_of(host), "attachment")["state"]

    assert state() == "nothing"
    with SETUID.guest(host) as guest:
        assert state() == "whole"
        for command, name in MEDDLING.items():
            done = host.run(command.format(tap=guest.card).split())
            assert done.returncode == 0, (command, done)
            name = name.format(tap=guest.card)
            wanted = f"{name} is not as the helper makes it: the next start mends that"
            assert state() == wanted, (command, state())
            answer = repair(host)
            assert answer.reply and answer.reply.code == "ok", (command, answer)
            assert state() == "whole", (command, state())
    release(host)


@limit(60)
def test_status_tells_of_a_bridge_that_has_lost_our_end(world):
    host = world.host("desk", world.lan(), policy=ALLOW + "join br0\n")
    host.ip("link add br0 type bridge", "link set nic master br0", "link set br0 up")
    with SETUID.guest(host):
        assert one(facts_of(host), "attachment", attach="join")["state"] == "whole"
        host.ip("link set btlan nomaster")
        assert "btlan is not" in one(facts_of(host), "attachment")["state"]
    with SETUID.guest(host):
        assert one(facts_of(host), "attachment")["state"] == "whole"
    release(host)


def test_status_tells_who_may_attach_and_by_which_line(world):
    host = world.host("desk", world.lan(), policy="# who\ndeny user guest\nallow group netdev\n")
    facts = facts_of(host)
    rules = [fact for fact in facts if fact["fact"] == "rule"]
    assert rules == [
        {"fact": "rule", "verdict": "deny", "user": "guest", "line": 2},
        {"fact": "rule", "verdict": "allow", "group": "netdev", "line": 3},
    ], rules
    assert one(facts, "policy")["state"] == "valid"
    for text, said in (("alow all\n", "helper.conf:1"), (None, "missing: only root is allowed")):
        host.policy(text)
        assert said in one(facts_of(host), "policy")["state"], text


@limit(60)
def test_last_line_tells_what_ether_auto_would_get(world):
    """And the same is then got, or refused for the same reason."""
    for number, (attach, policy) in enumerate(POLICY.items()):
        lan = world.lan()
        host = world.host(f"desk{number}", lan, policy=ALLOW + policy)
        if attach == "join":
            host.ip("link add br0 type bridge", "link set nic master br0", "link set br0 up",
                    "addr flush dev nic", "addr add 10.77.0.1/24 dev br0",
                    "route add default via 10.77.0.2")  # fmt: skip
        if attach == "bridge":
            host.plug(world.lan(), "spare", address=0)
        told = one(facts_of(host, "mac"), "ether auto")
        assert (told["attach"], told["code"]) == (attach, "ok"), told
        with SETUID.guest(host) as guest:
            assert guest.reply.attach == attach, (guest.reply, told)
            assert guest.reply.text in ("", told["because"]), (guest.reply, told)
    for policy, code in (("deny all\n", "denied"), ("x\n", "bad-policy"), (None, "no-policy"),
                         (ALLOW + "uplink eth9\n", "no-uplink")):  # fmt: skip
        host.policy(policy)
        told = one(facts_of(host, "mac"), "ether auto")
        assert (told["attach"], told["code"]) == ("peer to peer only", code), told
        line = SETUID.refused(SETUID.ask(host), code)
        assert told["because"] == line, (told, line)


def told_as_it_is(host, code, way=SETUID, **options):
    """The last line refuses with the code and the words of the refusal that comes."""
    told = one(facts_of(host, options.get("user", "mac")), "ether auto")
    line = way.refused(way.ask(host, **options), code)
    assert (told["attach"], told["code"]) == ("peer to peer only", code), (told, line)
    assert line.removeprefix("basilisk-tap-helper: ") == told["because"], (told, line)


@limit(60)
def test_last_line_tells_what_is_in_the_way_of_one_more_tap(world):
    machine, host = two(world, policy=ALLOW + "join br0\nmax-taps 2\nmax-total 3\n")
    host.ip("link add br0 type bridge", "link set br0 up")
    with SETUID.guest(host, br="br0"):
        told_as_it_is(host, "other-attachment", user="lisa")
        assert one(facts_of(host), "attachment", attach="join")["to"] == "br0"
    with SETUID.guest(host, slot=0), SETUID.guest(host, slot=1):
        told_as_it_is(host, "quota", QEMU)
        assert one(facts_of(host, "lisa"), "ether auto")["code"] == "ok"
        with SETUID.guest(host, user="lisa"):
            told_as_it_is(host, "quota", user="lisa", slot=1)
    guest = SETUID.guest(host)
    fcntl.ioctl(guest.fd, TUNSETPERSIST, 1)
    guest.close()
    host.policy(ALLOW + "max-taps 1\n")  # what is left over counts no more
    assert one(facts_of(host, "mac"), "ether auto")["code"] == "ok"
    SETUID.guest(host).close()
    release(host)
    host.ip("link add bthub type bridge")
    told_as_it_is(host, "foreign-device")
    host.ip("link del bthub")
    tc(host, "qdisc add dev nic ingress")
    told = one(facts_of(host, "mac"), "ether auto")
    with SETUID.guest(host) as guest:
        assert told["attach"] == guest.reply.attach == "none", (told, guest.reply)
        assert told["because"] == guest.reply.text and "ingress" in guest.reply.text, guest.reply
    release(host)


def check(host, *words, user="guest"):
    done = host.run([HELPER, "--check", *words], user=user)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_check_tells_the_deciding_line_for_anyone(world):
    policy = f"deny user lisa\nallow group netdev\nallow group {USERS['guest'][0]}\ndeny all\n"
    host = world.host("desk", policy=policy)
    where = "by /etc/basilisk-tap/helper.conf"
    for user, status, said in (
        ("mac", 0, f"user 7001: allowed {where}:2"),  # a supplementary group
        ("lisa", CODES["denied"], f"user 7003: denied {where}:1"),  # first match
        ("guest", 0, f"user 7002: allowed {where}:3"),  # the primary group
        ("nobody", CODES["denied"], f"user 65534: denied {where}:4"),
        ("7001", 0, f"user 7001: allowed {where}:2"),
        ("4000", CODES["denied"], f"user 4000: denied {where}:4"),
    ):
        got, lines = check(host, "--user", user)
        assert got == status and lines[0] == said, (user, got, lines)
        if user in USERS:  # and himself is told the same, and is treated so
            assert check(host, user=user) == (got, lines), user
            if status:
                SETUID.refused(SETUID.ask(host, user=user), "denied")
            else:
                SETUID.guest(host, user=user).close()
    got, lines = check(host, "--user=nosuchuser")
    assert got == CODES["usage"] and "nosuchuser" in lines[0], lines


def test_check_where_no_line_matches(world):
    host = world.host("desk", policy=f"allow group {NETDEV}\n")
    for user, word in (("guest", "denied"), ("root", "allowed as root")):
        got, lines = check(host, "--user", user)
        assert f"{word}, no line of /etc/basilisk-tap/helper.conf matches" in lines[0], lines
        assert (got == 0) == (user == "root"), got


def test_check_tells_what_is_wrong_with_the_policy(world):
    host = world.host("desk", policy="allow all\nattach bridges\n")
    got, lines = check(host)
    assert got == CODES["bad-policy"] and len(lines) == 1, lines
    assert "helper.conf:2" in lines[0] and "bridges" in lines[0], lines
