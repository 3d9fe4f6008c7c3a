# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages, installed into a fresh Debian: what a user gets, and what is left of it."""
import os
import re

import debian
import emulator
from activation import Activation
from case import needs
from debian import EMULATOR, HELPER, LIB, NETDEV_USERS, Machine, desk_on_a_lan, ours, remade
from documents import shown, typed
from emulator import Emulator
from helper import taps
from netstate import NetState, difference
from proc import wait_until
from world import NETDEV, USERS

needed = needs(debian.missing, emulator.missing)


def as_typed(command):
    """For Emulator(run=): what a user types, `BasiliskII`, say, in place of the program's path."""
    return "sh", "-c", f'shift; exec {command} "$@"', "sh"


def real(name):
    return f"{LIB}/emulators/{name}"


def check_bridged(desk, wire, command, **options):
    mac = Emulator(desk, run=as_typed(command), **options)
    mac.hello(wire)
    line = mac.opened()
    assert "bridged to nic" in line, line
    program = desk.inside(lambda: os.readlink(f"/proc/{mac.process.pid}/exe"))
    said = mac.quit(wire)
    assert said.mac == mac.mac and said.open_result == 0, said
    wait_until(lambda: not taps(desk), what="the end of the TAP")
    return program


# ---- installed
@needed
def test_emulator_is_bridged_for_an_ordinary_user_after_installation(world):
    desk, wire = desk_on_a_lan(world)
    desk.install(EMULATOR)
    desk.install(*ours(world))
    assert desk.mode_of() == NETDEV_USERS
    assert desk.mode_of("/usr/sbin/basilisk-tap-helper") == NETDEV_USERS
    assert check_bridged(desk, wire, "BasiliskII") == real("BasiliskII-nojit")
    assert check_bridged(desk, wire, "BasiliskII-jit") == real("BasiliskII-jit")
    assert "installed" in desk.do("dpkg-query", "-W", "-f", "${Status}", "basilisk-tap")


@needed
def test_emulator_that_is_installed_later_is_found(world):
    desk, wire = desk_on_a_lan(world)
    desk.install(*ours(world))
    assert desk.run(["sh", "-c", "command -v BasiliskII BasiliskII-nojit"]).stdout == ""
    desk.install(EMULATOR)
    assert check_bridged(desk, wire, "BasiliskII-nojit") == real("BasiliskII-nojit")
    assert check_bridged(desk, wire, "BasiliskII") == real("BasiliskII-nojit")


@needed
def test_group_and_user_are_made_where_there_are_none(world):
    desk = Machine(world, netdev=False)
    desk.install(*ours(world))
    assert desk.do("getent", "group", "netdev").startswith("netdev:")
    assert "nologin" in desk.do("getent", "passwd", "_basilisk-tap")
    assert "denied" not in desk.do(HELPER, "--check")
    assert "netdev" not in desk.do(HELPER, "--check", "--user", "guest", status=3)


@needed
def test_file_system_without_capabilities_gets_a_setuid_helper(world):
    desk, wire = desk_on_a_lan(world)
    desk.do("mkdir", LIB)
    desk.do("mount", "-t", "ramfs", "-o", "mode=755", "ramfs", LIB)
    desk.install(EMULATOR)
    # on a file system of its own a diversion cannot be a mere change of name
    desk.install(*ours(world))
    assert desk.mode_of() == "4755"
    check_bridged(desk, wire, "BasiliskII")
    desk.install(*ours(world, version="0.1.1"))
    assert desk.mode_of() == "4755"


@needed
def test_declined_question_leaves_it_to_root_and_the_mac_peer_to_peer(world):
    desk, wire = desk_on_a_lan(world)
    desk.answer(False)
    desk.install(EMULATOR)
    desk.install(*ours(world))
    assert desk.mode_of() == "755"
    mac = Emulator(desk, run=as_typed("BasiliskII"))
    assert "peer to peer only" in mac.opened(), mac.lines()
    mac.kill()
    desk.install(*ours(world, version="0.1.1"))
    assert desk.mode_of() == "755"
    desk.answer(True)
    desk.do("dpkg-reconfigure", "basilisk-tap")
    assert desk.mode_of() == NETDEV_USERS


