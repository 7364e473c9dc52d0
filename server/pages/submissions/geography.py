"""Where a submission was made: its points, lines and areas as a small drawing, and as coordinates beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from forms.xforms.instance import Instance
from forms.xforms.model import Form
from forms.xforms.walk import Scope, walk_of
from forms.xpath.geography import area, distance, points_of
from forms.xpath.values import Unevaluable
from server.pages.maps import Map, Point, map_around
from server.pages.submissions.answers import label_of
from sync.projects.places import PlaceTree

POINT, LINE, AREA = "geopoint", "geotrace", "geoshape"
_MOST, _MOST_CORNERS = 50, 1000
_SIDE, _MARGIN = 160.0, 8.0


@dataclass(frozen=True, slots=True)
class Located:
    """An answer that says where, by its first point. `path` draws a line or area in a square, the north above; `metres`
    and `hectares` are its length and size."""

    label: str
    kind: str
    latitude: float
    longitude: float
    corners: int
    path: str = ""
    metres: float | None = None
    hectares: float | None = None

    @property
    def link(self) -> str:
        """What map programs of a phone or computer open."""
        return f"geo:{self.latitude:.6f},{self.longitude:.6f}"


@dataclass(frozen=True, slots=True)
class Geography:
    """All that was located, on the outline of its country; the village that was named, where its position is known.
    `side` is that of the squares in which lines and areas are drawn."""

    located: Sequence[Located]
    map: Map | None
    dots: Sequence[Point]  # in the map
    village: Point | None
    village_name: str
    side: float = _SIDE


def geography_of(form: Form, instance: Instance, place: str | None, tree: PlaceTree, language: str) -> Geography | None:
    """None for a submission that says nothing about where, and for an encrypted one."""
    if instance.encrypted:
        return None
    located = list(_located(form, instance, language))
    if not located:
        return None
    known = tree.places.get(tree.code_of(place) or "")
    village = None
    if known is not None and known.latitude is not None and known.longitude is not None:
        village = (float(known.longitude), float(known.latitude))
    points = [(one.longitude, one.latitude) for one in located]
    drawn = map_around(tuple([*points, village] if village else points))
    return Geography(
        located,
        drawn,
        [drawn.at(point) for point in points] if drawn else (),
        drawn.at(village) if drawn and village else None,
        known.name if known is not None else "",
    )


def _located(form: Form, instance: Instance, language: str) -> Iterator[Located]:
    asked = {path: one.type for path, one in form.fields.items() if one.type in (POINT, LINE, AREA)}
    if not asked:
        return
    found = 0
    for scope in _scopes(walk_of(form, instance).root):
        for path, text in scope.texts.items():
            if path in asked and text.strip() and found < _MOST:
                turn = f" ({scope.position.lstrip('.')})" if scope.position else ""
                one = _read(f"{label_of(form, path, language)}{turn}", asked[path], text)
                if one is not None:
                    found += 1
                    yield one


def _scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for several in scope.repeats.values():
        for below in several:
            yield from _scopes(below)


def _read(label: str, kind: str, text: str) -> Located | None:
    """None for what is no position on the earth."""
    try:
        points = points_of([text])[:_MOST_CORNERS]
    except Unevaluable:
        return None
    if not points or any(abs(latitude) > 90 or abs(longitude) > 180 for latitude, longitude in points):
        return None
    latitude, longitude = points[0]
    if kind == POINT or len(points) < 2:
        return Located(label, POINT, latitude, longitude, 1)
    flat = _closely([(x, y) for y, x in points])
    return Located(
        label,
        kind,
        latitude,
        longitude,
        len(points),
        path=flat + ("Z" if kind == AREA else ""),
        metres=distance([text]),
        hectares=area([text]) / 10_000 if kind == AREA else None,
    )


def _closely(points: Sequence[Point]) -> str:
    """A path of SVG through points that lie close to each other, as large as the square holds."""
    flat = math.cos(math.radians(points[0][1]))
    xs, ys = [x * flat for x, _ in points], [-y for _, y in points]
    scale = (_SIDE - 2 * _MARGIN) / (max(max(xs) - min(xs), max(ys) - min(ys)) or 1.0)
    placed = [(_MARGIN + (x - min(xs)) * scale, _MARGIN + (y - min(ys)) * scale) for x, y in zip(xs, ys, strict=True)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
