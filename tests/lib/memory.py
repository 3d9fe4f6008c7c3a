# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much memory a process has for itself."""


def kilobytes(pid):
    """What it has written, in heap, stacks and mappings.

    Not the pages of programs and libraries as they are on the disk: the kernel counts those as its
    private ones too for as long as no other process has them mapped, so that ten megabytes come and
    go with the next emulator.
    """
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Anonymous:"):
                return int(line.split()[1])
    raise AssertionError(f"the kernel does not tell the memory of process {pid}")
