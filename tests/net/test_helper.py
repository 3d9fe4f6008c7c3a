# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, asked in each of the ways that there are: what it hands over, and whom it refuses."""
import os

import helper
import ns
from case import over
from desk import check_reaches, release, two, unchanged
from helper import CODES, HELPER, close, taps
from modes import without_privilege
from proc import wait_until
from ways import CAPABILITY, QEMU, SETUID, SOCKET, WAYS
from wire import Wire
from world import ALLOW, NETDEV, SYSTEM_USERS, USERS

UID = USERS["mac"][0]
OF_SLOTS = SETUID, CAPABILITY, SOCKET


def desk(world, **options):
    return world.host("desk", world.lan(), **options)


# ---- what it hands over
@over(*WAYS)
def test_allowed_user_gets_a_tap_on_the_lan_until_he_closes_it(world, way):
    machine, host = two(world)
    with unchanged(host):
        with way.guest(host) as guest, Wire(machine) as lan, Wire(host) as wire:
            slot = way.slots[0]
            assert guest.card == f"btap{UID:x}-{slot:x}" and {guest.card} == taps(host)
            assert guest.mac[0] == 0xB2
            assert int.from_bytes(guest.mac[4:], "big") == (UID & 0xFFF) << 4 | slot
            check_reaches(guest, lan, wire)
        release(host)


@over(*OF_SLOTS)
def test_reply_tells_all_of_it(world, way):
    host = desk(world)
    answer = way.ask(host, slot=3)
    reply = answer.reply
    assert answer.status == 0 and reply.code == "ok" and reply.text == "", answer
    assert (reply.slot, reply.attach, reply.uplink) == (3, "patch", "nic"), answer
    assert reply.tap == helper.tap_name(answer.fd) == f"btap{UID:x}-3"
    assert reply.mac == helper.guest_mac(answer.fd)
    close(answer)


@over(QEMU)
def test_address_is_the_one_that_the_command_tells(world, way):
    host = desk(world)
    told = host.run(["basilisk-tap", "mac"], user="mac").stdout.strip()
    with way.guest(host) as guest:
        assert guest.mac.hex(":") == told, told


@over(*OF_SLOTS)
def test_slot_that_is_in_use_is_refused(world, way):
    host = desk(world)
    with way.guest(host):
        way.refused(way.ask(host), "slot-busy")


@over(*OF_SLOTS)
def test_slot_that_the_policy_has_not_is_refused(world, way):
    host = desk(world, policy=ALLOW + "max-taps 2\n")
    assert "'max-taps' allows 0 to 1" in way.refused(way.ask(host, slot=2), "quota")


@over(*WAYS)
def test_quota_of_the_policy_is_kept(world, way):
    host = desk(world, policy=ALLOW + "max-taps 2\n")
    guests = [way.guest(host, slot=slot) for slot in (0, 1)]
    names = {f"btap{UID:x}-{slot:x}" for slot in way.slots[:2]}
    assert taps(host) == names
    way.refused(way.ask(host), "quota" if way is QEMU else "slot-busy")
    guests.pop().close()
    wait_until(lambda: len(taps(host)) == 1, what="the end of a TAP")
    guests.append(way.guest(host, slot=1))
    assert taps(host) == names
    for guest in guests:
        guest.close()


def test_quota_counts_the_taps_of_emulators_and_qemu_together(world):
    host = desk(world, policy=ALLOW + "max-taps 2\n")
    guests = [QEMU.guest(host) for _ in range(2)]
    assert len(taps(host)) == 2
    SETUID.refused(SETUID.ask(host, slot=0), "quota")
    for guest in guests:
        guest.close()


@over(*WAYS)
def test_total_of_all_users_is_kept(world, way):
    host = desk(world, policy=ALLOW + "max-total 2\n")
    guests = [way.guest(host), way.guest(host, user="lisa", slot=1)]
    assert "'max-total'" in way.refused(way.ask(host, slot=2), "quota")
    for guest in guests:
        guest.close()


# ---- the policy
@over(*WAYS)
def test_denied_user_is_told_by_which_line_and_others_are_served(world, way):
    host = desk(world, policy="allow user nobody\ndeny user mac\nallow all\n")
    line = way.refused(way.ask(host), "denied")
    assert "helper.conf:2 denies user 7001: " in line and "'allow' line" in line, line
    assert not taps(host)
    way.guest(host, user="lisa").close()


@over(*WAYS)
def test_user_whom_no_line_names_is_refused(world, way):
    line = way.refused(way.ask(desk(world, policy=ALLOW), user="guest"), "denied")
    assert "user 7002" in line, line


