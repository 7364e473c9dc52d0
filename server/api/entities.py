"""The rows of entity lists: read, written by hand, compared, deleted and restored, and taken along as files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, fields, validate

from server import current
from server.acts.changing import begin, finish
from server.api.schemas import ListQuery, Strict, text
from server.api.users import show_actor
from server.db import session
from server.door.guards import needs
from server.kept.remembered import VERSION, state_of
from server.wire.answers import answer, disposition, done, known_already, streamed, tagged, to_json, wants_more
from server.wire.bodies import has_body, read_json, read_query
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.entities.reading import (
    Version,
    acts_on,
    creators_of,
    diffs_of,
    names_of,
    one_entity,
    rows_of_list,
    versions_of,
)
from sync.entities.registers import list_of
from sync.entities.writing import (
    MOST_AT_ONCE,
    NewEntity,
    create_entities,
    delete_entities,
    restore_entities,
    update_entity,
)
from sync.errors import InvalidEntity, Missing, Unexpected
from sync.exports.cells import csv_pieces
from sync.exports.filters import hangs_on_time
from sync.exports.maps import geometry_of
from sync.models import Actor, Entity
from sync.models.database import begin_writing

bp = Blueprint("entities", __name__, url_prefix="/v1/projects/<int:pid>/datasets/<name>")

_GEOMETRY = "geometry"
_CSV, _GEOJSON = "text/csv; charset=utf-8", "application/geo+json; charset=utf-8"
VIEWED = "entity.viewed"


class EntitiesQuery(ListQuery):
    """Which rows to list."""

    deleted = fields.Boolean(load_default=False)
    filter = text(load_default=None, data_key="$filter")
    search = text(load_default=None, data_key="$search")


class SourceSchema(Schema):
    """Where rows come from."""

    class Meta:
        unknown = EXCLUDE

    name = text(required=True)
    size = fields.Raw(allow_none=True)


class EntitySchema(Strict):
    """A row: its label, and texts by property."""

    uuid = text(allow_none=True)
    label = fields.String(allow_none=True)
    data = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True), allow_none=True)


class NewEntitiesSchema(EntitySchema):
    """A row to make, or many as `entities` with their `source`."""

    entities = fields.List(fields.Nested(EntitySchema), validate=validate.Length(min=1, max=MOST_AT_ONCE))
    source = fields.Nested(SourceSchema, allow_none=True)


class ChangeQuery(Strict):
    """The version that was looked at, or `force`; `resolve` settles a conflict."""

    baseVersion = fields.Integer(load_default=None)  # noqa: N815 — the wire's name
    force = fields.Boolean(load_default=False)
    resolve = fields.Boolean(load_default=False)


class EntityChangeSchema(Strict):
    """What to change of a row."""

    label = fields.String(allow_none=True)
    data = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True), allow_none=True)


class IdsSchema(Strict):
    """Rows by their uuid."""

    ids = fields.List(text(), required=True, validate=validate.Length(min=1, max=MOST_AT_ONCE))


class TableQuery(EntitiesQuery):
    """Programs take the cells as they are, without `safeCells`."""

    safeCells = fields.Boolean(load_default=True)  # noqa: N815


class MapQuery(EntitiesQuery):
    """Where each row lies is in this property."""

    property = text(load_default=_GEOMETRY)


@bp.get("/entities")
@needs("submissions.read")
@documented("entities", query=EntitiesQuery, answer="application/json")
def get_entities(pid: int, name: str) -> ResponseReturnValue:
    """The rows of a list, the newest first, without their properties."""
    asked = read_query(EntitiesQuery())
    rows = list(_rows(pid, name, asked, limit=asked["limit"], offset=asked["offset"]))
    actors = names_of(session(), [row.creator_id for row in rows]) if wants_more() else {}
    return _noted(pid, name, "", [_summary(row, actors) for row in rows])


@bp.post("/entities")
@needs("submissions.review")
@documented("entities", body=NewEntitiesSchema, answer="application/json")
def post_entities(pid: int, name: str) -> ResponseReturnValue:
    """Make one row, which is the answer, or many at once, all or none."""
    given = read_json(NewEntitiesSchema())
    many = given.get("entities")
    if many is not None and not given.get("source"):
        raise Missing("Many entities need a source: {“name”: …}.")
    wanted = [_new(each) for each in (many if many is not None else [given])]
    journal = begin(pid)
    ids = create_entities(journal, name, wanted, _source(given.get("source")))
    subject = name if many is not None else f"{name}/{ids[0]}"
    finish(journal, "entity.bulk.create" if many is not None else "entity.create", subject, {"entities": len(ids)})
    return done() if many is not None else answer(_whole(pid, name, ids[0]))


@bp.get("/entities/creators")
@needs("submissions.read")
@documented("entities", answer="application/json")
def get_creators(pid: int, name: str) -> ResponseReturnValue:
    """Everybody who made a row of the list."""
    list_of(session(), pid, name)
    return answer([show_actor(actor) for actor in creators_of(session(), pid, name)])


@bp.post("/entities/bulk-delete")
@needs("submissions.review")
@documented("entities", body=IdsSchema)
def bulk_delete(pid: int, name: str) -> ResponseReturnValue:
    """Delete many rows, all or none."""
    ids = read_json(IdsSchema())["ids"]
    journal = begin(pid)
    count = delete_entities(journal, name, ids)
    finish(journal, "entity.bulk.delete", name, {"entities": count})
    return done()


@bp.post("/entities/bulk-restore")
@needs("submissions.review")
@documented("entities", body=IdsSchema)
def bulk_restore(pid: int, name: str) -> ResponseReturnValue:
    """Bring many deleted rows back, all or none."""
    ids = read_json(IdsSchema())["ids"]
    journal = begin(pid)
    count = restore_entities(journal, name, ids)
    finish(journal, "entity.bulk.restore", name, {"entities": count})
    return done()


@bp.get("/entities/<uuid>")
@needs("submissions.read")
@documented("entities", answer="application/json")
def get_entity(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """One row as it stands."""
    return _noted(pid, name, uuid, _whole(pid, name, uuid))


@bp.patch("/entities/<uuid>")
@needs("submissions.review")
@documented("entities", query=ChangeQuery, body=EntityChangeSchema, answer="application/json")
def patch_entity(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """Change a row that still stands at the version one looked at, or whatever it stands at."""
    asked = read_query(ChangeQuery())
    given = read_json(EntityChangeSchema()) if has_body() else {}
    journal = begin(pid)
    update_entity(
        journal,
        name,
        uuid,
        label=given.get("label"),
        data=_texts(given.get("data")),
        base_version=asked["baseVersion"],
        force=asked["force"] or (asked["resolve"] and asked["baseVersion"] is None),
        resolve=asked["resolve"],
        source=_source(None),
    )
    action = "entity.update.resolve" if asked["resolve"] else "entity.update.version"
    finish(journal, action, f"{name}/{_plain(uuid)}")
    return answer(_whole(pid, name, uuid))


def settle_conflict(pid: int, name: str, uuid: str, base_version: int) -> None:
    """Say that a row is right as it stands at this version, so that it is in no conflict any more."""
    journal = begin(pid)
    update_entity(journal, name, uuid, base_version=base_version, resolve=True, source=_source(None))
    finish(journal, "entity.update.resolve", f"{name}/{_plain(uuid)}")


@bp.delete("/entities/<uuid>")
@needs("submissions.review")
@documented("entities")
def delete_entity(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """Take a row from every device; it can be restored."""
    journal = begin(pid)
    delete_entities(journal, name, [uuid])
    finish(journal, "entity.delete", f"{name}/{_plain(uuid)}")
    return done()


@bp.post("/entities/<uuid>/restore")
@needs("submissions.review")
@documented("entities")
def restore_entity(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """Bring a deleted row back."""
    journal = begin(pid)
    restore_entities(journal, name, [uuid])
    finish(journal, "entity.restore", f"{name}/{_plain(uuid)}")
    return done()


@bp.get("/entities/<uuid>/versions")
@needs("submissions.read")
@documented("entities", answer="application/json")
def get_versions(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """Every version of a row, the oldest first, with what brought it."""
    list_of(session(), pid, name)
    versions = versions_of(session(), one_entity(session(), pid, name, uuid))
    actors = names_of(session(), [version.actor_id for version in versions])
    return _noted(pid, name, uuid, [_version(version, actors) for version in versions])


@bp.get("/entities/<uuid>/diffs")
@needs("submissions.read")
@documented("entities", answer="application/json")
def get_diffs(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """For each version after the first, what became something else."""
    list_of(session(), pid, name)
    return _noted(pid, name, uuid, diffs_of(versions_of(session(), one_entity(session(), pid, name, uuid))))


@bp.get("/entities/<uuid>/audits")
@needs("submissions.read")
@documented("entities", query=ListQuery, answer="application/json")
def get_audits(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """What happened to a row, the newest first: its versions, and what people did to it besides."""
    asked = read_query(ListQuery())
    list_of(session(), pid, name)
    entity = one_entity(session(), pid, name, uuid)
    told = sorted([*_from_versions(entity), *_from_trail(entity)], key=lambda act: act["loggedAt"], reverse=True)
    end = None if asked["limit"] is None else asked["offset"] + asked["limit"]
    return answer(told[asked["offset"] : end])


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
    pieces = csv_pieces(header, _cells(_rows(pid, name, asked), properties), guarded=asked["safeCells"])
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
    rows = _rows(pid, name, asked, limit=asked["limit"], offset=asked["offset"])
    note_view(pid, name)
    return _file(_features(rows, asked["property"]), _GEOJSON, f"{name}.geojson", tag)


def _tag(pid: int, asked: Mapping[str, Any]) -> str:
    """What the rows of lists follow from, what was asked, when, and this code."""
    moves = current.now() if hangs_on_time(asked["filter"]) else None
    said = (VERSION, state_of(session(), pid), moves, request.path, request.query_string)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _noted(pid: int, name: str, uuid: str, shown: object) -> Response:
    made = answer(shown)  # before the commit, after which what was read would be read again
    note_view(pid, name, uuid)
    return made


def note_view(pid: int, name: str, uuid: str = "") -> None:
    """Write into the audit trail that somebody looked at a list whose rows may be people, or at one of them."""
    if not list_of(session(), pid, name).matching:
        return
    begin_writing(session())
    subject = f"{name}/{_plain(uuid)}" if uuid else name
    record_act(session(), pid, current.origin(), VIEWED, current.now(), subject)
    session().commit()


def _rows(pid: int, name: str, asked: Mapping[str, Any], limit: int | None = None, offset: int = 0) -> Iterator[Entity]:
    """They are looked for when the first is asked for: by then the session that the view had is closed."""
    list_of(session(), pid, name)

    def found(limit: int | None, offset: int) -> Iterator[Entity]:
        return rows_of_list(
            session(),
            pid,
            name,
            now=current.now(),
            deleted=asked["deleted"],
            asked=asked["filter"],
            search=asked["search"],
            limit=limit,
            offset=offset,
        )

    def later() -> Iterator[Entity]:
        yield from found(limit, offset)

    found(0, 0)  # a filter that cannot be understood is told before the answer begins
    return later()


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


def _new(given: Mapping[str, Any]) -> NewEntity:
    return NewEntity(given.get("label") or "", _texts(given.get("data")), given.get("uuid"))


def _texts(given: Mapping[str, Any] | None) -> dict[str, str]:
    if wrong := [key for key, value in (given or {}).items() if not isinstance(value, str | None)]:
        raise InvalidEntity(f"The property {wrong[0]} has to be a text.")
    return {key: value or "" for key, value in (given or {}).items()}


def _source(given: Mapping[str, Any] | None) -> dict[str, Any]:
    agent = request.headers.get("User-Agent", "")[:500]
    return {key: value for key, value in (given or {}).items() if value is not None} | {"userAgent": agent}


def _plain(uuid: str) -> str:
    return uuid.lower().removeprefix("uuid:")


def _whole(pid: int, name: str, uuid: str) -> dict[str, Any]:
    list_of(session(), pid, name)
    entity = one_entity(session(), pid, name, uuid)
    version = versions_of(session(), entity)[-1]
    actors = names_of(session(), [entity.creator_id, version.actor_id]) if wants_more() else {}
    return _summary(entity, actors) | {"currentVersion": _version(version, actors)}


def _summary(row: Entity, actors: Mapping[int, Actor]) -> dict[str, Any]:
    creator = actors.get(row.creator_id or 0)
    shown = {
        "uuid": row.id,
        "creatorId": row.creator_id or 0,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "deletedAt": row.deleted_at,
        "conflict": row.conflict,
        "currentVersion": {
            "label": row.label,
            "current": True,
            "createdAt": row.updated_at or row.created_at,
            "creatorId": row.creator_id or 0,
            "userAgent": "",
            "version": row.version,
            "baseVersion": row.version - 1 or None,
            "conflictingProperties": None,
        },
    }
    return shown | {"creator": show_actor(creator)} if creator else shown


def _version(version: Version, actors: Mapping[int, Actor]) -> dict[str, Any]:
    creator = actors.get(version.actor_id)
    shown = {
        "label": version.label,
        "data": dict(version.data),
        "current": version.current,
        "createdAt": version.at,
        "creatorId": version.actor_id,
        "userAgent": version.user_agent,
        "version": version.version,
        "baseVersion": version.base_version,
        "conflictingProperties": list(version.conflicting) or None,
        "resolved": version.resolved,
        "trunkVersion": version.trunk_version,
        "branchId": version.branch_id,
        "source": _shown_source(version),
    }
    return shown | {"creator": show_actor(creator)} if creator else shown


def _shown_source(version: Version) -> dict[str, Any]:
    if version.submission is not None:
        return {"submission": {"instanceId": version.submission, "xmlFormId": version.form_id}}
    return {key: value for key, value in version.source.items() if key != "userAgent"}


def _from_versions(entity: Entity) -> Iterator[dict[str, Any]]:
    for number, version in enumerate(versions_of(session(), entity)):
        told = {"entity": {"uuid": entity.id, "version": version.version}, "source": _shown_source(version)}
        yield {
            "actorId": version.actor_id,
            "action": "entity.update.version" if number else "entity.create",
            "loggedAt": version.at,
            "details": told,
            "notes": None,
        }


def _from_trail(entity: Entity) -> Iterator[dict[str, Any]]:
    for act in acts_on(session(), entity):
        if act.action not in ("entity.create", "entity.update.version", VIEWED):
            yield {
                "actorId": act.actor_id,
                "action": act.action,
                "loggedAt": act.at,
                "details": {"entity": {"uuid": entity.id}, **(act.details or {})},
                "notes": None,
            }


def _time(moment: Any) -> str:
    return str(moment.isoformat(timespec="milliseconds")).replace("+00:00", "Z")
