"""The shapes of charts, worked out on the server: `charts.html` draws them beside the numbers that they repeat.

Lengths are per cent of the chart's width. See docs/decisions/0007-charts-on-the-server.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Amount = Fraction | float | int
# Where all that changed is a small part of the whole, a chart from nought would not show it.
_CUT_BELOW = 0.25


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from nought to a value; `low` and `high` bound its whisker, `target` is a mark across it."""

    length: float
    low: float | None = None
    high: float | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a bar is drawn of. Without a value nothing is drawn but the target."""

    value: Amount | None
    low: Amount | None = None
    high: Amount | None = None
    target: Amount | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a waterfall: where its bar begins, how long it is, and whether it goes up, down or is a total."""

    start: float
    length: float
    way: str  # up | down | total | still


@dataclass(frozen=True, slots=True)
class Waterfall:
    """From a total by steps to another. `cut` says that the scale does not begin at nought."""

    steps: tuple[Step, ...]
    cut: bool


def bars(measured: Sequence[Measured]) -> list[Bar]:
    """All on one scale, from nought to the largest number among them. Below nought nothing is drawn."""
    numbers = [
        float(number) for one in measured for number in (one.value, one.low, one.high, one.target) if number is not None
    ]
    longest = max((number for number in numbers if number > 0), default=0.0)

    def share(number: Amount | None) -> float | None:
        return None if number is None or not longest else round(max(0.0, float(number) / longest * 100), 2)

    return [
        Bar(
            share(one.value) or 0.0,
            share(one.low) if one.low != one.high else None,
            share(one.high) if one.low != one.high else None,
            share(one.target),
        )
        for one in measured
    ]


def sparkline(values: Sequence[Amount | None], width: float = 100, height: float = 24) -> list[str]:
    """The lines of a small chart as points of SVG polylines: broken where there is no value, from nought up.

    A value between two gaps is a line of one point, which round ends make a dot.
    """
    known = [float(value) for value in values if value is not None]
    highest = max(known, default=0.0)
    lowest = min([0.0, *known])
    span = (highest - lowest) or 1.0
    apart = width / max(1, len(values) - 1)
    lines: list[list[str]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            lines.append([])
            continue
        up = (float(value) - lowest) / span
        lines[-1].append(f"{number * apart:.1f},{height - 2 - up * (height - 4):.1f}")
    return [" ".join(line if len(line) > 1 else line * 2) for line in lines if line]


def waterfall(before: Amount, effects: Sequence[Amount], after: Amount) -> Waterfall:
    """The bars of a total, of what each effect added or took away, and of the total after them."""
    reached = [float(before)]
    for effect in effects:
        reached.append(reached[-1] + float(effect))
    numbers = [*reached, float(after)]
    lowest, highest = min(numbers), max(numbers)
    cut = lowest > 0 and highest - lowest < highest * _CUT_BELOW
    floor = lowest - (highest - lowest or highest * 0.1) if cut else min(0.0, lowest)
    span = (max(highest, 0.0) - floor) or 1.0

    def at(number: float) -> float:
        return (number - floor) / span * 100

    def bar(start: float, end: float, way: str) -> Step:
        first, last = sorted((at(start), at(end)))
        return Step(round(first, 2), round(last - first, 2), way)

    zero = max(floor, 0.0) if cut else 0.0
    steps = [bar(zero, reached[0], "total")]
    for start, end in itertools.pairwise(reached):
        steps.append(bar(start, end, "up" if end > start else "down" if end < start else "still"))
    steps.append(bar(zero, float(after), "total"))
    return Waterfall(tuple(steps), cut)
