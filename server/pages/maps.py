"""A small map for a page: the outline of the countries in which some points lie, and where the points are on it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

from sync.projects.places import PlaceTree

Point = tuple[float, float]  # longitude, latitude
_WIDTH = 420.0
_TALLEST = 460.0
_MARGIN = 14.0
_OUTLINES = Path(__file__).with_name("outlines.json")
# Without a country around them, points keep this many degrees of room.
_ROOM = 1.0
# About how wide a letter of a map is, and how high its line.
_LETTER, _LINE = 6.0, 14.0


@dataclass(frozen=True, slots=True)
class Map:
    """`outlines` are paths of SVG in a box of `width` by `height`; `at` says where a point lies in it."""

    width: float
    height: float
    outlines: tuple[str, ...]
    west: float
    north: float
    scale: float
    flat: float  # how much shorter a degree of longitude is than one of latitude here

    def at(self, point: Point) -> Point:
        longitude, latitude = point
        x = _MARGIN + (longitude - self.west) * self.flat * self.scale
        return round(x, 1), round(_MARGIN + (self.north - latitude) * self.scale, 1)


@dataclass(frozen=True, slots=True)
class Dot:
    """A place on a map, with what it has, in words too; `named` where there is room for its name."""

    name: str
    said: str
    number: float
    at: Point
    radius: float
    named: bool


@dataclass(frozen=True, slots=True)
class PlacesDrawn:
    """Places on their land, the largest first."""

    land: Map
    dots: Sequence[Dot]


@lru_cache(maxsize=64)
def map_around(points: tuple[Point, ...]) -> Map | None:
    """None without points. Degrees are drawn as they are at the middle of the map: true enough for one country."""
    sound = [(longitude, latitude) for longitude, latitude in points if abs(longitude) <= 180 and abs(latitude) <= 85]
    if not sound:
        return None
    rings = [
        ring for country in _countries() if any(_inside(ring, p) for ring in country for p in sound) for ring in country
    ]
    corners = [*sound, *(point for ring in rings for point in ring)]
    west, east = min(x for x, _ in corners), max(x for x, _ in corners)
    south, north = min(y for _, y in corners), max(y for _, y in corners)
    if not rings:
        west, east, south, north = west - _ROOM, east + _ROOM, south - _ROOM, north + _ROOM
    flat = math.cos(math.radians((south + north) / 2))
    scale = min((_WIDTH - 2 * _MARGIN) / ((east - west) * flat), (_TALLEST - 2 * _MARGIN) / (north - south))
    width, height = (east - west) * flat * scale + 2 * _MARGIN, (north - south) * scale + 2 * _MARGIN
    bare = Map(round(width, 1), round(height, 1), (), west, north, scale, flat)
    outlines = tuple(_drawn(bare, ring) for ring in rings)
    return Map(bare.width, bare.height, outlines, west, north, scale, flat)


def map_of_places(tree: PlaceTree, places: Iterable[tuple[str | None, float, str]]) -> PlacesDrawn | None:
    """By code, what each has, and that in words; None where no place says where it lies. The area of a circle is what
    the eye compares; those are named whose names have room, the largest first."""
    known = [
        (place.name, (float(place.longitude), float(place.latitude)), number, said)
        for code, number, said in places
        if (place := tree.places.get(code or "")) is not None
        and place.longitude is not None
        and place.latitude is not None
    ]
    land = map_around(tuple(point for _, point, _, _ in known))
    if land is None:
        return None
    most = max(number for _, _, number, _ in known)
    taken: list[tuple[float, float, float]] = []
    dots = []
    for name, point, number, said in sorted(known, key=lambda one: -one[2]):
        radius = round(3 + 17 * (max(number, 0) / most) ** 0.5, 1) if most > 0 else 3.0
        x, y = land.at(point)
        wide, high = len(name) * _LETTER / 2, y - radius
        free = all(abs(x - other) > wide + half or abs(high - top) > _LINE for other, top, half in taken)
        if free:
            taken.append((x, high, wide))
        dots.append(Dot(name, said, number, (x, y), radius, free))
    return PlacesDrawn(land, dots)


def _drawn(onto: Map, ring: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in map(onto.at, ring)) + "Z"


@cache
def _countries() -> tuple[tuple[tuple[Point, ...], ...], ...]:
    """The outer rings of each country."""
    stored = json.loads(_OUTLINES.read_bytes())["countries"]
    return tuple(tuple(tuple(_points(ring)) for ring in rings) for rings in stored.values())


def _points(flat: Sequence[int]) -> Iterator[Point]:
    return ((flat[at] / 100, flat[at + 1] / 100) for at in range(0, len(flat), 2))


def _inside(ring: Sequence[Point], point: Point) -> bool:
    """By how often a line to the east crosses the ring."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside
