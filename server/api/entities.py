"""The rows of entity lists: read, written by hand, compared, deleted and restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from server.wire.answers import answer, done, wants_more
from server.wire.bodies import has_body, read_json, read_query
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.entities.reading import (
    Version,
    acts_on,
    creators_of,
    diffs_of,
    last_versions,
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
from sync.errors import InvalidEntity, Missing
from sync.models import Actor, Entity
from sync.models.database import begin_writing

bp = Blueprint("entities", __name__, url_prefix="/v1/projects/<int:pid>/datasets/<name>")

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


@bp.get("/entities")
@needs("submissions.read")
@documented("entities", query=EntitiesQuery, answer="application/json")
def get_entities(pid: int, name: str) -> ResponseReturnValue:
    """The rows of a list, the newest first, without their properties."""
    asked = read_query(EntitiesQuery())
    rows = list(rows_asked_for(pid, name, asked, limit=asked["limit"], offset=asked["offset"]))
    versions = last_versions(session(), rows)
    makers = [*(row.creator_id for row in rows), *(version.actor_id for version in versions)]
    actors = names_of(session(), makers) if wants_more() else {}
    return _noted(pid, name, "", [_summary(row, last, actors) for row, last in zip(rows, versions, strict=True)])


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
    done_to_it = update_entity(
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
    if done_to_it:
        finish(journal, done_to_it, _subject(name, uuid))
    return answer(_whole(pid, name, uuid))


def settle_conflict(pid: int, name: str, uuid: str, base_version: int) -> None:
    """Say that a row is right as it stands at this version, so that it is in no conflict any more."""
    journal = begin(pid)
    done_to_it = update_entity(journal, name, uuid, base_version=base_version, resolve=True, source=_source(None))
    if done_to_it:
        finish(journal, done_to_it, _subject(name, uuid))


@bp.delete("/entities/<uuid>")
@needs("submissions.review")
@documented("entities")
def delete_entity(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """Take a row from every device; it can be restored."""
    journal = begin(pid)
    delete_entities(journal, name, [uuid])
    finish(journal, "entity.delete", _subject(name, uuid))
    return done()


@bp.post("/entities/<uuid>/restore")
@needs("submissions.review")
@documented("entities")
def restore_entity(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """Bring a deleted row back."""
    journal = begin(pid)
    restore_entities(journal, name, [uuid])
    finish(journal, "entity.restore", _subject(name, uuid))
    return done()


@bp.get("/entities/<uuid>/versions")
@needs("submissions.read")
@documented("entities", answer="application/json")
def get_versions(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """Every version of a row, the oldest first, with what brought it."""
    versions = versions_of(session(), _entity(pid, name, uuid))
    actors = names_of(session(), [version.actor_id for version in versions])
    return _noted(pid, name, uuid, [_version(version, actors) for version in versions])


@bp.get("/entities/<uuid>/diffs")
@needs("submissions.read")
@documented("entities", answer="application/json")
def get_diffs(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """For each version after the first, what became something else."""
    return _noted(pid, name, uuid, diffs_of(versions_of(session(), _entity(pid, name, uuid))))


@bp.get("/entities/<uuid>/audits")
@needs("submissions.read")
@documented("entities", query=ListQuery, answer="application/json")
def get_audits(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """What happened to a row, the newest first: its versions, and what people did to it besides."""
    asked = read_query(ListQuery())
    entity = _entity(pid, name, uuid)
    told = sorted([*_from_versions(entity), *_from_trail(entity)], key=lambda act: act["loggedAt"], reverse=True)
    end = None if asked["limit"] is None else asked["offset"] + asked["limit"]
    return answer(told[asked["offset"] : end])


def _noted(pid: int, name: str, uuid: str, shown: object) -> Response:
    made = answer(shown)  # before the commit, after which what was read would be read again
    note_view(pid, name, uuid)
    return made


def note_view(pid: int, name: str, uuid: str = "") -> None:
    """Write into the audit trail that somebody looked at a list whose rows may be people, or at one of them."""
    if not list_of(session(), pid, name).matching:
        return
    begin_writing(session())
    subject = _subject(name, uuid) if uuid else name
    record_act(session(), pid, current.origin(), VIEWED, current.now(), subject)
    session().commit()


def rows_asked_for(
    pid: int, name: str, asked: Mapping[str, Any], limit: int | None = None, offset: int = 0
) -> Iterator[Entity]:
    """They are looked for when the first is asked for: by then the session that the view had is closed."""

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

    found(0, 0)  # an unknown list, or a filter that cannot be understood, is told before the answer begins
    return later()


def _new(given: Mapping[str, Any]) -> NewEntity:
    return NewEntity(given.get("label") or "", _texts(given.get("data")), given.get("uuid"))


def _texts(given: Mapping[str, Any] | None) -> dict[str, str]:
    if wrong := [key for key, value in (given or {}).items() if not isinstance(value, str | None)]:
        raise InvalidEntity(f"The property {wrong[0]} has to be a text.")
    return {key: value or "" for key, value in (given or {}).items()}


def _source(given: Mapping[str, Any] | None) -> dict[str, Any]:
    agent = request.headers.get("User-Agent", "")[:500]
    return {key: value for key, value in (given or {}).items() if value is not None} | {"userAgent": agent}


def _subject(name: str, uuid: str) -> str:
    return f"{name}/{uuid.lower().removeprefix('uuid:')}"


def _entity(pid: int, name: str, uuid: str) -> Entity:
    list_of(session(), pid, name)
    return one_entity(session(), pid, name, uuid)


def _whole(pid: int, name: str, uuid: str) -> dict[str, Any]:
    entity = _entity(pid, name, uuid)
    version = versions_of(session(), entity)[-1]
    actors = names_of(session(), [entity.creator_id, version.actor_id]) if wants_more() else {}
    return _summary(entity, version, actors) | {"currentVersion": _version(version, actors)}


def _summary(row: Entity, last: Version, actors: Mapping[int, Actor]) -> dict[str, Any]:
    creator = actors.get(row.creator_id or 0)
    shown = {
        "uuid": row.id,
        "creatorId": row.creator_id or 0,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "deletedAt": row.deleted_at,
        "conflict": row.conflict,
        "currentVersion": _head(last, actors),
    }
    return shown | {"creator": show_actor(creator)} if creator else shown


def _version(version: Version, actors: Mapping[int, Actor]) -> dict[str, Any]:
    return _head(version, actors) | {
        "data": dict(version.data),
        "resolved": version.resolved,
        "source": _shown_source(version),
    }


def _head(version: Version, actors: Mapping[int, Actor]) -> dict[str, Any]:
    creator = actors.get(version.actor_id)
    shown = {
        "label": version.label,
        "current": version.current,
        "createdAt": version.at,
        "creatorId": version.actor_id,
        "userAgent": version.user_agent,
        "version": version.version,
        "baseVersion": version.base_version,
        "conflictingProperties": list(version.conflicting) or None,
        "trunkVersion": version.trunk_version,
        "branchId": version.branch_id,
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
