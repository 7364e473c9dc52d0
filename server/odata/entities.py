"""An entity list as an OData service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flask import Blueprint
from flask.typing import ResponseReturnValue

from forms.spelling import did_you_mean
from server import current
from server.db import session
from server.door.guards import needs
from server.kept.remembered import state_of
from server.odata.answers import JSON, XML, counted, data, paged, rows_document, speak_odata, tag_of
from server.odata.feed import moment
from server.odata.forms import note_read, sought_by
from server.odata.metadata import OF_ENTITIES, entity_list_metadata, service_document
from server.odata.options import COUNT, Options, read_options, require_type, require_version, to_count
from server.wire.answers import known_already, tagged
from server.wire.documents import documented
from sync.entities.feed import entity_page
from sync.entities.reading import names_of, on_the_wire
from sync.entities.registers import list_of
from sync.errors import NotFound, Unexpected
from sync.exports.filters import hangs_on_time
from sync.exports.pages import RowsPage
from sync.models import Entity, EntityList

bp = Blueprint("odata_entities", __name__, url_prefix="/v1/projects/<int:pid>/datasets")
speak_odata(bp)

ENTITIES = "Entities"
_ONE = re.compile(rf"{ENTITIES}\('([^']*)'\)")
Row = dict[str, Any]


@bp.get("/<name>.svc")
@needs("submissions.read")
@documented("odata", answer="application/json")
def get_list_service(pid: int, name: str) -> ResponseReturnValue:
    """The one table of an entity list."""
    require_version()
    require_type("application/json")
    list_of(session(), pid, name)
    document = service_document(_root(pid, name), [ENTITIES])
    return data(tag_of(0, repr(document)), lambda: document)


@bp.get("/<name>.svc/$metadata")
@needs("submissions.read")
@documented("odata", answer="application/xml")
def get_list_metadata(pid: int, name: str) -> ResponseReturnValue:
    """The schema of an entity list, EDMX 4.0."""
    require_version()
    require_type(XML)
    known = list_of(session(), pid, name)
    return tagged(entity_list_metadata(name, ["label", *on_the_wire(known.properties).values()]), XML)


@bp.get("/<name>.svc/<path:resource>")
@needs("submissions.read")
@documented("odata", answer="application/json")
def get_entities(pid: int, name: str, resource: str) -> ResponseReturnValue:
    """The entities of a list, or one. They stand in the order of their ids, so that every page costs the same. With
    `/$count` at the end it is how many there are, as plain text.
    """
    require_version()
    options = read_options()
    known = list_of(session(), pid, name)
    if resource == f"{ENTITIES}{COUNT}":
        return counted(entity_page(session(), known, sought_by(to_count(options, 0), identifying=True)).count)
    require_type("application/json")
    one = _ONE.fullmatch(resource)
    if resource != ENTITIES and one is None:
        raise NotFound
    moves = hangs_on_time(options.filter, options.orderby)
    tag = tag_of(state_of(session(), pid), current.own_address(""), current.now() if moves else None)
    if known_already(tag):
        return tagged(b"", JSON, tag)
    page = _page(known, options, one[1] if one else None)
    if one is not None and not page.rows:
        raise NotFound
    if options.after is None:
        note_read(pid, f"{name}/{ENTITIES}")

    root = _root(pid, name)
    return paged(
        tag,
        page,
        options,
        lambda asked: _page(list_of(session(), pid, name), asked, None),
        lambda rows, following, sent: rows_document(
            root, ENTITIES, resource, rows, options, following, page.count, sent
        ),
    )


def _page(known: EntityList, options: Options, one: str | None) -> RowsPage[Row]:
    page = entity_page(session(), known, sought_by(options, identifying=True), one)
    makers = {id_: actor.name for id_, actor in names_of(session(), [row.creator_id for row in page.rows]).items()}
    names = on_the_wire(known.properties)
    _require_columns(options, names)
    return RowsPage([_chosen(_row(entity, names, makers), options) for entity in page.rows], page.next, page.count)


def _row(entity: Entity, names: dict[str, str], makers: dict[int, str]) -> Row:
    return {
        "__id": entity.id,
        "label": entity.label,
        "__system": {
            "createdAt": moment(entity.created_at),
            "creatorId": None if entity.creator_id is None else str(entity.creator_id),
            "creatorName": makers.get(entity.creator_id or 0),
            "updates": entity.version - 1,
            "updatedAt": moment(entity.updated_at),
            "deletedAt": moment(entity.deleted_at),
            "version": entity.version,
            "conflict": entity.conflict,
        },
        **{wire: entity.data.get(prop) for prop, wire in names.items()},
    }


def _require_columns(options: Options, names: Mapping[str, str]) -> None:
    """Raises Unexpected for a column that there is not."""
    system = (f"__system/{name}" for name in OF_ENTITIES)
    known = {"__id", "label", "__system", *system, *names.values()}
    for name in options.chosen.select or ():
        if name not in known:
            raise Unexpected(f"$select: there is no field ‘{name[:100]}’ here. {did_you_mean(name, known)}".strip())


def _chosen(row: Row, options: Options) -> Row:
    select = options.chosen.select
    if select is None:
        return row
    whole = {name: value for name, value in row.items() if name in select}
    parts = {name: value for name, value in row["__system"].items() if f"__system/{name}" in select}
    return whole if "__system" in whole or not parts else {**whole, "__system": parts}


def _root(pid: int, name: str) -> str:
    return current.own_address(f"/projects/{pid}/datasets/{quote(name, safe='')}.svc")
