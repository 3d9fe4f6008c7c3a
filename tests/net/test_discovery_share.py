# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several instances on one host: one speaks multicast DNS for all of a user's."""
import json
import socket
import time

from case import limit, needs
import avahi
from avahi import Avahi
from numbered import await_all_know_all, check_all_pairs, check_none_gone
from peer import Peer, await_goodbyes_believed
from proc import wait_until
from station import Station
from world import REFUSE, USERS

OWN = "discovery by multicast DNS of our own: no avahi-daemon"
LINKED = OWN + ", by another emulator of this user"
NAME = "\0basilisk-tap/{}/discovery"


def mdns_users(host):
    """The uids that have sockets at the port of multicast DNS there, one for each IPv4 socket."""

    def body():
        with open("/proc/thread-self/net/udp") as file:
            lines = [line.split() for line in file]
        return sorted(int(fields[7]) for fields in lines if fields[1].endswith(":14E9"))

    return host.inside(body)


def discovery(station):
    return station.status()["discovery"]


def peers(host, user="mac"):
    done = host.run(["basilisk-tap", "peers", "--json"], user=user)
    assert done.returncode == 0, done
    return {bytes.fromhex(p["mac"].replace(":", "")) for p in json.loads(done.stdout)["peers"]}


def test_one_instance_of_a_user_speaks_for_all(world):
    lan = world.lan()
    attic, cellar = (world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar"))
    stations = [Station(attic) for _ in range(3)]
    stations += [Station(attic, user="lisa"), Station(cellar)]
    await_all_know_all(stations)
    assert [discovery(s) for s in stations] == [OWN, LINKED, LINKED, OWN, OWN]
    assert mdns_users(attic) == [USERS["mac"][0], USERS["lisa"][0]]
    check_all_pairs(stations)


def speaker_and_others(world, daemon=False):
    """Three stations on attic, the first of which speaks for the others; one on cellar."""
    lan = world.lan()
    attic, cellar = (world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar"))
    if daemon:
        Avahi(attic)
    stations = [Station(attic) for _ in range(3)] + [Station(cellar)]
    await_all_know_all(stations)
    return lan, stations


def takes_over(world, stations, lan, end):
    first, *others = stations
    end(first)
    start = time.monotonic()
    wait_until(lambda: any(discovery(s) == OWN for s in others[:2]), 2, "the next one", step=0.01)
    print(f"taken over after {time.monotonic() - start:.2f} s")
    wait_until(lambda: LINKED in map(discovery, others[:2]), 2, "the link to it", step=0.01)
    # a newcomer learns of all at once, and they of it; nobody alive was ever given up
    newcomer = Station(world.host("newcomer", lan, policy=REFUSE))
    await_all_know_all([*others, newcomer])
    await_goodbyes_believed(world.host("witness", lan, policy=None), [*others, newcomer])
    await_all_know_all([*others, newcomer], 0.5)
    check_all_pairs([*others, newcomer])
    for station in others:
        check_none_gone(station, [*others, newcomer])


def test_speaker_that_is_killed_is_followed_by_another(world):
    lan, stations = speaker_and_others(world)
    takes_over(world, stations, lan, lambda speaker: speaker.process.kill())


def test_speaker_that_quits_is_followed_by_another(world):
    lan, stations = speaker_and_others(world)
    takes_over(world, stations, lan, lambda speaker: speaker.close())


@needs(avahi.missing)
def test_killed_user_of_the_daemon_is_followed_by_another(world):
    lan, stations = speaker_and_others(world, daemon=True)
    stations[0].process.kill()
    own = "discovery by avahi-daemon"
    wait_until(lambda: any(discovery(s) == own for s in stations[1:3]), what="the next one")
    newcomer = Station(world.host("newcomer", lan, policy=REFUSE))
    await_all_know_all([*stations[1:], newcomer])


@limit(120)
def test_speaker_that_is_stopped_keeps_nobody_from_the_network(world):
    """Ctrl-Z: it holds the name and answers nobody.  Who comes then speaks for itself, and so do
    those whom it spoke for, once they have noticed."""
    lan, stations = speaker_and_others(world)
    stations[0].process.stop()
    late = Station(stations[0].host)
    wait_until(lambda: discovery(late) == OWN, what="its own discovery")
    await_all_know_all([stations[-1], late])
    await_all_know_all([*stations[1:], late], 40)
    stations[0].process.go_on()  # says goodbye for those who have left it
    # whom it speaks for after it has seen them leave
    joining = Station(stations[0].host)
    wait_until(lambda: discovery(joining) == LINKED, what="the link to it")
    everybody = [*stations, late, joining]
    await_all_know_all(everybody)
    await_goodbyes_believed(world.host("witness", lan, policy=None), everybody)
    newcomer = Station(world.host("newcomer", lan, policy=REFUSE))
    await_all_know_all([*everybody, newcomer])


def test_name_that_another_user_holds_keeps_nobody_from_the_network(world):
    """It is an abstract name: anyone may take it first, and say what an instance says."""
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    name = NAME.format(USERS["mac"][0])
    program = (
        "import socket\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        f"s.bind({name!r})\n"
        "s.listen()\n"
        "print('ready', flush=True)\n"
        "friends = []\n"
        "while True:\n"
        "    friends.append(s.accept()[0])\n"
        "    for word in (b'H', b'Strust me', b'R'):\n"
        "        friends[-1].send(word)\n"
    )
    squatter = attic.start(["/usr/bin/python3", "-c", program], user="lisa", name="squatter")
    squatter.expect("ready", stream="stdout")
    stations = [Station(attic), Station(attic), Station(world.host("cellar", lan))]
    await_all_know_all(stations)
    assert [discovery(s) for s in stations[:2]] == [OWN, OWN]
    check_all_pairs(stations)


def test_share_is_closed_to_others(world):
    attic = world.host("attic", world.lan(), policy=REFUSE)
    station = Station(attic)
    uid = USERS["mac"][0]
    program = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        f"s.connect({NAME.format(uid)!r})\n"
        "s.settimeout(5)\n"
        "print(s.recv(300))\n"
    )
    for user, answer in (("mac", "b'H'"), ("lisa", "b''"), (None, "b''")):
        done = attic.run(["/usr/bin/python3", "-c", program], user=user)
        assert done.stdout.strip() == answer, (user, done)
    assert discovery(station) == OWN


def test_peers_are_listed_by_a_running_instance_at_once(world):
    lan = world.lan()
    attic, cellar = (world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar"))
    stations = [Station(attic), Station(attic), Station(cellar)]
    await_all_know_all(stations)
    before = mdns_users(attic)
    assert peers(attic) == {s.mac for s in stations}  # itself announces nothing, asks nobody
    assert mdns_users(attic) == before
    # another user has nobody to ask, and sees the same: a busy machine may answer beyond its 1.5 s
    wait_until(lambda: peers(attic, "guest") == {s.mac for s in stations}, 15, "the same list")


def test_host_without_any_network_joins_its_own_macs(world):
    """Nothing but the loopback; and two users, who do not share."""
    attic = world.host("attic", policy=REFUSE)
    assert attic.links() == {"lo"}
    stations = [Station(attic), Station(attic), Station(attic, user="lisa")]
    await_all_know_all(stations)
    check_all_pairs(stations)


def test_loopback_address_is_believed_of_this_host_only(world):
    """An announcement on the LAN that names 127.0.0.1 leads nowhere."""
    lan = world.lan()
    attic = world.host("attic", lan, policy=REFUSE)
    station = Station(attic)

    class Liar(Peer):
        def announcement(self):
            own = socket.inet_aton(self.host.address)
            return super().announcement().replace(own, socket.inet_aton("127.0.0.1"))

    with Liar(world.host("liar", lan)) as liar, Peer(world.host("honest", lan)) as honest:

        def honest_is_known():
            liar.receive(0.05)
            honest.receive(0.05)
            return honest.mac in station.status()["peer"]

        wait_until(honest_is_known, 5, "the honest one")
        liar.receive(0.4)  # once more
        assert liar.mac not in station.status()["peer"]
        assert peers(attic) == {station.mac, honest.mac}