@needed
def test_question_is_translated_whole(world):
    desk = Machine(world)
    desk.install(*ours(world))
    templates = desk.do("cat", "/var/lib/dpkg/info/basilisk-tap.templates")
    english = re.search(r"^Description: .*\n((?: .*\n)*)", templates, re.MULTILINE)[1]
    for language, word in (("de", "Emulatoren"), ("fr", "émulateurs")):
        found = re.search(
            rf"^Description-{language}\.UTF-8: (.*)\n((?: .*\n)*)", templates, re.MULTILINE
        )
        assert found and word in found[1], templates
        assert found[2].count("\n .\n") == english.count("\n .\n"), found[2]
        assert "If you decline" not in found[2], found[2]


@needed
def test_mode_that_the_administrator_has_set_is_respected(world):
    desk, _ = desk_on_a_lan(world)
    desk.do("dpkg-statoverride", "--add", "root", "netdev", "4750", HELPER)
    desk.install(*ours(world))
    assert desk.mode_of() == "4750"
    desk.install(*ours(world, version="0.1.1"))
    assert desk.mode_of() == "4750"


@needed
def test_service_managers_socket_works_beside_the_capability(world):
    desk, _ = desk_on_a_lan(world)
    desk.install(*ours(world))
    unit = desk.do("cat", "/lib/systemd/system/basilisk-tap@.service")
    assert f"ExecStart={HELPER}-by-socket --socket\n" in unit, unit
    assert desk.mode_of(HELPER + "-by-socket") == "755"
    desk.do("setcap", "-r", HELPER)  # or it would not be asked
    activation = Activation(desk, HELPER + "-by-socket")
    mac = None
    try:
        desk.install(EMULATOR)
        mac = Emulator(desk, run=as_typed("BasiliskII"))
        line = mac.opened()
        assert "bridged to nic" in line, (line, activation.stderr)
    finally:
        activation.close()
        if mac:
            mac.kill()


@needed
def test_first_five_minutes_are_as_shown(world):
    """Of a user who is not allowed yet; the icon is what the emulator's desktop entry says."""
    desk, wire = desk_on_a_lan(world)
    desk.install(EMULATOR)
    folder = world.path("folder")
    os.makedirs(folder + "/build/deb")
    [deb] = ours(world)
    os.rename(deb, folder + "/build/deb/basilisk-tap_0_any.deb")

    def do(text, **options):
        done = typed(desk, text, user="guest", folder=folder, seconds=60, **options)
        assert done.returncode == 0, (text, done)
        return done.stdout

    do(shown("sudo apt install ./build/deb/basilisk-tap_*.deb"))
    assert desk.mode_of() == NETDEV_USERS
    do(shown('sudo adduser "$USER" netdev'))
    assert "log out and in again" in typed(desk, "basilisk-tap doctor", user="guest").stdout
    uid = USERS["guest"][0]
    desk.identity = lambda user: (uid, uid, [NETDEV]) if user else None  # the next login
    desk.answer(False)
    do(shown("sudo dpkg-reconfigure basilisk-tap"))
    assert desk.mode_of() == "755"
    desk.answer(True)
    do(shown("sudo dpkg-reconfigure basilisk-tap"))
    assert desk.mode_of() == NETDEV_USERS
    prefs = shown("echo 'ether auto' >> ~/.basilisk_ii_prefs")
    entry = desk.do("cat", "/usr/share/applications/basilisk2.desktop")
    icon = re.search(r"^Exec=(.*)$", entry, re.MULTILINE)[1]
    for command in (shown("BasiliskII"), icon):
        run = ("sh", "-c", f'{prefs}; shift; exec {command} "$@"', "sh")
        mac = Emulator(desk, user="guest", ether="none", run=run)
        mac.hello(wire)
        assert "bridged to nic" in mac.opened(), mac.stderr
        mac.quit(wire)
        wait_until(lambda: not taps(desk), what="the end of the TAP")


# ---- only when it is asked for
def loaded(desk, mac):
    maps = f"/proc/{mac.process.pid}/maps"
    return "basilisk-tap-preload.so" in desk.inside(lambda: open(maps).read())


@needed
def test_library_is_loaded_only_where_the_settings_ask_for_it(world):
    desk, _ = desk_on_a_lan(world)
    desk.install(EMULATOR, *ours(world))
    for ether, more, wanted in (
        ("auto", "", True),
        ("auto-p2p/port=7000", "", True),
        ("eth7", "", False),
        ("automatic", "", False),
        ("eth7", "--ether auto-p2p", True),
        ("auto", "--ether eth7", False),
    ):
        mac = Emulator(desk, ether=ether, seconds=1, run=as_typed(f"BasiliskII {more}"))
        name = "BasiliskII-nojit"
        wait_until(lambda: desk.inside(lambda: program_of(mac) == real(name)), 5, "its start")
        # the loader is done when the emulator speaks
        wait_until(lambda: mac.process.stdout, 5, "its first line")
        assert loaded(desk, mac) == wanted, (ether, more)
        mac.kill()


