# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames from one host to another, there and back: our two ways, the plain things, and the other
networks that Debian has, all there at once and measured in turns."""
import time

import networks
import pairs
from table import measured, ratios

ALLOW = "allow group netdev\n"
# what a way is measured beside, where it is not the connected UDP socket
PLAIN = {"bridged": "the TAP's descriptor", "the TAP's descriptor": None, "connected UDP": None}


def promised(values, table):
    """What was promised of our two ways, by ratios with the plain thing of the same round."""
    for ours, plain, rate, trip in (
        ("bridged", "the TAP's descriptor", 0.97, 1.03),
        ("tunnel", "connected UDP", 0.95, None),
    ):
        for length in pairs.LENGTHS:
            for kind, limit in (("rate", rate), ("trip", trip)):
                if limit is None:
                    continue
                found = ratios(values[ours, kind, length], values[plain, kind, length])
                what = "frames a second" if kind == "rate" else "round trip"
                title = f"{ours}, {length} bytes: {what}, beside {plain}"
                table.bound(title, found, limit, least=kind == "rate")


def bench(world, table, seconds):
    deadline = time.monotonic() + seconds
    program = pairs.build(world, "load", "load.c", "way.c")
    lan = world.lan()
    here, there = (world.host(name, lan, policy=ALLOW) for name in ("here", "there"))
    askers = pairs.ours_and_plain(here, there, program)
    names = {way: way for way in askers}
    for name, (start, packages, encryption) in networks.NETWORKS.items():
        near, far = start(here, there)
        macs = [
            host.mac_of(way[5:]).hex() if way.startswith("card:") else other
            for host, way, other in ((here, near, pairs.OWN), (there, far, pairs.OTHER))
        ]
        pairs.echo(there, program, far)
        askers[name] = pairs.Asker(here, program, near, macs[1], macs[0])
        names[name] = " ".join([name, *map(networks.version, packages)]) + encryption
    values, rounds = pairs.measure(askers, deadline)
    columns = [(kind, length) for kind in ("rate", "trip") for length in pairs.LENGTHS]
    titles = {"rate": "frames/s", "trip": "round trip, µs"}
    table.section(f"way, {rounds} rounds", *(f"{titles[kind]}, {n} bytes" for kind, n in columns))
    for way in askers:
        plain = PLAIN.get(way, "connected UDP")
        beside = [plain and values[plain, *column] for column in columns]
        table.row(names[way], *map(measured, [values[way, *column] for column in columns], beside))
    table.end()
    promised(values, table)
    for other in networks.NETWORKS:
        for n in pairs.LENGTHS:
            found = ratios(values["tunnel", "rate", n], values[other, "rate", n])
            title = f"tunnel, {n} bytes: frames a second, beside {other}"
            table.bound(title, found, 1, least=True)
