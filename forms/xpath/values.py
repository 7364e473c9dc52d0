"""The values of expressions, and how they convert into each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from forms.xpath.numbers import CLOSE, read_decimal, write_number

# What lxml hands to an extension function, and takes from it.
Plain = str | float | bool | list[Any]


class Unevaluable(Exception):
    """An expression has no value on this instance, such as a date function on what is not a date. Says why in words."""


def text_of(value: Plain) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return write_number(value)
    return node_text(value[0]) if value else ""


def number_of(value: Plain) -> float:
    return float(value) if isinstance(value, (bool, int, float)) else read_decimal(text_of(value))


def boolean_of(value: Plain) -> bool:
    """A string is true unless empty, a list of nodes if its first node has a text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return not math.isnan(value) and abs(value) > CLOSE
    return text_of(value) != ""


def node_text(node: Any) -> str:
    if isinstance(node, str):
        return node
    return node.text or "" if len(node) == 0 else "".join(node.itertext())


def equal(left: Plain, right: Plain) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return boolean_of(left) == boolean_of(right)
    if isinstance(left, float) or isinstance(right, float):
        return abs(number_of(left) - number_of(right)) < CLOSE
    return text_of(left) == text_of(right)


def texts_of(values: Sequence[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list):
            yield from map(node_text, value)
        else:
            yield text_of(value)
