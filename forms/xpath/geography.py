"""Areas and distances on the earth, as ODK clients reckon them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from forms.xpath.numbers import read_decimal
from forms.xpath.values import Plain, Unevaluable, texts_of

_EARTH = 6_378_100.0  # metres, the equatorial radius that ODK clients use
_FARTHEST = 1e9  # degrees: nothing can be measured between points that are no numbers, or without bound


def points_of(values: Sequence[Any]) -> list[tuple[float, float]]:
    """(latitude, longitude) of every point in geopoints, traces and shapes; raises Unevaluable for anything else.

    A blank among others is where the equator meets Greenwich, as in JavaRosa.
    """
    texts = list(texts_of(values))
    if len(texts) == 1 and not texts[0].strip():
        return []
    return [_point(part) for text in texts for part in (text.strip().rstrip("; ") or " ").split(";")]


def _point(text: str) -> tuple[float, float]:
    numbers = [read_decimal(number) for number in text.split() or ("0", "0")]
    if len(numbers) < 2 or not all(abs(number) <= _FARTHEST for number in numbers[:2]):
        raise Unevaluable(f"‘{text.strip()}’ is not a point")
    return numbers[0], numbers[1]


def area(values: Sequence[Any]) -> float:
    """Square metres, on the plane that touches the first point."""
    points = points_of(values)
    if len(points) < 3:
        return 0.0
    degree = 2 * math.pi * _EARTH / 360
    first = points[0]
    flat = [((y - first[1]) * degree * math.cos(math.radians(x)), (x - first[0]) * degree) for x, y in points[1:]]
    return abs(sum((a[1] * b[0] - a[0] * b[1]) / 2 for a, b in pairwise(flat)))


def distance(values: Sequence[Any]) -> float:
    """Metres along the points, by the spherical law of cosines."""
    points = points_of(values)
    return sum((_between(a, b) for a, b in pairwise(points)), 0.0)


def _between(a: tuple[float, float], b: tuple[float, float]) -> float:
    turn = math.radians(a[1] - b[1])
    one, other = math.radians(a[0]), math.radians(b[0])
    cosine = math.sin(one) * math.sin(other) + math.cos(one) * math.cos(other) * math.cos(turn)
    return math.acos(min(1.0, max(-1.0, cosine))) * _EARTH


def is_inside(point: Plain, shape: Plain) -> bool:
    """Whether a point lies inside a shape."""
    (y, x), corners = (points_of([point]) or [(math.nan, math.nan)])[0], points_of([shape])
    inside = False
    for (y1, x1), (y2, x2) in pairwise(corners):
        if (y2 > y) != (y1 > y) and x < (x1 - x2) * (y - y2) / (y1 - y2) + x2:
            inside = not inside
    return inside
