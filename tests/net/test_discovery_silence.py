# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is not heard of any more, is not there any more: a file of its own, for it takes its time."""
import re
import time

from case import limit
from numbered import await_all_know_all, check_all_pairs
from proc import wait_until
from station import Station
from wire import mac_text
from world import REFUSE


@limit(150)
def test_peer_that_falls_silent_is_gone_after_a_minute(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar", "desk")]
    stations = [Station(host) for host in hosts]
    await_all_know_all(stations)
    hosts[1].ip("link set nic down")
    stations[2].process.stop()  # as a machine that is suspended
    start = time.monotonic()
    gone = stations[1].mac

    asleep = stations[2].mac
    wait_until(lambda: gone not in stations[0].status()["peer"], 80, "its end", step=0.2)
    spent = time.monotonic() - start
    assert 50 <= spent <= 65, spent  # it was heard of up to some seconds before
    wait_until(lambda: asleep not in stations[0].status()["peer"], 5, "the other end", step=0.2)
    assert stations[0].status()["peers"] == "0"
    hosts[1].ip("link set nic up")
    stations[2].process.go_on()
    await_all_know_all(stations, 10)
    check_all_pairs(stations)
    # who slept asks before it believes that the others have gone
    story = stations[2].process.stderr
    assert not re.search(mac_text(stations[0].mac) + " .* is gone", story), story
