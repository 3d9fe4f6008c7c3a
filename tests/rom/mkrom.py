#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Build the test ROM: 512 KiB that an unmodified BasiliskII accepts and runs.

    mkrom.py OUT SOURCE      assemble SOURCE (netrom.s) and put it into the image OUT

Nothing in the image comes from Apple: all 68k code is this project's.  The emulator patches a
ROM before it runs it, and looks for certain short byte patterns and tables at certain places; the
image carries just these, in code that never runs, so that the patches succeed.  Then the emulated
CPU starts at 0x2a, which branches to our program.

Relies on: binutils for m68k-linux-gnu.
"""
import os
import struct
import subprocess
import sys
import tempfile

SIZE = 0x80000  # at most this: the emulator then keeps to the shorter list of patches
PROGRAM = 0x60000  # where our program is put
SLOT_ROM = SIZE - 0x1000  # the emulator builds its declaration ROM from here on

RESOURCES = 0x30000
TRAP_TABLE = 0x34000
UNIVERSAL = 0x3600  # the emulator looks for it in 0x3400-0x3c00
NUBUS = 0x3800
DECODER = 0x3900
TRAP_CODE = 0x3A000  # room of 0x100 bytes for each trap that gets patched

PATCHED_TRAPS = (0xA07C, 0xA058, 0xA059, 0xA05A, 0xA815, 0xA05B, 0xA9FE, 0xA9FD, 0xA053)
ROM_RESOURCES = (
    (b"DRVR", 4, 0x36000),  # .Sony
    (b"SERD", 0, 0x38000),
    (b"PACK", 4, 0x39000),
    (b"PACK", 4, 0x39800),  # the emulator looks for a second one
)


def longs(*values):
    return struct.pack(">%dI" % len(values), *values)


class Image:
    """The ROM in the making; put() refuses to write a place twice."""

    def __init__(self):
        self.bytes = bytearray(SIZE)
        self.taken = []

    def put(self, start, data, what):
        end = start + len(data)
        for other_start, other_end, other in self.taken:
            if start < other_end and other_start < end:
                sys.exit(f"mkrom: {what} overlaps {other}")
        self.taken.append((start, end, what))
        self.bytes[start:end] = data


def put_header(rom):
    rom.put(0x00, longs(0x42494F4D), "checksum (nobody checks it)")
    rom.put(0x08, b"\x06\x7c", "version: a 32-bit clean Mac II")
    rom.put(0x1A, longs(RESOURCES), "offset of the resources")
    rom.put(0x22, longs(TRAP_TABLE), "offset of the trap table")
    rom.put(0x2A, b"\x60\xff" + longs(PROGRAM - 0x2C), "reset entry: bra.l PROGRAM")


def put_hardware_tables(rom):
    info = longs(DECODER - UNIVERSAL, 0, 0, NUBUS - UNIVERSAL)
    info += bytes.fromhex("dc0005053fff0100") + bytes(16)
    rom.put(UNIVERSAL, info, "UniversalInfo")
    rom.put(NUBUS, bytes(16), "nuBusInfo, overwritten by the emulator")
    rom.put(DECODER, bytes(256), "decoderInfo")
    rom.put(0x94A, b"\xff\xff", "end of the hardware base table")


def put_patterns(rom):
    for place, data, what in (
        (0x226, "41f9", "EnableOneSecInts"),
        (0x230, "41f9", "Enable60HzInts"),
        (0x2EE, "41f9", "EnableSlotInts"),
        (0xA40, "083800010dd16704", "InitSCC"),
        (0xA300, "20780cec117c0090", "second VIA"),
        (0x4000, "0c4700036200fe", "InitMMU"),
        (0x4040, "0c2e0001ffe6660c4ced0387ffe8", "InitMMU, third pattern"),
        (0xA8A8, "4e71", "InitADB: non-zero selects the patches of small ROMs"),
    ):
        rom.put(place, bytes.fromhex(data), what)


def put_resources(rom):
    """A chain of entries: type, ID and place of what the emulator replaces."""
    first = RESOURCES + 0x10
    rom.put(RESOURCES, longs(first), "head of the resource chain")
    for i, (kind, number, data) in enumerate(ROM_RESOURCES):
        entry = first + 0x40 * i
        after = entry + 0x40 if i + 1 < len(ROM_RESOURCES) else 0
        content = longs(0, 0, after, data) + kind + struct.pack(">hBB", number, 0, 0)
        rom.put(entry, content, f"resource {kind.decode()} {number}")


def put_trap_table(rom):
    """A800-ABFF, then A000-A3FF: 0xff and an offset, or 0x80 for a trap that is not there."""
    place = {trap: TRAP_CODE + 0x100 * i for i, trap in enumerate(PATCHED_TRAPS)}
    table = bytearray()
    for trap in (*range(0xA800, 0xAC00), *range(0xA000, 0xA400)):
        table += b"\xff" + longs(place[trap]) if trap in place else b"\x80"
    rom.put(TRAP_TABLE, bytes(table), "trap table")


def assemble(source):
    with tempfile.TemporaryDirectory() as folder:
        obj, program = (os.path.join(folder, name) for name in ("program.o", "program"))
        try:
            subprocess.run(
                ["m68k-linux-gnu-as", "-m68020", "--register-prefix-optional", "--fatal-warnings"]
                + ["-I", os.path.dirname(source) or ".", "-o", obj, source],
                check=True,
            )
            link = ["m68k-linux-gnu-ld", "-Ttext=0", "--oformat=binary", "-o", program, obj]
            subprocess.run(link, check=True)
        except FileNotFoundError as error:
            sys.exit(f"mkrom: no {error.filename}: install binutils-m68k-linux-gnu")
        except subprocess.CalledProcessError as error:
            sys.exit(f"mkrom: {error.cmd[0]} failed")
        with open(program, "rb") as file:
            return file.read()


def main(out, source):
    rom = Image()
    put_header(rom)
    put_hardware_tables(rom)
    put_patterns(rom)
    put_resources(rom)
    put_trap_table(rom)
    program = assemble(source)
    if PROGRAM + len(program) > SLOT_ROM:
        sys.exit("mkrom: the program runs into the slot ROM")
    rom.put(PROGRAM, program, "program")
    with open(out, "wb") as file:
        file.write(rom.bytes)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: mkrom.py OUT SOURCE")
    main(*sys.argv[1:])
