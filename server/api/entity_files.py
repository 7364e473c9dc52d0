"""The rows of an entity list as a file: a table, or what lies on a map."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from marshmallow import fields

from server import current
from server.api.entities import EntitiesQuery, note_view, rows_asked_for
from server.api.schemas import text
from server.db import session
from server.door.guards import needs
from server.kept.remembered import VERSION, state_of
from server.wire.answers import disposition, known_already, streamed, tagged, to_json
from server.wire.bodies import read_query
from server.wire.documents import documented
from sync.entities.reading import names_of
from sync.entities.registers import list_of
from sync.errors import Unexpected
from sync.exports.cells import csv_pieces
from sync.exports.filters import hangs_on_time
from sync.exports.maps import geometry_of
from sync.models import Entity

bp = Blueprint("entity_files", __name__, url_prefix="/v1/projects/<int:pid>/datasets/<name>")

_GEOMETRY = "geometry"
_CSV, _GEOJSON = "text/csv; charset=utf-8", "application/geo+json; charset=utf-8"


class TableQuery(EntitiesQuery):
    """Programs take the cells as they are, without `safeCells`."""

    safeCells = fields.Boolean(load_default=True)  # noqa: N815


class MapQuery(EntitiesQuery):
    """Where each row lies is in this property."""

    property = text(load_default=_GEOMETRY)


@bp.get("/entities.csv")
@needs("submissions.read")
@documented("entities", query=TableQuery, answer="text/csv")
def get_csv(pid: int, name: str) -> ResponseReturnValue:
    """The rows of a list as a table for spreadsheets; nothing in it can run as a formula."""
    asked = read_query(TableQuery())
    known = list_of(session(), pid, name)
    tag = _tag(pid, asked)
    if known_already(tag):
        return tagged(b"", _CSV, tag)
    properties = list(known.properties)
    header = ["__id", "label", *properties]
    header += ["__createdAt", "__creatorId", "__creatorName", "__updates", "__updatedAt", "__version"]
    pieces = csv_pieces(header, _cells(rows_asked_for(pid, name, asked), properties), guarded=asked["safeCells"])
    note_view(pid, name)
    return _file(pieces, _CSV, f"{name}.csv", tag)


@bp.get("/entities.geojson")
@needs("submissions.read")
@documented("entities", query=MapQuery, answer="application/json")
def get_geojson(pid: int, name: str) -> ResponseReturnValue:
    """The rows of a list on a map, those that lie anywhere."""
    asked = read_query(MapQuery())
    known = list_of(session(), pid, name)
    if asked["property"] != _GEOMETRY and asked["property"] not in known.properties:
        raise Unexpected(f"The list has no property called {asked['property']}.")
    tag = _tag(pid, asked)
    if known_already(tag):
        return tagged(b"", _GEOJSON, tag)
    rows = rows_asked_for(pid, name, asked, limit=asked["limit"], offset=asked["offset"])
    note_view(pid, name)
    return _file(_features(rows, asked["property"]), _GEOJSON, f"{name}.geojson", tag)


def _tag(pid: int, asked: Mapping[str, Any]) -> str:
    """What the rows of lists follow from, what was asked, when, and this code."""
    moves = current.now() if hangs_on_time(asked["filter"]) else None
    said = (VERSION, state_of(session(), pid), moves, request.path, request.query_string)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _cells(rows: Iterable[Entity], properties: Sequence[str]) -> Iterator[list[Any]]:
    names: dict[int | None, str] = {None: ""}
    for row in rows:
        if row.creator_id not in names:
            names |= {id_: actor.name for id_, actor in names_of(session(), [row.creator_id]).items()}
        yield [
            row.id,
            row.label,
            *(str(row.data.get(key, "")) for key in properties),
            _time(row.created_at),
            str(row.creator_id or ""),
            names.get(row.creator_id, ""),
            row.version - 1,
            _time(row.updated_at) if row.updated_at else "",
            row.version,
        ]


def _features(rows: Iterable[Entity], name: str) -> Iterator[bytes]:
    yield b'{"type":"FeatureCollection","features":['
    begun = False
    for row in rows:
        written = str(row.data.get(name, ""))
        geometry = next(
            filter(None, (geometry_of(kind, written) for kind in ("geopoint", "geoshape", "geotrace"))), None
        )
        if geometry is None:
            continue
        properties = {**row.data, "label": row.label, "__version": row.version}
        feature = {"type": "Feature", "id": row.id, "geometry": geometry, "properties": properties}
        yield (b"," if begun else b"") + to_json(feature)
        begun = True
    yield b"]}"


def _file(pieces: Iterator[bytes], content_type: str, file_name: str, tag: str) -> Response:
    response = streamed(pieces, content_type, tag)
    response.headers["Content-Disposition"] = disposition(file_name)
    return response


def _time(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