def program_of(mac):
    return os.readlink(f"/proc/{mac.process.pid}/exe")


@needed
def test_settings_are_found_where_each_emulator_has_them(world):
    """SheepShaver is not in Debian: a script stands in for it, which tells of its environment."""
    desk = Machine(world)
    script = '#!/bin/sh\necho "${LD_PRELOAD:-none}" "$@"\n'
    desk.install(debian.stand_in(world, "SheepShaver", script), *ours(world))
    home = desk.home("mac")
    preloaded = f"{LIB}/basilisk-tap-preload.so"

    def check(wanted, *arguments, **env):
        said = desk.do("SheepShaver", *arguments, user="mac", env=env)
        assert said == " ".join([preloaded if wanted else "none", *arguments]) + "\n", said

    check(False)
    desk.write(home + "/.config/SheepShaver/prefs", "rom x\nether auto\n")
    check(True, "--disk", "a b  c")
    desk.write(home + "/.sheepshaver_prefs", "ether\tauto\n#ether auto\nether none\n")
    check(False)
    desk.write(home + "/.sheepshaver_prefs", "ether none\nether\tauto/slot=2\n")
    check(True)
    desk.write(home + "/a b.sheepvm/prefs", "ether none\n")
    check(False, home + "/a b.sheepvm")
    desk.write(home + "/other", "ethereal auto\nether slirp\n")
    check(False, "--config", home + "/other")
    check(True, XDG_CONFIG_HOME="/nonexistent")
    desk.do("rm", home + "/.sheepshaver_prefs")
    check(False, XDG_CONFIG_HOME="/nonexistent")
    desk.write("/else/SheepShaver/prefs", "ether auto-bridge\n")
    check(True, XDG_CONFIG_HOME="/else")


@needed
def test_emulator_with_privilege_is_started_and_it_is_said_why_without(world):
    desk, _ = desk_on_a_lan(world)
    desk.install(EMULATOR, *ours(world))
    desk.do("setcap", "cap_net_raw+ep", real("BasiliskII-nojit"))
    mac = Emulator(desk, seconds=1, run=as_typed("BasiliskII"))
    mac.ended(20)
    [line] = mac.lines()
    assert "BasiliskII-nojit has file capabilities" in line, line
    script = "#!/bin/sh\necho started\n"
    desk.install(debian.stand_in(world, "SheepShaver", script, mode=0o4755))
    said = desk.run(["SheepShaver", "--ether", "auto"], user="mac")
    assert said.stdout == "started\n" and "is setuid" in said.stderr, said


# ---- upgraded
@needed
def test_upgraded_emulator_is_still_bridged(world):
    desk, wire = desk_on_a_lan(world)
    desk.install(EMULATOR, *ours(world))

    def change(folder):
        with open(folder + "/usr/bin/BasiliskII-nojit", "ab") as file:
            file.write(b"changed")

    newer = remade(world, debian.ROOT + EMULATOR, "1:9", change)
    desk.install(newer)
    assert desk.do("tail", "-c", "7", real("BasiliskII-nojit")) == "changed"
    assert check_bridged(desk, wire, "BasiliskII") == real("BasiliskII-nojit")
    assert desk.do("dpkg", "--verify", "basilisk2") == ""


@needed
def test_upgrade_keeps_policy_privilege_and_a_running_mac(world):
    desk, wire = desk_on_a_lan(world)
    desk.install(EMULATOR, *ours(world))
    policy = "# mine\nallow user mac\n"
    desk.policy(policy)
    mac = Emulator(desk, run=as_typed("BasiliskII"))
    mac.hello(wire)

    def change(folder):
        with open(folder + "/etc/basilisk-tap/helper.conf", "a") as file:
            file.write("# another word\n")

    desk.install(*ours(world, version="0.1.1", change=change))
    assert desk.do("cat", "/etc/basilisk-tap/helper.conf") == policy
    assert desk.mode_of() == NETDEV_USERS
    helper_status = desk.do("basilisk-tap-helper", "--status", user="mac")
    assert "btap" in helper_status, helper_status
    mac.quit(wire)
    check_bridged(desk, wire, "BasiliskII")


