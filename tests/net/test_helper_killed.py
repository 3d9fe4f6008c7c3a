# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, setuid root, killed before each of its system calls in turn, for each attachment;
what must come of that is in lib/killed.py.  The other ways to ask it: test_ways_stopped.py.
"""
from case import limit
from killed import check_attach, check_release
from netstate import NetState, difference

LEAKS = (  # each: do, undo
    ("ip link set nic allmulticast on", "ip link set nic allmulticast off"),
    ("ip link set nic promisc on", "ip link set nic promisc off"),
    ("ip link set nic mtu 1400", "ip link set nic mtu 1500"),
    ("ip link add left type bridge", "ip link del left"),
    ("ip addr add 10.1.1.1/32 dev nic", "ip addr del 10.1.1.1/32 dev nic"),
    ("ip route add 10.2.2.2 dev nic", "ip route del 10.2.2.2"),
    ("ip rule add from 10.3.3.3 table 7", "ip rule del from 10.3.3.3"),
    ("ip neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev nic", "ip neigh del 10.9.0.77 dev nic"),
    ("bridge fdb add b2:0:0:0:0:1 dev nic self", "bridge fdb del b2:0:0:0:0:1 dev nic self"),
    ("tc qdisc add dev nic clsact", "tc qdisc del dev nic clsact"),
)  # fmt: skip


def test_comparison_sees_every_kind_of_leftover(world):
    host = world.host("desk", world.lan())
    with NetState(host) as net:
        net.settle("nic")
        before = net.snapshot()
        for do, undo in LEAKS:
            assert host.run(do.split()).returncode == 0, do
            assert net.snapshot() != before, do
            assert host.run(undo.split()).returncode == 0, undo
            assert net.snapshot() == before, difference(before, net.snapshot())
        host.run("tc qdisc add dev nic clsact".split())
        before = net.snapshot()
        # any program, any action: what is compared is there and equal, or not
        add = "tc filter add dev nic egress pref 7 handle 1 protocol all bpf bytecode"
        action = "action mirred egress mirror dev lo".split()
        assert host.run([*add.split(), "1,6 0 0 4294967295", *action]).returncode == 0
        assert net.snapshot() != before


@limit(120)
def test_attach_by_patch_survives_a_kill_before_each_call(world):
    check_attach(world, "patch")


@limit(120)
def test_release_of_patch_survives_a_kill_before_each_call(world):
    check_release(world, "patch")


@limit(120)
def test_attach_by_host_survives_a_kill_before_each_call(world):
    check_attach(world, "host")


@limit(120)
def test_release_of_host_survives_a_kill_before_each_call(world):
    check_release(world, "host")


@limit(120)
def test_attach_by_none_survives_a_kill_before_each_call(world):
    check_attach(world, "none")


@limit(120)
def test_release_of_none_survives_a_kill_before_each_call(world):
    check_release(world, "none")


@limit(120)
def test_attach_by_join_survives_a_kill_before_each_call(world):
    check_attach(world, "join")


@limit(120)
def test_release_of_join_survives_a_kill_before_each_call(world):
    check_release(world, "join")


@limit(120)
def test_attach_by_bridge_survives_a_kill_before_each_call(world):
    check_attach(world, "bridge")


@limit(120)
def test_release_of_bridge_survives_a_kill_before_each_call(world):
    check_release(world, "bridge")
