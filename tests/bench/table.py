# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of a run as one table in sections, in Markdown, and what was promised of them.

The parts of the bench run in processes of their own; a Table prints there, and run (which see)
collects the lines that begin with BOUND for the last section.
"""
import statistics

BOUND = "bound|"


def number(value):
    """Three digits that count, thousands set apart."""
    if value >= 1000:
        digits = 10 ** max(len(str(int(value))) - 3, 0)
        return f"{round(value / digits) * digits:,}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    lower, _, upper = statistics.quantiles(values, n=4)
    return lower, upper


def spread(values):
    """Half the distance of the quartiles, as a part of the median."""
    lower, upper = quartiles(values)
    return f"±{(upper - lower) / 2 / statistics.median(values) * 100:.0f}%"


def ratios(ours, plain):
    """The rounds' own ratios: what disturbs a round disturbs both."""
    return [a / b for a, b in zip(ours, plain) if a and b]


def measured(values, plain=None):
    """Median and spread; in brackets the median of the ratios to the plain thing. A value of 0 is none:
    nothing came back in the time."""
    some = [value for value in values if value]
    if not some:
        return "none"
    text = f"{number(statistics.median(some))} {spread(some)}"
    beside = plain and ratios(values, plain)
    return f"{text} ({statistics.median(beside):.2f})" if beside else text


class Table:
    """Lines of a section are kept until all are there, to be set with even columns."""

    def __init__(self, say):
        self.say = say
        self.rows = []

    def section(self, *head):
        self.end()
        self.rows = [[str(cell) for cell in head], ["-"] * len(head)]

    def row(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def bound(self, what, value, limit, *, least=False, unit=""):
        """Promised: at most limit, or at least. Several values: the median of them."""
        if isinstance(value, list):
            value = statistics.median(value or [float("nan")])
        met = value >= limit if least else value <= limit
        sign = "≥" if least else "≤"
        self.say(f"{BOUND}{what}|{value:.3g}{unit}|{sign} {limit:g}{unit}|{'yes' if met else 'no'}")

    def end(self):
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        for cells in self.rows:
            fill = "-" if cells[0] == "-" else " "
            cells = (cell.ljust(width, fill) for cell, width in zip(cells, widths))
            self.say("| " + " | ".join(cells) + " |")
        if self.rows:
            self.say("")
        self.rows = []
