"""Whether an answer is of its question's type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from forms.xpath.dates import is_date, is_moment, read_time
from forms.xpath.geography import points_of
from forms.xpath.numbers import read_decimal
from forms.xpath.values import Unevaluable

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def _whole(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None


def _decimal(text: str) -> bool:
    return _DECIMAL.fullmatch(text) is not None


def _boolean(text: str) -> bool:
    return text in ("true", "false", "1", "0")


def _date(text: str) -> bool:
    # Collect writes a moment where a date question's value was calculated from one.
    return is_date(text) or is_moment(text)


def _moment(text: str) -> bool:
    return is_moment(text) or is_date(text)


def _time(text: str) -> bool:
    return read_time(text.rpartition("T")[2]) is not None


def _point(text: str) -> bool:
    numbers = [read_decimal(number) for number in text.split()]
    if not 2 <= len(numbers) <= 4 or any(number != number for number in numbers):
        return False
    return abs(numbers[0]) <= 90 and abs(numbers[1]) <= 180


def _trace(text: str) -> bool:
    try:
        points = points_of([text])
    except Unevaluable:
        return False
    return len(points) >= 2 and all(abs(latitude) <= 90 and abs(longitude) <= 180 for latitude, longitude in points)


# Types that any text satisfies are not here.
TYPES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "int": (_whole, "a whole number"),
    "decimal": (_decimal, "a number"),
    "boolean": (_boolean, "true or false"),
    "date": (_date, "a date"),
    "dateTime": (_moment, "a date with a time"),
    "time": (_time, "a time of day"),
    "geopoint": (_point, "a point on the map"),
    "geotrace": (_trace, "a line on the map"),
    "geoshape": (_trace, "an area on the map"),
}