@over(*WAYS)
def test_supplementary_groups_of_the_caller_decide(world, way):
    """lisa is in netdev by its list of members alone."""
    host = desk(world, policy=f"deny user nobody\nallow group {NETDEV}\ndeny all\n")
    way.guest(host, user="lisa").close()
    way.refused(way.ask(host, user="guest"), "denied")
    host.policy(f"deny group {NETDEV}\nallow all\n")
    assert "helper.conf:1" in way.refused(way.ask(host, user="lisa"), "denied")
    way.guest(host, user="guest").close()


@over(*WAYS)
def test_primary_group_of_the_caller_decides(world, way):
    host = desk(world, policy=f"deny group {USERS['guest'][0]}\nallow all\n")
    way.refused(way.ask(host, user="guest"), "denied")
    way.guest(host, user="lisa").close()


@over(*WAYS)
def test_user_that_the_helper_runs_as_lends_nobody_his_permission(world, way):
    helpers = {way.owner("mac"), *SYSTEM_USERS.values()} - {UID, 0}
    lines = [f"allow {kind} {number}\n" for number in sorted(helpers) for kind in ("user", "group")]
    way.refused(way.ask(desk(world, policy="".join(lines))), "denied")


@over(*WAYS)
def test_without_policy_only_root_is_allowed(world, way):
    host = desk(world, policy=None)
    way.refused(way.ask(host), "no-policy")
    way.guest(host, user=None).close()


@over(*WAYS)
def test_policy_that_is_not_understood_refuses_everyone_but_root(world, way):
    host = desk(world)
    for text, line, word in (
        ("allow group netdev\nmax-taps eight\n", 2, "eight"),
        ("alow all\n", 1, "alow"),
        ("allow all\ndeny user nosuchuser\n", 2, "nosuchuser"),
        ("deny group nosuchgroup\nallow all\n", 1, "nosuchgroup"),
    ):
        host.policy(text)
        said = way.refused(way.ask(host), "bad-policy")
        assert f"helper.conf:{line}" in said and word in said, said
    assert not taps(host)


@over(*WAYS)
def test_policy_that_others_may_write_is_not_trusted(world, way):
    host = desk(world)
    host.write("/etc/basilisk-tap/helper.conf", "allow all\n", 0o666)
    assert "helper.conf" in way.refused(way.ask(host), "bad-policy")


@over(*WAYS)
def test_policy_that_is_no_plain_file_is_not_trusted_and_holds_up_nobody(world, way):
    """A name that leads elsewhere, though to a file of root's; and what waits for who writes to it."""
    host = desk(world)
    path = "/etc/basilisk-tap/helper.conf"
    for make, word in (
        (lambda: os.symlink("elsewhere", path), "is a symbolic link"),
        (lambda: os.mkfifo(path, 0o644), "is not a file of root's"),
        (lambda: os.mkdir(path, 0o755), "is not a file of root's"),
    ):
        host.write("/etc/basilisk-tap/elsewhere", "allow all\n")
        host.policy(None)
        host.inside(make)
        assert word in way.refused(way.ask(host), "bad-policy")
    assert not taps(host)


@over(SETUID)
def test_names_that_cannot_be_looked_up_are_told_with_the_reason(world, way):
    host = desk(world)
    host.inside(lambda: os.chmod("/etc/group", 0o664))
    line = way.refused(way.ask(host), "bad-policy")
    assert "'netdev' cannot be looked up: /etc/group: is not a file of root's" in line, line
    host.policy("allow user mac\n")
    way.guest(host).close()
    users = host.inside(lambda: open("/etc/passwd").read())
    host.write("/etc/passwd", users + "x" * 262144)
    line = way.refused(way.ask(host), "bad-policy")
    assert "'mac' cannot be looked up: /etc/passwd: is longer than 256 KiB" in line, line
    host.policy(f"allow user {USERS['mac'][0]}\n")
    way.guest(host).close()


# ---- the machine cannot
@over(*WAYS)
def test_missing_tun_device_is_told(world, way):
    host = desk(world)
    host.inside(lambda: ns.mount("none", "/dev/net", "tmpfs"))
    line = way.refused(way.ask(host), "no-tun")
    assert "/dev/net/tun" in line and "modprobe tun" in line, line


@over(*WAYS)
def test_missing_uplink_of_the_policy_is_named(world, way):
    host = desk(world, policy=ALLOW + "uplink eth9\n")
    assert "eth9" in way.refused(way.ask(host), "no-uplink")
    host.policy(ALLOW + "uplink none\nattach patch\n")
    assert "needs an uplink" in way.refused(way.ask(host), "no-uplink")


