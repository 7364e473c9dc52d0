"""Entity lists: what the project has, what they hold, who gets which rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import select

from server.acts.changing import begin, finish
from server.api.schemas import ListQuery, Strict, text
from server.db import session
from server.door.guards import needs
from server.queries.submissions import moments_of
from server.wire.answers import answer, done, wants_more
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from sync.entities.reach import filter_of
from sync.entities.reading import forms_of_lists, lists_of_project, moments_of_properties
from sync.entities.registers import (
    add_property,
    assign_rows,
    assigned_rows,
    change_list,
    count_rows,
    delete_list,
    list_of,
    make_list,
    unassign_rows,
)
from sync.exports.naming import wire_name
from sync.models import EntityList, Form, FormFile

bp = Blueprint("datasets", __name__, url_prefix="/v1/projects/<int:pid>/datasets")

_MOST_IDS = 20_000


class NewListSchema(Strict):
    """A list to make."""

    name = text(required=True)
    approvalRequired = fields.Boolean(load_default=False)  # noqa: N815 — the wire's name
    ownerOnly = fields.Boolean(load_default=False)  # noqa: N815


class RuleSchema(Strict):
    """A row reaches a device whose property has the row's value."""

    datasetProperty = text(required=True)  # noqa: N815
    actorProperty = text(required=True)  # noqa: N815


class AccessFilterSchema(Strict):
    """Which rows reach a device: what it made itself, what any rule lets through, or what was assigned to it."""

    type = fields.String(required=True, validate=validate.OneOf(["ownerOnly", "property", "assigned"]))
    rules = fields.List(fields.Nested(RuleSchema), validate=validate.Length(min=1, max=20))


class ListChangeSchema(Strict):
    """What may change of a list. `place_property` names the property by which rows find the devices of a place."""

    approvalRequired = fields.Boolean()  # noqa: N815
    ownerOnly = fields.Boolean()  # noqa: N815
    accessFilter = fields.Nested(AccessFilterSchema, allow_none=True)  # noqa: N815
    place_property = text(allow_none=True)


class ListChangeQuery(Strict):
    """With `convert`, submissions that wait for approval act when it is not asked for any more."""

    convert = fields.Boolean(load_default=False)


class PropertySchema(Strict):
    """A property to add."""

    name = text(required=True)


class RowsSchema(Strict):
    """Rows by their uuid."""

    ids = fields.List(text(), required=True, validate=validate.Length(max=_MOST_IDS))


@bp.get("")
@needs("data.export")
@documented("entities", query=ListQuery, answer="application/json")
def get_lists(pid: int) -> ResponseReturnValue:
    """The entity lists of the project, by name."""
    asked = read_query(ListQuery())
    end = None if asked["limit"] is None else asked["offset"] + asked["limit"]
    return answer(show_lists(pid, lists_of_project(session(), pid)[asked["offset"] : end]))


@bp.post("")
@needs("project.manage")
@documented("entities", body=NewListSchema, answer="application/json")
def post_list(pid: int) -> ResponseReturnValue:
    """Make a list, without properties."""
    given = read_json(NewListSchema())
    journal = begin(pid)
    known = make_list(journal, given["name"], approval_required=given["approvalRequired"])
    if given["ownerOnly"]:
        change_list(journal, known.name, {"ownerOnly": True})
    finish(journal, "list.made", given["name"])
    return answer(_one_shown(pid, given["name"]))


@bp.get("/<name>")
@needs("data.export")
@documented("entities", answer="application/json")
def get_list(pid: int, name: str) -> ResponseReturnValue:
    """One list with its properties and the forms that write and read it."""
    return answer(_one_shown(pid, name))


@bp.patch("/<name>")
@needs("devices.manage")
@documented("entities", query=ListChangeQuery, body=ListChangeSchema, answer="application/json")
def patch_list(pid: int, name: str) -> ResponseReturnValue:
    """Change who gets which rows, and whether submissions have to be approved before they act."""
    given, convert = read_json(ListChangeSchema()), read_query(ListChangeQuery())["convert"]
    journal = begin(pid)
    change_list(journal, name, given, convert=convert)
    finish(journal, "list.changed", name, {"fields": sorted(given)})
    return answer(_one_shown(pid, name))


@bp.delete("/<name>")
@needs("project.manage")
@documented("entities")
def delete_one_list(pid: int, name: str) -> ResponseReturnValue:
    """Take a list from all devices. Publishing a form that writes it brings it back."""
    journal = begin(pid)
    delete_list(journal, name)
    finish(journal, "list.deleted", name)
    return done()


@bp.post("/<name>/properties")
@needs("project.manage")
@documented("entities", body=PropertySchema)
def post_property(pid: int, name: str) -> ResponseReturnValue:
    """Add a property, blank in every row."""
    wanted = read_json(PropertySchema())["name"]
    journal = begin(pid)
    add_property(journal, name, wanted)
    finish(journal, "list.changed", name, {"property": wanted})
    return done()


