# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library on machines that have been up for long: its clock, of 32 bits, wraps round each 49.7 days."""
import errno
import os

import ns
from case import needs
from peer import Peer
from proc import wait_until
from station import Station
from world import REFUSE

DAY = 86400
HALF = 2**31 / 1000  # seconds: from here on a time of 0 is later than now
WHOLE = 2**32 / 1000


def missing():
    try:
        os.close(ns.up_for(DAY))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOSYS):
            return "the kernel has no time namespaces"
        raise
    return None


def host(world, name, seconds):
    made = world.host(name, world.lans[0] if world.lans else world.lan(), policy=REFUSE)
    made.up_for(seconds)
    return made


@needs(missing)
def test_stranger_is_greeted_however_long_the_machine_is_up(world):
    """By what he sends alone: he announces nothing."""
    machine = world.host("machine", world.lan())
    for number, seconds in enumerate((DAY, HALF + DAY, WHOLE + DAY)):
        station = Station(host(world, f"desk{number}", seconds))
        with Peer(machine, announces=False) as stranger:
            stranger.peers[station.mac] = station.host.address, int(station.status()["port"])

            def greeted():
                stranger.send(station.mac + stranger.mac + b"\x88\xb5".ljust(48, b"\0"))
                stranger.receive(0.05)
                return station.status()["peer"].get(stranger.mac, {}).get("proven") == "1"

            wait_until(greeted, 5, f"a greeting after {seconds} s")
