"""One answer of JSON as the text that an instance holds."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from forms.findings import Finding
from forms.xpath.numbers import LARGEST

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT = "Send a text."


def text_of(findings: list[Finding], value: Any, kind: str, place: str) -> str | None:
    """The text of a value in XML, blank for null; None after a fault."""
    if value is None:
        return ""
    if isinstance(value, str):
        return plain_text(findings, value, place)
    if isinstance(value, bool):
        if kind == "boolean":
            return "true" if value else "false"
    elif isinstance(value, int | float):
        if kind in ("int", "decimal", "calculated"):
            return _number(findings, value, kind, place)
    elif isinstance(value, list):
        if kind in ("select", "rank"):
            return _choices(findings, value, place)
        if kind == "geopoint":
            return _point(findings, value, place)
    fault(
        findings,
        place,
        f"This is {kind_of(value)}, which does not answer a question of type {kind}.",
        _REMEDY.get(kind, _TEXT),
    )
    return None


_REMEDY = {
    "int": "Send a whole number.",
    "decimal": "Send a number.",
    "boolean": "Send true or false.",
    "select": "Send a list of the chosen values.",
    "rank": "Send a list of values in their order.",
    "geopoint": "Send [latitude, longitude, altitude, accuracy].",
}


def plain_text(findings: list[Finding], value: Any, place: str) -> str | None:
    """A text that XML can hold, blank if only white space. Whole numbers and true (1) too; None after a fault."""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, int) and abs(value) <= LARGEST:
        return str(value)
    if value is None:
        return ""
    if not isinstance(value, str):
        fault(findings, place, f"This is {kind_of(value)}, not a text.", _TEXT)
        return None
    odd = NOT_XML.search(value)
    if odd:
        fault(
            findings,
            place,
            f"The text holds the character U+{ord(odd[0]):04X}, which no form can hold.",
            "Take it out.",
        )
        return None
    return "" if value.isspace() else value


def _number(findings: list[Finding], value: int | float, kind: str, place: str) -> str | None:
    if (isinstance(value, float) and not math.isfinite(value)) or abs(value) > LARGEST:
        fault(findings, place, "This number is beyond 64 bits, or none.", "Send a number that a tablet can hold.")
        return None
    if kind == "int" and value != int(value):
        fault(findings, place, f"{value} is not a whole number.", _REMEDY["int"])
        return None
    if isinstance(value, int) or kind == "int":
        return str(int(value))
    return format(Decimal(repr(value)), "f")


def _choices(findings: list[Finding], values: list[Any], place: str) -> str | None:
    for index, value in enumerate(values):
        if not isinstance(value, str) or len(value.split()) != 1 or value != value.strip():
            fault(findings, f"{place}[{index}]", f"This is {kind_of(value)}, not a choice.", "A choice is one word.")
            return None
    return plain_text(findings, " ".join(values), place)


def _point(findings: list[Finding], numbers: list[Any], place: str) -> str | None:
    good = all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)
    if not good or not 2 <= len(numbers) <= 4:
        fault(findings, place, "This is not a point.", _REMEDY["geopoint"])
        return None
    texts = [_number(findings, number, "decimal", place) for number in numbers]
    return None if None in texts else " ".join(text for text in texts if text)


def fault(findings: list[Finding], place: str, words: str, remedy: str = "") -> None:
    """Adds one finding about the value at a JSON path."""
    findings.append(Finding(words, remedy, place))


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"
