"""Lists of entities: what there is, who is in it, one row with its history, and loading an existing list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.acts.uploads import uploaded
from server.api.entities import note_view, settle_conflict
from server.api.matches import note_people
from server.api.people import load_into
from server.api.schemas import NO_NUL, Strict, text
from server.db import release, session
from server.door.guards import needs
from server.kept.remembered import Remembered
from server.language.words import words
from server.pages.frame import project_of
from server.pages.people.meanings import Meanings
from server.pages.people.people_words import CONFLICTS, OUTCOMES, ROLES
from server.queries.submissions import names_of_actors, submissions_called, titles_of_forms
from server.wire.bodies import read_query
from sync.dedup.importing import FAULTY, Comparison, compare_list
from sync.dedup.listfile import MOST_BYTES
from sync.entities.reach import tree_of
from sync.entities.reading import diffs_of, lists_of_project, names_of, one_entity, page_of_list, versions_of
from sync.entities.registers import count_rows, list_of
from sync.errors import Refusal, Stale, Unexpected
from sync.intake.items import storable
from sync.models import EntityList
from sync.review.match_view import reasons_of
from sync.review.matches import matching_list
from sync.review.one_person import visits_of
from sync.review.people import people

bp = Blueprint("list_pages", __name__, url_prefix="/projects/<int:pid>/lists")

_LIMIT = 50
_COLUMNS = 4
_ROWS_SHOWN = 300


class RowsQuery(Strict):
    """Whom or what to look for, and what was done before."""

    q = text(load_default="", validate=[validate.Length(max=200), NO_NUL])
    conflicts = fields.Boolean(load_default=False)
    cursor = text(load_default=None)
    before = fields.Integer(load_default=0, validate=validate.Range(min=0, max=10**7))  # found on earlier pages
    created = fields.Integer(load_default=None, validate=validate.Range(min=0, max=10**6))
    changed = fields.Integer(load_default=0, validate=validate.Range(min=0, max=10**6))
    matches = fields.Integer(load_default=0, validate=validate.Range(min=0, max=10**7))


class DoneQuery(Strict):
    """What was done before."""

    done = text(load_default=None)


@bp.app_context_processor
def words_of_lists() -> dict[str, Any]:
    """What templates call the codes of lists."""
    return {"roles_said": ROLES, "outcomes_said": OUTCOMES, "conflicts_said": CONFLICTS}


@bp.get("")
@needs("submissions.read")
def lists(pid: int) -> ResponseReturnValue:
    """The lists of the project, with how many rows each has."""
    return render_template(
        "lists.html",
        project=project_of(pid),
        lists=lists_of_project(session(), pid),
        counts=_counted(pid),
    )


def _counted(pid: int) -> dict[str, tuple[int, Any, int]]:
    """Of each list; every row is looked at, so what was found is remembered until anything in the project changes."""
    return _counts.get(session(), pid, (), lambda: count_rows(session(), pid))


_counts: Remembered[dict[str, tuple[int, Any, int]]] = Remembered()


@bp.get("/<name>")
@needs("submissions.read")
def rows(pid: int, name: str) -> ResponseReturnValue:
    """The rows of a list; where they are compared, the persons with all their records."""
    asked = read_query(RowsQuery())
    known = list_of(session(), pid, name)
    count, last, conflicts = _counted(pid).get(name, (0, None, 0))
    values: dict[str, Any] = {
        "project": project_of(pid),
        "known": known,
        "asked": asked,
        "count": count,
        "last": last,
        "conflicts": conflicts,
        "tree": tree_of(session(), pid),
        "columns": _columns(known),
        "can_load": bool(known.matching) and current.has_right("people.decide"),
    }
    if known.matching and not asked["conflicts"]:
        found = people(session(), pid, name, asked["q"], asked["cursor"], _LIMIT)
        values["called"] = Meanings(pid, name, values["tree"], _values(one.stands.data for one in found.items))
        page = render_template("list_people.html", people=found.items, cursor=found.cursor, **values)
        note_people(pid, "people.viewed", name, {"shown": len(found.items), "sought": bool(asked["q"])})
        return page
    rows = page_of_list(
        session(),
        pid,
        name,
        now=current.now(),
        search=_phrases(asked["q"]),
        conflicts=asked["conflicts"],
        cursor=asked["cursor"],
        limit=_LIMIT,
    )
    values["called"] = Meanings(pid, name, values["tree"], _values(one.data for one in rows.items))
    page = render_template("list_rows.html", rows=rows.items, cursor=rows.cursor, **values)
    note_view(pid, name)
    return page


@bp.get("/<name>/rows/<uuid>")
@needs("submissions.read")
def row(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """One row: what it says, where it came from, and every change of it."""
    return _row_page(pid, name, uuid, None)


@bp.post("/<name>/rows/<uuid>/settle")
@needs("submissions.review")
def settle(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """Say that the row is right as it stands now: its conflict is settled."""
    seen = request.form.get("version", "")
    try:
        settle_conflict(pid, name, uuid, int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else 0)
    except Stale as refusal:
        session().rollback()
        return _row_page(pid, name, uuid, refusal), refusal.status
    return redirect(url_for("list_pages.row", pid=pid, name=name, uuid=uuid, done="settled"), 303)


@bp.get("/<name>/load")
@needs("people.decide")
def ask_for_file(pid: int, name: str) -> ResponseReturnValue:
    """Where an existing list is handed in."""
    return _load_page(pid, matching_list(session(), pid, name))


@bp.post("/<name>/load")
@needs("people.decide")
def post_file(pid: int, name: str) -> ResponseReturnValue:
    """Compare a list with who is there; or load it, if it is the one that was looked at."""
    known = matching_list(session(), pid, name)
    release()
    content = uploaded("file", MOST_BYTES)
    chosen = request.files.get("file")
    place = storable((chosen.filename if chosen else "") or "")[:200] or name
    stamp = sha256(content).hexdigest()
    try:
        if not content:
            raise Unexpected("Choose the file with the list first.")
        if request.form.get("act") == "load":
            if request.form.get("seen") != stamp:
                raise Unexpected("This is another file than the one that was compared; look at it first.")
            loaded = load_into(pid, name, content, place)
            done: dict[str, Any] = {"created": loaded.created, "changed": loaded.changed, "matches": loaded.matches}
            return redirect(url_for("list_pages.rows", pid=pid, name=name, **done), 303)
        known = matching_list(session(), pid, name)
        found = compare_list(session(), pid, known, content, place, current.now())
    except Refusal as refusal:
        session().rollback()
        return _load_page(pid, matching_list(session(), pid, name), problem=refusal), refusal.status
    page = _load_page(pid, known, found=found, place=place, stamp=stamp)
    note_people(pid, "people.viewed", name, {"compared": len(found.rows)})
    return page


def _row_page(pid: int, name: str, uuid: str, problem: Refusal | None) -> str:
    asked = read_query(DoneQuery())
    known = list_of(session(), pid, name)
    entity = one_entity(session(), pid, name, uuid)
    tree = tree_of(session(), pid)
    versions = versions_of(session(), entity)
    actors = names_of(session(), [version.actor_id for version in versions])
    visits, count = visits_of(session(), pid, name, [entity.id])
    page = render_template(
        "list_row.html",
        project=project_of(pid),
        known=known,
        entity=entity,
        tree=tree,
        called=Meanings(pid, name, tree, _values([entity.data])),
        history=list(reversed(list(zip(versions, [[], *diffs_of(versions)], strict=True)))),
        actors={number: actor.name for number, actor in actors.items()},
        visits=visits,
        visits_called=submissions_called(session(), pid, [visit.id for visit in visits]),
        collectors=names_of_actors(session(), [visit.actor_id for visit in visits]),
        places=tree.names_of([visit.place for visit in visits]),
        count=count,
        titles=titles_of_forms(session(), pid),
        is_person=bool(known.matching) and current.has_right("people.decide"),
        settles=current.has_right("submissions.review"),
        done=asked["done"],
        problem=problem,
    )
    note_view(pid, name, uuid)
    return page


def _load_page(
    pid: int,
    known: EntityList,
    *,
    found: Comparison | None = None,
    place: str = "",
    stamp: str = "",
    problem: Refusal | None = None,
) -> str:
    rows = sorted(found.rows, key=lambda one: one.outcome != FAULTY) if found is not None else []
    return render_template(
        "list_load.html",
        project=project_of(pid),
        known=known,
        found=found,
        rows=rows[:_ROWS_SHOWN],
        loadable=found is not None and bool(found.rows) and not found.findings and not found.counts[FAULTY],
        place=place,
        stamp=stamp,
        problem=problem,
        reasons=lambda parts: words().semicolon.join(one.words for one in reasons_of(parts, words().language)),
    )


def _columns(known: EntityList) -> list[str]:
    """The properties that a table has room for: those that tell of a person first."""
    roles = known.matching or {}
    names = {name for name, role in roles.items() if role in ("first_name", "last_name", "full_name", "name")}
    others = [name for name in known.properties if name not in names]
    return sorted(others, key=lambda name: name not in roles)[:_COLUMNS]


def _values(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (str(value) for data in rows for value in data.values())


def _phrases(asked: str) -> str | None:
    """What somebody typed as a search for all its words, whatever signs stand among them."""
    some = [word.replace('"', "") for word in asked.split()]
    return " AND ".join(f'"{word}"' for word in some if word) or None
