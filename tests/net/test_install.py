# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `make install` puts beside the programs does its work."""
import os

from case import needs
from station import Station

TMPFILES = "/usr/bin/systemd-tmpfiles"
INSTALLED = "/usr/local/lib/tmpfiles.d/basilisk-tap.conf"


def tmpfiles_missing():
    return None if os.path.exists(TMPFILES) else f"no {TMPFILES} (packaging/deps.sh check)"


@needs(tmpfiles_missing)
def test_locks_of_a_running_mac_outlive_whoever_cleans_tmp(world):
    host = world.host("desk", world.lan())
    host.write("/run/clean.conf", "e /tmp 1777 root root 0\n")  # as old as you like
    with Station(host) as mac:
        own = f"/tmp/basilisk-tap-{mac.uid}"
        host.write("/tmp/old", "")
        before = host.inside(lambda: sorted(os.listdir(own)))
        assert before
        done = host.run([TMPFILES, "--clean", "/run/clean.conf", INSTALLED])
        assert done.returncode == 0, done
        left = host.inside(lambda: (os.path.exists("/tmp/old"), sorted(os.listdir(own))))
        assert left == (False, before), left