@bp.get("/<name>/assignments/<int:actor>")
@needs("devices.manage")
@documented("entities", answer="application/json")
def get_assigned(pid: int, name: str, actor: int) -> ResponseReturnValue:
    """The rows that were given to a device."""
    list_of(session(), pid, name)
    return answer({"actorId": actor, "ids": assigned_rows(session(), pid, name, actor)})


@bp.put("/<name>/assignments/<int:actor>")
@needs("devices.manage")
@documented("entities", body=RowsSchema, answer="application/json")
def put_assigned(pid: int, name: str, actor: int) -> ResponseReturnValue:
    """Give a device these rows and no others. From then on each device gets only rows that were given to it."""
    return _assign(pid, name, actor, read_json(RowsSchema())["ids"], only=True)


@bp.post("/<name>/assignments/<int:actor>")
@needs("devices.manage")
@documented("entities", body=RowsSchema, answer="application/json")
def post_assigned(pid: int, name: str, actor: int) -> ResponseReturnValue:
    """Give a device these rows beside those that it has."""
    return _assign(pid, name, actor, read_json(RowsSchema())["ids"], only=False)


@bp.delete("/<name>/assignments/<int:actor>")
@needs("devices.manage")
@documented("entities", answer="application/json")
def delete_assigned(pid: int, name: str, actor: int) -> ResponseReturnValue:
    """Take all rows from a device."""
    journal = begin(pid)
    taken = unassign_rows(journal, name, actor)
    finish(journal, "rows.unassigned", name, {"actor": str(actor), "rows": taken})
    return answer({"actorId": actor, "assigned": 0})


@bp.put("/<name>/assignments/<int:actor>/<uuid>")
@needs("devices.manage")
@documented("entities", answer="application/json")
def put_one_assigned(pid: int, name: str, actor: int, uuid: str) -> ResponseReturnValue:
    """Give a device one row more."""
    return _assign(pid, name, actor, [uuid], only=False)


@bp.delete("/<name>/assignments/<int:actor>/<uuid>")
@needs("devices.manage")
@documented("entities", answer="application/json")
def delete_one_assigned(pid: int, name: str, actor: int, uuid: str) -> ResponseReturnValue:
    """Take one row from a device."""
    journal = begin(pid)
    taken = unassign_rows(journal, name, actor, [uuid])
    left = len(assigned_rows(session(), pid, name, actor))
    finish(journal, "rows.unassigned", name, {"actor": str(actor), "rows": taken})
    return answer({"actorId": actor, "assigned": left})


def _assign(pid: int, name: str, actor: int, ids: Sequence[str], *, only: bool) -> ResponseReturnValue:
    journal = begin(pid)
    count = assign_rows(journal, name, actor, ids, only=only)
    finish(journal, "rows.assigned", name, {"actor": str(actor), "rows": count})
    return answer({"actorId": actor, "assigned": count})


def show_lists(pid: int, lists: Sequence[EntityList]) -> list[dict[str, Any]]:
    """The lists without their properties; how many rows they have where the extended fields are asked for."""
    changed = moments_of(session(), pid, [known.event for known in lists])
    shown = [_shown(known, changed.get(known.event)) for known in lists]
    if wants_more():
        counts = count_rows(session(), pid)
        for one in shown:
            count, last, conflicts = counts.get(one["name"], (0, None, 0))
            one |= {"entities": count, "lastEntity": last, "conflicts": conflicts}
    return shown


def _one_shown(pid: int, name: str) -> dict[str, Any]:
    known = list_of(session(), pid, name)
    writing, published = forms_of_lists(session(), pid).get(name, {}), moments_of_properties(session(), known)
    reading = session().execute(
        select(Form.form_id, Form.title)
        .join(FormFile, (FormFile.project_id == Form.project_id) & (FormFile.form_id == Form.form_id))
        .where(Form.project_id == pid, FormFile.list_name == name, Form.deleted_at.is_(None))
        .order_by(Form.form_id)
    )
    properties = [
        {
            "name": each,
            "odataName": wire_name(each),
            "publishedAt": published.get(each, known.created_at),
            "forms": _writers(writing.get(each, ())),
        }
        for each in known.properties
    ]
    return {
        **show_lists(pid, [known])[0],
        "linkedForms": [_form(form_id, title) for form_id, title in reading],
        "sourceForms": [_form(*form) for form in writing.get("", ())],
        "properties": properties,
    }


def _writers(forms: Sequence[tuple[str, str]]) -> list[Any]:
    """ODK's REST has objects here; pyODK's model takes texts and nothing else."""
    if request.user_agent.string.startswith("pyodk"):
        return [form_id for form_id, _ in forms]
    return [_form(*form) for form in forms]


def _form(form_id: str, title: str) -> dict[str, str]:
    return {"xmlFormId": form_id, "name": title}


def _shown(known: EntityList, changed: dt.datetime | None) -> dict[str, Any]:
    access = filter_of(known)
    shown = {
        "name": known.name,
        "projectId": known.project_id,
        "createdAt": known.created_at,
        "updatedAt": changed if changed is not None and changed > known.created_at else None,
        "approvalRequired": known.approval_required,
        "ownerOnly": known.owner_only,
        "place_property": known.place_property,
    }
    return shown | {"accessFilter": access} if access else shown
