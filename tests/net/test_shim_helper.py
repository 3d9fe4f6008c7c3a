# SPDX-License-Identifier: LGPL-2.1-or-later
"""A helper that is missing, crashes, is silent or talks nonsense: the Mac goes on, peer to peer."""
import re
import time

import emulator
import testproto
from case import needs
from emulator import Emulator
from peer import Peer
from proc import late

REMEDY = re.compile(r": (see|unset|report|install|is that) ")  # what to do, after what was wrong


def start_with(world, script):
    """A Mac whose helper is that shell script; None: there is no such file."""
    lan = world.lan()
    host = world.host("desk", lan)
    peer = Peer(world.host("machine", lan))
    if script is not None:
        host.write("/etc/helper", "#!/bin/sh\n" + script + "\n", 0o755)
    return Emulator(host, env={"BASILISK_TAP_HELPER": "/etc/helper"}), peer


def check_peer_to_peer(mac, peer):
    """The Mac has its network, and exactly one line says which; return that line."""
    line = mac.opened()
    assert "peer to peer" in line and REMEDY.search(line), line
    with peer:
        mac.hello(peer)
        testproto.echo(peer, mac.mac, 600)
    assert mac.lines() == [line]
    return line


@needs(emulator.missing)
def test_missing_helper_is_named(world):
    line = check_peer_to_peer(*start_with(world, None))
    assert "/etc/helper" in line, line


@needs(emulator.missing)
def test_helper_none_is_peer_to_peer(world):
    lan = world.lan()
    mac = Emulator(world.host("desk", lan), env={"BASILISK_TAP_HELPER": "none"})
    check_peer_to_peer(mac, Peer(world.host("machine", lan)))


@needs(emulator.missing)
def test_crashing_helper_is_told(world):
    line = check_peer_to_peer(*start_with(world, "kill -SEGV $$"))
    assert "signal" in line or "crash" in line, line


@needs(emulator.missing)
def test_helper_that_ends_without_an_answer_is_told(world):
    check_peer_to_peer(*start_with(world, "exit 0"))


@needs(emulator.missing)
def test_silent_helper_is_waited_for_three_seconds(world):
    start = time.monotonic()
    mac, peer = start_with(world, "exec sleep 600")
    line = mac.opened()
    waited = time.monotonic() - start
    assert waited >= 3.0 and not late(start, 5.0), waited
    assert "3 s" in line or "answer" in line, line
    check_peer_to_peer(mac, peer)


@needs(emulator.missing)
def test_helper_that_talks_nonsense_is_not_believed(world):
    script = r"""for word; do case $word in --fd=*) fd=${word#--fd=} ;; esac; done
printf 'BTRP\001\000\001 what follows is no reply' >&$fd"""
    check_peer_to_peer(*start_with(world, script))