@over(*WAYS)
def test_uplink_that_is_no_ethernet_is_refused(world, way):
    line = way.refused(way.ask(desk(world, policy=ALLOW + "uplink lo\n")), "uplink-unfit")
    assert line.startswith(("lo is no", "basilisk-tap-helper: lo is no")), line


@over(*WAYS)
def test_bridges_that_may_not_be_joined_are_refused(world, way):
    host = desk(world, policy=ALLOW + "join nic\n")
    for name, reason in (("br0", "No such device"), ("nic", "is no bridge")):
        assert reason in way.refused(way.ask(host, br=name), "bridge-refused")
    host.ip("link add br0 type bridge", "link set br0 up")
    line = way.refused(way.ask(host, br="br0"), "bridge-refused")
    assert "named by no 'join' line" in line, line
    assert not taps(host)


@over(*WAYS)
def test_name_that_no_bridge_can_have_is_refused_not_cut(world, way):
    host = desk(world)
    for name in ("sixteen-bytes-16", "a/b", ".."):
        assert name in way.refused(way.ask(host, br=name), "bad-name")


@over(*WAYS)
def test_another_attachment_is_refused_while_guests_are_there(world, way):
    host = desk(world, policy=ALLOW + "join br0\n")
    host.ip("link add br0 type bridge", "link set br0 up")
    with way.guest(host):
        line = way.refused(way.ask(host, br="br0", slot=1), "other-attachment")
        assert "1 TAPs" in line and "patch" in line, line
    wait_until(lambda: not taps(host), what="the end of the TAP")
    way.guest(host, br="br0").close()


@over(*WAYS)
def test_device_with_a_name_of_ours_is_left_alone(world, way):
    host = desk(world)
    host.ip("link add bthub type bridge")
    assert "not ours" in way.refused(way.ask(host), "foreign-device")
    wait_until(lambda: not taps(host), what="the end of the TAP")
    assert host.links() == {"lo", "nic", "bthub"}


@over(SETUID, QEMU)
def test_helper_without_privilege_says_so(world, way):
    with without_privilege():
        line = way.refused(way.ask(desk(world)), "no-privilege")
    assert "CAP_NET_ADMIN" in line and "setcap" in line, line


# ---- what needs no TAP
@over(*WAYS)
def test_status_tells_anyone_of_privilege_and_taps(world, way):
    host = desk(world, policy=ALLOW)
    mode = {"setuid": "root", "qemu": "root", "socket": "none"}.get(way.name, way.name)
    with way.guest(host) as guest:
        done = host.run([HELPER, "--status"], user="guest")
        assert done.returncode == 0, done
        facts = {line.split()[0]: line for line in done.stdout.splitlines()}
        assert facts["privilege"].split() == ["privilege", f"{mode},", "user", "7002"], done.stdout
        assert "nic" in facts["uplink"] and "patch, to nic, taps 1" in facts["attachment"], done.stdout
        for word in (guest.card, f"mac {guest.mac.hex(':')}", "user mac"):
            assert word in facts["tap"], (word, facts["tap"])


@over(*WAYS)
def test_release_is_for_root_and_for_when_no_tap_lives(world, way):
    host = desk(world)
    with way.guest(host) as guest:
        done = host.run([HELPER, "--release"], user="mac")
        # who has no privilege is not asked for his name
        assert done.returncode == CODES["no-privilege" if way is SOCKET else "not-root"], done
        assert len(done.stderr.splitlines()) == 1, done
        done = host.run([HELPER, "--release"])
        assert done.returncode == CODES["in-use"], done
        assert guest.card in done.stderr and "end their emulators" in done.stderr, done
    release(host)
    assert host.links() == {"lo", "nic"}


def test_release_needs_no_policy_that_is_understood(world):
    host = desk(world)
    helper.close(SETUID.ask(host))
    wait_until(lambda: not taps(host), what="the end of the TAP")
    host.policy("perhaps all\n")
    release(host)
    assert host.links() == {"lo", "nic"}


def test_version_and_help_need_nothing(world):
    host = desk(world, policy=None)
    assert host.run([HELPER, "--version"], user="guest").returncode == 0
    done = host.run([HELPER, "--help"], user="guest")
    assert done.returncode == 0 and "--status" in done.stdout, done


def test_check_does_not_lend_the_callers_group_to_a_number(world):
    host = world.host("desk", policy=f"allow group {UID}\n")
    assert host.run([HELPER, "--check"], user="mac").returncode == 0
    done = host.run([HELPER, "--check", "--user=9999"], user="mac")
    assert done.returncode == CODES["denied"], done
