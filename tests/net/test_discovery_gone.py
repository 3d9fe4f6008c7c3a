# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that does not come back: a file of its own, for it takes a minute until one knows."""
import time

import avahi
from avahi import Avahi
from case import limit, needs
from numbered import await_all_know_all, check_all_pairs
from observe import neighbour
from station import Station
from world import REFUSE

daemons = neighbour("test_discovery_daemon")
GONE = "avahi-daemon has gone, waiting for it: Daemon connection failed"


@limit(200)
@needs(avahi.missing)
def test_daemon_that_is_gone_for_a_minute_is_replaced_until_it_comes(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("desk", "attic", "cellar")]
    daemon = Avahi(hosts[0])
    one, two = (Station(host) for host in hosts[:2])
    await_all_know_all([one, two])
    daemon.stop()
    daemons.await_discovery(one, GONE)
    start = time.monotonic()
    while one.status()["discovery"] == GONE:
        # looked at first: the status may have changed since
        taken, now = daemons.mdns_sockets(hosts[0]), one.status()["discovery"]
        assert not taken or now != GONE, "its port was taken while it was waited for"
        assert two.mac in one.status()["peer"] and one.mac in two.status()["peer"]
        assert time.monotonic() - start < 180, "still waited for"
        time.sleep(0.2)
    spent = time.monotonic() - start
    assert spent > 55, f"waited for {spent:.1f} s only"
    daemons.await_discovery(one, daemons.OWN)
    assert daemons.mdns_sockets(hosts[0]) == 2
    stations = [one, two, Station(hosts[2])]
    await_all_know_all(stations)
    check_all_pairs(stations)
    daemon.start()
    daemons.await_discovery(one, daemons.DAEMON, 10)
    check_all_pairs(stations)
