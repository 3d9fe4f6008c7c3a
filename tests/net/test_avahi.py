# SPDX-License-Identifier: LGPL-2.1-or-later
"""Discovery as the rest of the network sees it: by the real avahi-daemon."""
import avahi
import emulator
import testproto
from avahi import Avahi
from case import needs
from emulator import Emulator
from proc import wait_until
from peer import Peer
from wire import Wire
from world import REFUSE


def service_of(services, mac):
    """The announcements of that Mac: [(host, address, port, {key: value})]."""
    found = []
    for entries in services.values():
        for host, address, port, strings in entries:
            text = dict(string.split("=", 1) for string in strings if "=" in string)
            if text.get("mac") == mac.hex():
                found.append((host, address, port, text))
    return found


def check_text(services, mac, host, mode, attach):
    entries = service_of(services, mac)
    assert entries, (mac.hex(), services)
    for _, _, port, text in entries:
        assert text == {
            "mac": mac.hex(),
            "port": str(port),
            "version": "1.0",
            "mode": mode,
            "hostname": host.name,
            "attach": attach,
        }, text
    assert host.address in [address for _, address, _, _ in entries], entries


@needs(emulator.missing, avahi.missing)
def test_avahi_browse_shows_both_macs_with_all_txt_fields(world):
    """One host has the daemon, the other has none: both backends of the shim announce."""
    lan = world.lan()
    desk, attic = world.host("desk", lan), world.host("attic", lan, policy=REFUSE)
    daemon = Avahi(desk)
    with Wire(world.host("machine", lan)) as wire, Peer(world.host("other", lan)) as ear:
        one = Emulator(desk, name="Quadra")
        one.hello(wire)
        two = Emulator(attic, name="Centris")
        two.mac = ear.expect(testproto.news(None, "Quadra"), 20).mac

        def both():
            services = daemon.browse()
            return services if all(service_of(services, m.mac) for m in (one, two)) else None

        services = wait_until(both, 10, "both services in avahi-browse", step=0.2)
        check_text(services, one.mac, desk, "bridge", "patch")
        check_text(services, two.mac, attic, "p2p", "no")


@needs(emulator.missing, avahi.missing)
def test_service_goes_when_the_mac_quits(world):
    lan = world.lan()
    desk = world.host("desk", lan)
    daemon = Avahi(world.host("machine", lan))
    with Wire(world.host("other", lan)) as wire:
        mac = Emulator(desk)
        mac.hello(wire)
        wait_until(lambda: service_of(daemon.browse(), mac.mac), 10, "the service", step=0.2)
        mac.quit(wire)
        wait_until(lambda: not service_of(daemon.browse(), mac.mac), 10, "its end", step=0.2)


@needs(emulator.missing, avahi.missing)
def test_refused_macs_find_each_other_by_their_daemons(world):
    lan = world.lan()
    hosts = [world.host(name, lan, policy=REFUSE) for name in ("attic", "cellar")]
    for host in hosts:
        Avahi(host)
    with Peer(world.host("machine", lan)) as ear:
        for host, name in zip(hosts, ("Quadra", "Centris")):
            Emulator(host, name=name)
        ear.expect(testproto.news(None, "Centris"), 20)
        ear.expect(testproto.news(None, "Quadra"), 20)
