# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command basilisk-tap: run, peers, status."""
import emulator
import testproto
from case import needs
from emulator import Emulator
from helper import HELPER
from peer import Peer
from proc import wait_until
from wire import Wire, mac_text
from world import REFUSE


def both_kinds(world):
    """A bridged Mac on desk, a refused one on attic; they know each other when this returns."""
    lan = world.lan()
    desk, attic = world.host("desk", lan), world.host("attic", lan, policy=REFUSE)
    one = Emulator(desk, name="Quadra")
    one.hello(Wire(world.host("machine", lan)))
    ear = Peer(world.host("other", lan))
    two = Emulator(attic, name="Centris")
    two.mac = ear.expect(testproto.news(None, "Quadra"), 20).mac
    ear.expect(testproto.news(one.mac, "Centris"), 20)
    return one, two


def test_run_changes_nothing_for_a_program_that_uses_none_of_it(world):
    host = world.host("desk", world.lan())
    argv = ["ls", "-la", "/usr/bin", "/nonexistent"]
    plain = host.run(argv, user="mac")
    through = host.run(["basilisk-tap", "run", "--", *argv], user="mac")
    assert (through.returncode, through.stdout) == (plain.returncode, plain.stdout)
    assert through.stderr == plain.stderr and plain.returncode == 2


def test_run_of_a_missing_program_ends_with_127(world):
    host = world.host("desk", world.lan())
    done = host.run(["basilisk-tap", "run", "--", "/nonexistent"], user="mac")
    assert done.returncode == 127 and "/nonexistent" in done.stderr, done


def test_command_that_is_not_understood_is_named(world):
    host = world.host("desk", world.lan())
    done = host.run(["basilisk-tap", "frobnicate"], user="mac")
    assert done.returncode == 2 and "frobnicate" in done.stderr, done
    assert len(done.stderr.splitlines()) == 1, done


@needs(emulator.missing)
def test_peers_shows_the_macs_of_the_lan_with_mode_address_and_host(world):
    one, two = both_kinds(world)
    for viewer in (one.host, two.host):
        # seen for the first time by whoever asks: the command itself has to wait for answers
        done = viewer.run(["basilisk-tap", "peers"], user="mac")
        assert done.returncode == 0, done
        for mac, mode in ((one, "bridge"), (two, "p2p")):
            lines = [line for line in done.stdout.splitlines() if mac_text(mac.mac) in line]
            assert len(lines) == 1, (viewer.name, mac_text(mac.mac), done)
            address = mac.host.address if mac.host is not viewer else ":6066"
            for word in (mode, address, mac.host.name):
                assert word in lines[0], (word, done.stdout)


@needs(emulator.missing)
def test_peers_works_where_no_emulator_runs(world):
    lan = world.lan()
    mac = Emulator(world.host("attic", lan, policy=REFUSE))
    with Peer(world.host("machine", lan)) as ear:
        mac.hello(ear)
        done = world.host("other", lan).run(["basilisk-tap", "peers"], user="lisa")
    assert done.returncode == 0 and mac_text(mac.mac) in done.stdout, done


@needs(emulator.missing)
def test_status_tells_mode_mac_and_peers_of_the_users_own_macs(world):
    one, two = both_kinds(world)

    def told(mac, word):
        done = mac.host.run(["basilisk-tap", "status"], user="mac")
        assert done.returncode == 0, done
        assert mac_text(mac.mac) in done.stdout and word in done.stdout, done
        return done.stdout

    assert "nic" in told(one, "bridge")
    assert "helper.conf:1 denies" in told(two, "peer to peer")
    wait_until(lambda: mac_text(two.mac) in told(one, ""), what="the peer in status of desk")
    wait_until(lambda: mac_text(one.mac) in told(two, ""), what="the peer in status of attic")


@needs(emulator.missing)
def test_status_is_silent_about_the_macs_of_others(world):
    host = world.host("desk", world.lan())
    mac = Emulator(host)
    mac.opened()
    done = host.run(["basilisk-tap", "status"], user="lisa")
    assert done.returncode == 3 and ":" not in done.stdout, done


@needs(emulator.missing)
def test_helper_status_shows_the_tap_of_a_running_mac(world):
    lan = world.lan()
    host = world.host("desk", lan)
    mac = Emulator(host)
    mac.hello(Wire(world.host("machine", lan)))
    done = host.run([HELPER, "--status"], user="guest")
    assert done.returncode == 0, done
    for word in ("nic", "patch", "btap"):
        assert word in done.stdout, (word, done.stdout)
