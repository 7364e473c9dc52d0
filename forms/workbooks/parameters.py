"""A cell of the column `parameters` without what is wrong in it, so that the rest of it is looked at too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

# It begins where a word does: a long one is looked through once, and not again from each of its letters.
_PAIR = re.compile(r"(?<![^\s=,;])([^\s=,;]+)\s*=\s*([^\s=,;]+)")
_REJECTED = re.compile(r"invalid parameter key\(s\): '([^']*)'")
# What others in the cell need it for.
_STAND_INS = {
    "randomize": "true",
    "location-priority": "balanced",
    "location-min-interval": "0",
    "location-max-age": "999999999",
}
_OF_RANGES = ("start", "end", "step")


def parameters_without(cell: str, message: str) -> str:
    """What the message speaks of is taken out, or made harmless; all of it where that cannot be told."""
    pairs = list(_pairs(cell))
    if rejected := _REJECTED.search(message):
        wrong = rejected[1].split(", ")
        return _written((name, value) for name, value in pairs if name not in wrong)
    name = parameter_named(cell, message)
    if name in _OF_RANGES:  # Without it only this can be said of the others: whether they are numbers.
        return _written(one for one in pairs if one[0] not in (name, "tick_labelset") and not _is_number(one[1]))
    others = [one for one in pairs if one[0] != name]
    if name in _STAND_INS:
        others.append((name, _STAND_INS[name]))
    changed = name is not None and others != pairs
    return _written(others) if changed else ""


def parameter_named(cell: str, message: str) -> str | None:
    """The one in the cell of which the message speaks first, but for a number where one is wanted."""
    found = {}
    for name, value in _pairs(cell):
        if name not in message or (value.isdecimal() and "integer" in message):
            continue
        if spoken_of := re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", message):
            found[name] = spoken_of.start()
    return min(found, key=lambda name: found[name], default=None)


def _pairs(cell: str) -> Iterator[tuple[str, str]]:
    return ((name.lower(), value) for name, value in _PAIR.findall(cell))


def _written(pairs: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs)


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
