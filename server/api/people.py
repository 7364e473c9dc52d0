"""Who is in a list whose records are compared, what the comparison has learnt, and lists that are to be loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.acts.changing import begin, finish
from server.api.matches import note_people, show_compared, show_reason, show_record
from server.api.schemas import NO_NUL, CursorQuery, Strict, text
from server.db import session
from server.door.guards import needs
from server.language.words import words
from server.logs import log
from server.wire.answers import answer
from server.wire.bodies import read_body, read_query
from server.wire.documents import documented
from server.wire.problems import as_json
from sync.dedup.importing import Comparison, Judged, Likely, Loaded, compare_list, load_list
from sync.dedup.listfile import MOST_BYTES
from sync.dedup.training import calibrate_list, train_list
from sync.entities.reach import tree_of
from sync.intake.items import storable
from sync.projects.places import PlaceTree
from sync.review.learnt import model_in_force
from sync.review.match_view import reasons_of
from sync.review.matches import matching_list
from sync.review.people import Person, people

bp = Blueprint("people", __name__, url_prefix="/v1/projects/<int:pid>")


class PeopleQuery(CursorQuery):
    """Whom to list: those in whose names every word of `q` stands, however it is spelt."""

    list_name = text(load_default="people", data_key="list")
    q = text(load_default="", validate=[validate.Length(max=200), NO_NUL])
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=200))


class TrainQuery(Strict):
    """With `decisions` only how sure a score is, as decided pairs teach it."""

    decisions = fields.Boolean(load_default=False)


class ImportQuery(Strict):
    """With `preview` nothing is loaded, and it is told who each row would be. `name` is what the file is called."""

    preview = fields.Boolean(load_default=False)
    name = text(load_default="", validate=validate.Length(max=200))


@bp.get("/people")
@needs("people.decide")
@documented("people", query=PeopleQuery, answer="application/json")
def get_people(pid: int) -> ResponseReturnValue:
    """The persons of a list, each with all records that stand for him or her, and where these differ."""
    asked = read_query(PeopleQuery())
    name = asked["list_name"]
    page = people(session(), pid, name, asked["q"], asked["cursor"], asked["limit"])
    tree = tree_of(session(), pid)
    shown = [_person(person, tree) for person in page.items]
    note_people(pid, "people.viewed", name, {"shown": len(shown), "sought": bool(asked["q"])})
    return answer({"list": name, "people": shown, "cursor": page.cursor})


@bp.post("/datasets/<name>/import")
@needs("people.decide")
@documented("people", query=ImportQuery, body="text/csv", answer="application/json")
def post_import(pid: int, name: str) -> ResponseReturnValue:
    """Compare an existing list (CSV, .xlsx or .xls) with what is there; without `preview`, load it, all rows or none.

    Whoever looks like somebody else becomes an entity of their own, and the pair waits to be decided about.
    """
    asked = read_query(ImportQuery())
    data = read_body(MOST_BYTES)
    place = storable(asked["name"]) or name
    if asked["preview"]:
        found = compare_list(session(), pid, matching_list(session(), pid, name), data, place, current.now())
        shown = _comparison(name, found)
        note_people(pid, "people.viewed", name, {"compared": len(found.rows)})
        return answer(shown)
    loaded = load_into(pid, name, data, place)
    return answer({"list": name, **asdict(loaded)})


@bp.post("/datasets/<name>/train")
@needs("people.decide")
@documented("people", query=TrainQuery, answer="application/json")
def post_train(pid: int, name: str) -> ResponseReturnValue:
    """Learn from the records of a list how they are to be compared, and compare them anew; decisions stay.

    With `decisions=true` only the probabilities change.
    """
    asked = read_query(TrainQuery())
    matching_list(session(), pid, name)
    journal = begin(pid)
    learn = calibrate_list if asked["decisions"] else train_list
    version = learn(journal, name).version
    finish(journal, "people.trained", name, {"version": version})
    log("people_trained", project=pid, version=version)
    return answer(_model(pid, name))


@bp.get("/datasets/<name>/model")
@needs("people.decide")
@documented("people", answer="application/json")
def get_model(pid: int, name: str) -> ResponseReturnValue:
    """By what the records of a list are compared, with the numbers behind it; version 0 where nothing was learnt."""
    matching_list(session(), pid, name)
    return answer(_model(pid, name))


def load_into(pid: int, name: str, data: bytes, place: str) -> Loaded:
    """Load a file called `place` into a list, and write that down."""
    journal = begin(pid)
    source = {"name": place, "size": len(data), "userAgent": request.headers.get("User-Agent", "")[:500]}
    loaded = load_list(journal, matching_list(session(), pid, name), data, place, source)
    details = {"created": loaded.created, "changed": loaded.changed, "matches": loaded.matches}
    finish(journal, "entity.bulk.create", name, details)
    log("list_imported", project=pid, **details)
    return loaded


def _model(pid: int, name: str) -> dict[str, Any]:
    known = model_in_force(session(), pid, name)
    if known is None:
        return {"list": name, "version": 0, "at": None, "event": None, "explanation": {}}
    return {
        "list": name,
        "version": known.version,
        "at": known.at,
        "event": known.event,
        "explanation": known.explanation,
    }


def _person(person: Person, tree: PlaceTree) -> dict[str, Any]:
    return {
        "id": person.id,
        "stands": show_record(person.stands, tree),
        "others": [show_record(record, tree) for record in person.others],
        "values": show_compared(person.compared),
    }


def _comparison(name: str, found: Comparison) -> dict[str, Any]:
    return {
        "list": name,
        "counts": dict(found.counts),
        "findings": [as_json(finding) for finding in found.findings],
        "crowded": found.crowded,
        "rows": [_row(row) for row in found.rows],
    }


def _row(row: Judged) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "row": row.line.number,
        "outcome": row.outcome,
        "label": row.line.label or row.line.called,
        "id": row.line.entity_id,
    }
    if row.likely:
        shown["likely"] = [_likely(likely) for likely in row.likely]
    if row.line.faults:
        shown["findings"] = [as_json(finding) for finding in row.line.faults]
    return shown


def _likely(likely: Likely) -> Mapping[str, Any]:
    likeness = likely.likeness
    return {
        "id": likely.entity_id,
        "row": likely.row,
        "label": likely.label,
        "probability": likeness.probability,
        "weight": likeness.weight,
        "reasons": [show_reason(reason) for reason in reasons_of(likeness.parts, words().language)],
    }
