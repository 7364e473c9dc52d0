"""Submissions on a map: GeoJSON after RFC 7946 and KML 2.2, a feature for each answered position."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import orjson

from forms.xforms.leaves import NOT_XML
from sync.errors import Unexpected
from sync.exports.csvfiles import Tally
from sync.exports.fields import Column, Table
from sync.exports.flat import POINT, Outlet, key_of, plain, row_maker
from sync.exports.growing import Sink
from sync.exports.lines import SYSTEM, system_of
from sync.exports.rows import RepeatedRow, SubmissionRow, value_at
from sync.exports.source import Source

GEOGRAPHIC = frozenset({"geopoint", "geotrace", "geoshape"})
Position = tuple[float, ...]  # longitude, latitude, altitude
# What answers are called beside our own names.
Naming = Callable[[Sequence[Outlet], Iterable[str]], list[str]]
_AT_ONCE = 64
_APART = POINT[3]  # of a position, what a geometry has no place for
# Of a placemark itself for GDAL, and for QGIS by it: an answer of such a name would be lost there.
_OF_PLACEMARKS = ("name", "timestamp", "begin", "altitudemode", "tessellate", "extrude", "visibility", "draworder")


def position_column(tables: Sequence[Table], path: str | None) -> tuple[Table, Column]:
    """The question whose answers go on the map: the one at this path (`/visit/place`), else the form's first.

    Raises Unexpected where there is none.
    """
    there = [(table, column) for table in tables for column in table.columns if column.kind in GEOGRAPHIC]
    if path is None:
        if not there:
            raise Unexpected("There is no question for a position in this form that you may export.")
        return there[0]
    for table, column in there:
        if path.strip("/").removeprefix("data/") == path_of(table, column).strip("/"):
            return table, column
    raise Unexpected(f"‘{path}’ is no question for a position in this form that you may export.")


def path_of(table: Table, column: Column) -> str:
    """A question as Central names it: `/visit/place`."""
    return "/" + "/".join((*table.path, *column.path))


def write_geojson(source: Source, sink: Sink) -> int:
    """A FeatureCollection; gives how many submissions were looked at."""
    tally = Tally()
    sink.write(b'{"type":"FeatureCollection","features":[')
    before = b""
    for some in _portions(_features(source, tally, _names)):
        sink.write(before + b",".join([orjson.dumps(feature) for feature in some]))
        before = b","
    sink.write(b"]}")
    return tally.rows


def write_kml(source: Source, sink: Sink) -> int:
    """A KML document with a placemark for each feature; gives how many submissions were looked at.

    They lie in a folder, because a document without either is no layer for GDAL.
    """
    tally, name = Tally(), f"<name>{_xml(source.form_id)}</name>"
    sink.write(
        '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2">'
        f"<Document>{name}<Folder>{name}\n".encode()
    )
    for some in _portions(_features(source, tally, _names_in_kml)):
        sink.write("".join(map(_placemark, some)).encode("utf-8", "replace"))
    sink.write(b"</Folder></Document></kml>\n")
    return tally.rows


def geometry_of(kind: str, value: Any) -> dict[str, Any] | None:
    """The answer as GeoJSON has it; None where it names no place on earth."""
    points = [_point(value)] if isinstance(value, list) else [_point(part.split()) for part in _parts(value)]
    good = [point for point in points if point is not None]
    if not good or len(good) != len(points):
        return None
    positions = [point[:3] for point in good]
    if kind == "geopoint" and len(good) == 1:
        accuracy = good[0][3] if len(good[0]) > 3 else None
        return {"type": "Point", "coordinates": positions[0], "properties": {"accuracy": accuracy}}
    if kind == "geoshape" and len(positions) > 3 and positions[0] == positions[-1]:
        return {"type": "Polygon", "coordinates": [_counterclockwise(positions)]}
    if kind != "geopoint" and len(positions) > 1:
        return {"type": "LineString", "coordinates": positions}
    return None


def _features(source: Source, tally: Tally, names: Naming) -> Iterator[dict[str, Any]]:
    table, position = position_column(source.tables, source.options.field)
    outlets = [one for one in source.outlets(table) if one.column.identity != position.identity or one.part == _APART]
    # GDAL puts the id of a feature under `id`, unless an answer is there.
    columns = names(outlets, ["id", "fieldpath", *(SYSTEM if table.parent is None else ())])
    told, where = _properties(outlets, columns), path_of(table, position)
    # Which columns a map has, and in which order, is known from its first feature, also of what nobody has answered.
    unanswered: dict[str, None] = dict.fromkeys(columns)

    def feature(row: SubmissionRow | RepeatedRow, key: str, more: Mapping[str, Any]) -> dict[str, Any] | None:
        geometry = geometry_of(position.kind, value_at(row.answers, position.path))
        if geometry is None:
            return None
        properties = {"fieldpath": where, **unanswered, **told(row.answers), **more}
        unanswered.clear()
        return {"type": "Feature", "geometry": geometry, "id": key, "properties": properties}

    if table.parent is None:
        for row in tally(source.submissions()):
            if (found := feature(row, row.instance_id, system_of(row))) is not None:
                yield found
        return
    for _ in tally(source.submissions()):
        pass
    for repeated in source.repeats(table):
        key = key_of(table, repeated.instance_id, repeated.places)
        if (found := feature(repeated, key, {})) is not None:
            yield found


def _properties(outlets: Sequence[Outlet], names: Sequence[str]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    cells = row_maker(outlets)
    return lambda answers: {
        name: cell for name, cell in zip(names, cells(answers), strict=True) if cell is not None and cell != ""
    }


def _names(outlets: Sequence[Outlet], ours: Iterable[str]) -> list[str]:
    """What the answers are called beside our own names."""
    return _distinct([outlet.header for outlet in outlets], ours, str)


def _names_in_kml(outlets: Sequence[Outlet], ours: Iterable[str]) -> list[str]:
    """The same for GDAL, for which a moment may be the `end` of a placemark, and nothing else."""
    moments = all(one.kind == "dateTime" for one in outlets if _as_gdal_knows(one.header) == b"end")
    taken = (*_OF_PLACEMARKS, *ours, *(() if moments else ("end",)))
    return _distinct([outlet.header for outlet in outlets], taken, _as_gdal_knows)


def _as_gdal_knows(name: str) -> bytes:
    """A name in KML by its plain letters and digits alone, whatever their case: one of so many other bytes is like any
    other of as many."""
    return re.sub(rb"[^a-z0-9]", b"_", _legal(name).encode("utf-8", "replace").lower())


def _distinct(names: Iterable[str], taken: Iterable[str], key: Callable[[str], object]) -> list[str]:
    """The names, with a number behind one that is taken or stands before it already: labels are often the same."""
    known, found = {*map(key, taken)}, list[str]()
    numbers: dict[object, int] = {}  # the last one behind names that are alike
    for name in names:
        given, number = name, numbers.get(key(name), 1)
        while key(given) in known:
            number += 1
            given = f"{name}_{number}"
        numbers[key(name)] = number
        known.add(key(given))
        found.append(given)
    return found


def _placemark(feature: Mapping[str, Any]) -> str:
    data = "".join(
        f"<Data name={quoteattr(_legal(name))}><value>{_xml(str(plain(value)))}</value></Data>"
        for name, value in feature["properties"].items()
        if value is not None
    )
    name = feature["properties"].get("meta-instanceName") or feature["id"]
    return (
        f"<Placemark id={quoteattr(_legal(_identifier(feature['id'])))}><name>{_xml(str(name))}</name>"
        f"<ExtendedData>{data}</ExtendedData>{_shape(feature['geometry'])}</Placemark>\n"
    )


def _shape(geometry: Mapping[str, Any]) -> str:
    coordinates = geometry["coordinates"]
    if geometry["type"] == "Point":
        return f"<Point><coordinates>{_tuple(coordinates)}</coordinates></Point>"
    if geometry["type"] == "LineString":
        return f"<LineString><coordinates>{' '.join(map(_tuple, coordinates))}</coordinates></LineString>"
    ring = " ".join(map(_tuple, coordinates[0]))
    return (
        f"<Polygon><outerBoundaryIs><LinearRing><coordinates>{ring}</coordinates></LinearRing>"
        "</outerBoundaryIs></Polygon>"
    )


def _tuple(position: Iterable[float]) -> str:
    return ",".join(map(repr, position))


def _identifier(key: str) -> str:
    """What XML takes for an id."""
    return "_" + "".join(char if char.isalnum() or char in "-._" else "." for char in key)


def _xml(text: str) -> str:
    return escape(_legal(text))


def _legal(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)


def _parts(value: Any) -> list[str]:
    return [part for part in value.split(";") if part.strip()] if isinstance(value, str) else []


def _point(numbers: Sequence[Any]) -> Position | None:
    """Longitude first, as maps have it; altitude and accuracy if they were measured."""
    try:
        latitude, longitude, *more = map(float, numbers)
    except (ValueError, TypeError):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return (longitude, latitude, *more[:2])


def _counterclockwise(ring: list[Position]) -> list[Position]:
    area = sum((b[0] - a[0]) * (b[1] + a[1]) for a, b in pairwise(ring))
    return ring if area <= 0 else ring[::-1]


def _portions(features: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    some: list[dict[str, Any]] = []
    for feature in features:
        some.append(feature)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some
