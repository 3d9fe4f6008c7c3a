# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real BasiliskII in a host, as an ordinary user, with the test ROM.

Relies on Debian's BasiliskII-nojit and Xvfb (the emulator's toolkit wants a display even when it
draws nothing).  Each emulator has a home of its own, so each is a machine with its own XPRAM.
"""
import collections
import os
import shutil
import struct
import subprocess

import testproto
from proc import Process, wait_until
from world import ROM, USERS

BINARY = shutil.which("BasiliskII-nojit") or "BasiliskII-nojit"
PRELOADER = "/usr/local/bin/basilisk-tap"

# What XPRAM 0xa0 shows after a clean quit: `report` in tests/rom/netrom.s.
Xpram = collections.namedtuple(
    "Xpram",
    "mac open_result received sent refused net node online attach_result multi_result answered"
    " found uptime heard",
)
XPRAM_REPORT = struct.Struct(">6shIIIHB?hhIII6s")

PREFS = """\
rom {rom}
ether {ether}
ramsize 8388608
screen win/512/384
cpu 3
fpu false
modelid 5
jit false
nogui true
nosound true
nocdrom true
idlewait true
ignoresegv false
"""


class Display:
    """One X server for all emulators of this program; its files are in a folder of its own."""

    running = None

    @classmethod
    def name(cls, place):
        if cls.running is None or not cls.running.running():
            reader, writer = os.pipe()
            server = f"Xvfb -displayfd {writer} -ac -noreset -nolisten tcp -screen 0 640x480x24"
            script = f'mount --bind "$0" /tmp && exec {server}'
            cls.running = Process(
                ["unshare", "--mount", "sh", "-c", script, place.x11],
                name="display",
                folder=place.path(),
                env={"PATH": os.environ["PATH"], "HOME": place.path(), "LANG": "C.UTF-8"},
                pass_fds=(writer,),
            )
            os.close(writer)
            with os.fdopen(reader) as file:
                number = file.readline().strip()
            if not number:
                raise AssertionError("no display:\n" + cls.running.story())
            cls.number = number
        return ":" + cls.number


def make_xpram(name="", target=bytes(6), seconds=0):
    """Contents of the XPRAM file: what netrom.s reads at its start."""
    xpram = bytearray(256)
    xpram[0x0C:0x10] = b"NuMc"  # or else the emulator starts with an XPRAM of its own
    xpram[0x90:0x96] = target
    xpram[0x96] = seconds
    encoded = name.encode("mac_roman")
    xpram[0xD0 : 0xD1 + len(encoded)] = bytes((len(encoded),)) + encoded
    return bytes(xpram)


class Emulator:
    """A Mac.  mac is its MAC address once it is known, by hello(). """

    def __init__(self, host, *, user="mac", ether="auto", name="", target=bytes(6), seconds=0,
                 env=None, home=None, run=(PRELOADER, "run", "--")):  # fmt: skip
        world = host.world
        self.host = host
        self.name = name or "BasiliskROM"
        self.mac = None
        self.home = home or world.path(f"mac{next(world.serial)}")
        uid = USERS[user][0]
        if not home:
            os.mkdir(self.home, 0o700)
            rom = os.path.join(self.home, "rom")
            shutil.copy(ROM, rom)
            self.write("xpram", make_xpram(name, target, seconds))
            for path in (self.home, rom):
                os.chown(path, uid, uid)
        self.write("prefs", PREFS.format(rom=os.path.join(self.home, "rom"), ether=ether).encode())
        for file in ("prefs", "xpram"):
            os.chown(self.path(file), uid, uid)
        environment = {"HOME": self.home, "DISPLAY": Display.name(world.place)}
        environment.update({"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"})
        environment.update(env or {})
        argv = [*run, BINARY, "--config", self.path("prefs")]
        self.process = host.start(argv, user=user, name=f"mac-{self.name}", env=environment)

    def path(self, what):
        return os.path.join(self.home, ".basilisk_ii_" + what)

    def write(self, what, content):
        with open(self.path(what), "wb") as file:
            file.write(content)

    @property
    def stderr(self):
        return self.process.stderr

    def lines(self):
        """What basilisk-tap said on stderr."""
        return [line for line in self.stderr.splitlines() if line.startswith("basilisk-tap:")]

    def opened(self, seconds=10.0):
        """Await the one line that says which network the Mac got; return it."""
        return wait_until(
            lambda: next(iter(self.lines()), None) if self.check() else None,
            seconds,
            "a line of basilisk-tap on stderr",
        )

    def check(self):
        if not self.process.running():
            raise AssertionError(f"the emulator ended: {self.stderr}")
        return True

    def hello(self, wire, seconds=15.0, online=False):
        """Await a hello that this Mac sends from now on: an earlier one, not yet read here, would
        say nothing about a TAP or peer that has been taken away since."""
        wire.drain()
        wanted = testproto.online if online else testproto.hello
        found = wire.expect(wanted(self.mac), seconds)
        self.mac = found.mac
        return found

    def quit(self, wire, seconds=10.0):
        """Tell the Mac to quit, by the wire; return what its XPRAM says."""
        testproto.quit(wire, self.mac)
        return self.ended(seconds)

    def ended(self, seconds=10.0):
        """Await a clean end; return what its XPRAM says."""
        status = self.process.wait(seconds)
        assert status == 0, f"the emulator ended with {status}"
        return self.xpram()

    def xpram(self):
        with open(self.path("xpram"), "rb") as file:
            content = file.read()
        return Xpram(*XPRAM_REPORT.unpack_from(content, 0xA0))

    def kill(self):
        self.process.kill()


def missing():
    """Why no emulator can be started here, or None."""
    if not shutil.which(BINARY):
        return "no BasiliskII-nojit (packaging/deps.sh demo)"
    if not shutil.which("Xvfb"):
        return "no Xvfb (packaging/deps.sh demo)"
    if not os.path.exists(ROM):
        return "no test ROM (make build/tests/netrom.rom)"
    if subprocess.run(["ldd", BINARY], capture_output=True).returncode:
        return f"{BINARY} does not load"
    return None