# ---- removed
@needed
def test_removal_waits_for_running_macs_and_gives_everything_back(world):
    desk, wire = desk_on_a_lan(world)
    desk.install(EMULATOR)
    with NetState(desk) as net:
        net.settle("nic")
        before, files = net.snapshot(), desk.files()
        desk.install(*ours(world))
        mac = Emulator(desk, run=as_typed("BasiliskII"))
        mac.hello(wire)
        said = desk.remove("basilisk-tap", status=1)
        assert "quit the emulators" in said and f"btap{7001:x}-0" in said, said
        assert desk.mode_of() == NETDEV_USERS
        mac.quit(wire)
        wait_until(lambda: not taps(desk), what="the end of the TAP")
        assert net.snapshot() != before
        desk.remove("basilisk-tap")
        after = net.snapshot()
    assert after == before, difference(before, after)
    assert desk.do("dpkg", "--verify", "basilisk2") == ""
    left = {line for line in desk.files() - files if "/var/lib/" not in line}
    assert {line.split()[3] for line in left} == {
        "/etc/basilisk-tap",
        "/etc/basilisk-tap/helper.conf",
    }, left
    mac = Emulator(desk, seconds=1, run=as_typed("BasiliskII"))
    mac.ended(20)
    assert not mac.lines()
    desk.remove("basilisk-tap", purge=True)
    assert desk.files() == files, desk.files() ^ files
    assert "basilisk" not in desk.do("dpkg-divert", "--list")
    assert "_basilisk-tap" not in desk.do("getent", "passwd")


@needed
def test_policy_that_was_changed_is_there_again_after_reinstallation(world):
    desk, wire = desk_on_a_lan(world)
    desk.install(EMULATOR, *ours(world))
    policy = "# mine\ndeny user lisa\nallow user mac\n"
    desk.policy(policy)
    desk.remove("basilisk-tap")
    desk.install(*ours(world, version="0.1.1"))
    assert desk.do("cat", "/etc/basilisk-tap/helper.conf") == policy
    check_bridged(desk, wire, "BasiliskII")


@needed
def test_removed_emulator_leaves_no_command_behind(world):
    desk, wire = desk_on_a_lan(world)
    desk.install(*ours(world))
    files = desk.files()
    for _ in range(2):
        desk.install(EMULATOR)
        check_bridged(desk, wire, "BasiliskII")
        desk.remove("basilisk2", purge=True)
        assert desk.files() == files, desk.files() ^ files
        assert "basilisk" not in desk.do("dpkg-divert", "--list")


# ---- for others
@needed
def test_program_is_built_with_the_development_package(world):
    desk = Machine(world)
    desk.install(*ours(world, "libbasilisk-tap0", "libbasilisk-tap-dev"))
    program = '#include <basilisk-tap.h>\nint main(void) { return !bt_is_ours("auto"); }\n'
    desk.write("/root/p.c", program)
    flags = "$(pkg-config --cflags --libs libbasilisk-tap)"
    desk.do("sh", "-c", f"gcc -Wall -Werror -o /root/p /root/p.c {flags}")
    desk.do("/root/p")
    assert "libbasilisk-tap.so.0" in desk.do("ldd", "/root/p")


@needed
def test_apparmor_profile_is_understood(world):
    desk = Machine(world)
    desk.install(*ours(world))
    profile = "/usr/share/apparmor/extra-profiles/usr.lib.basilisk-tap.basilisk-tap-helper"
    said = desk.do("apparmor_parser", "--skip-kernel-load", "--skip-cache", profile)
    # of this kernel, which has no AppArmor; nothing of the profile
    assert not said or said.startswith("Cache read/write disabled") and said.count("\n") == 1, said


@needed
def test_bash_completes_commands_and_options(world):
    desk = Machine(world)
    desk.install(*ours(world))

    def complete(*words):
        script = (
            ". /usr/share/bash-completion/bash_completion; _completion_loader $1; "
            'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
            '$(complete -p $1 | sed "s/.*-F //; s/ .*//"); printf "%s\\n" "${COMPREPLY[@]}"'
        )
        return desk.do("bash", "-c", script, "bash", *words).split()

    assert {"run", "peers", "status", "mac"} <= set(complete("basilisk-tap", ""))
    assert complete("basilisk-tap", "pee") == ["peers"]
    assert "--json" in complete("basilisk-tap", "peers", "--")
    assert "mac" in complete("basilisk-tap", "status", "--user", "ma")
    assert "BasiliskII" not in complete("basilisk-tap", "run", "Basi")
    assert "--release" in complete("basilisk-tap-helper", "--")
