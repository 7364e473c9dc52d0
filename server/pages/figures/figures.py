"""A figure, and the submissions behind it."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import groupby
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.api.figures import (
    EvidenceQuery,
    evidence_apart_for_visitor,
    known_indicator,
    reading_of,
    sees_small_cells,
)
from server.api.schemas import text
from server.db import session
from server.door.guards import needs
from server.kept.remembered import Shared
from server.language.words import words
from server.pages.asked import FreshQuery
from server.pages.figures.asking import Asked
from server.pages.figures.subjects import called, cells_called, entities_called, key_called
from server.pages.figures.way_back import BackQuery, way_back
from server.pages.photos import is_picture
from server.queries.submissions import files_here, submissions_called, titles_of_forms
from server.wire.bodies import read_query
from sync.errors import Forbidden
from sync.indicators.counting import Entry, first_of, looks_back
from sync.indicators.definitions import Definition
from sync.indicators.doubt import pairs_behind
from sync.indicators.evidence import Evidence, family, how_many_apart
from sync.indicators.figures import Figure, figure, parts_of, read_cells, share
from sync.indicators.reading import Reading
from sync.models import StatementIssue
from sync.statements.marks import Asked as AskedInText
from sync.statements.marks import read_pairs

bp = Blueprint("figure_pages", __name__)

_MOST_PHOTOS = 3  # of one visit; the others are on its page


class BehindQuery(EvidenceQuery, FreshQuery, BackQuery):
    """Which figure, and which page of what is behind it: no more rows than are read on a page. With the `others`, those
    that do not count. What a text says of the figure, where that is not its value, is a `fact`."""

    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=100))
    others = fields.Boolean(load_default=False)
    fact = text(load_default="", validate=validate.OneOf(("", "share", "n", "without")))
    decimals = fields.Integer(load_default=None, validate=validate.Range(min=0, max=6))


@bp.get("/projects/<int:pid>/figures/<indicator>")
@needs("figures.read")
def evidence(pid: int, indicator: str) -> ResponseReturnValue:
    """The submissions behind one figure, as of the event as of which the figure is told: those that count first, each
    apart from those that do not."""
    query = read_query(BehindQuery())
    reading = reading_of(pid, query["as_of"])
    definition, reads = known_indicator(reading, indicator), current.has_right("submissions.read")
    asked = Asked(
        reading,
        query["period"],
        reading.place(query["place"]),
        query["as_of"] or "",
        came_from=way_back(pid, query["back"]),
    )
    said = {name: query[name] for name in ("cells", "fact", "decimals")}
    kind = indicator, *asked.kind, *said.values(), words().locale, reads

    def told() -> dict[str, Any]:
        return _told(pid, asked, indicator, **said)

    # What was is told as of when it was; only what is may be told as it stood.
    remember = _heads.exactly if query["as_of"] else partial(_heads.recall, fresh=query["fresh"])
    found = remember(session(), pid, kind, told, event=reading.as_of.event)
    if found.behind:
        reading = reading_of(pid, str(found.event))
    counts = not query["others"] and found.worked["counting"] > 0
    rows = Evidence([], 0, None)
    if not found.worked["shut"]:
        rows = evidence_apart_for_visitor(
            reading, indicator, query, counts=counts, count=found.worked["counting" if counts else "others"]
        )
    keys = {key for row in rows.rows for keys in row["by"].values() for key in _listed(keys)}
    return render_template(
        "evidence.html",
        **asked.shown(pid),
        definition=definition,
        told=found,
        evidence=rows,
        counts=counts,
        query_cursor=query["cursor"],
        cells=query["cells"],
        query={key: value for key, value in request.args.items() if key not in ("cursor", "lang", "fresh", "others")},
        parts=_by_part(reading, definition, rows.rows),
        ways={way.name: way for way in reading.breakings(definition).values()},
        entities=entities_called(pid, keys),
        key_called=key_called,
        listed=_listed,
        place_names={code: place.name for code, place in reading.tree.places.items()},
        persons=called(
            pid, family(reading, definition), {row["person"] for row in rows.rows if row["person"]}, words().language
        ),
        titles=titles_of_forms(session(), pid),
        first_visits=_first_visits(reading, definition, query, rows.rows) if reads else {},
        visits_called=submissions_called(session(), pid, [int(row["submission"]) for row in rows.rows])
        if reads
        else {},
        photos=_photos(pid, [int(row["submission"]) for row in rows.rows]) if reads else {},
    )


_heads: Shared[dict[str, Any]] = Shared("evidence", awaited=True)


def _told(pid: int, asked: Asked, indicator: str, cells: str, fact: str, decimals: int | None) -> dict[str, Any]:
    """What stands above the rows, and how many of them count, and how many do not; or that the visitor is not shown
    them (`shut`)."""
    reading, picked, small = asked.reading, read_cells(cells), sees_small_cells()
    which: dict[str, Any] = {"period": asked.period, "place": asked.place, "sees_small_cells": small}
    shown = figure(reading, indicator, **which, cells=picked)
    try:
        counting, others = how_many_apart(reading, indicator, **which, cells=picked)
        shut = False
    except Forbidden:
        counting, others, shut = 0, 0, True
    head = render_template(
        "evidence_head.html",
        **asked.shown(pid),
        figure=shown,
        fact=fact,
        decimals=decimals,
        part_of_whole=share(reading, indicator, **which, cells=picked) if fact == "share" else None,
        whole=figure(reading, indicator, **which) if fact == "share" else None,
        contributions=None if shut else counting + others,
        cells=cells,
        cells_called=cells_called(pid, reading, shown.definition, picked),
        pairs=_pairs(pid, asked, shown, fact == "share"),
        parts=parts_of(reading, shown, sees_small_cells=small),
    )
    return {"head": head, "counting": counting, "others": others, "shut": shut}


def _pairs(pid: int, asked: Asked, shown: Figure, share: bool) -> int | None:
    """On how many open pairs a figure hangs; of one that was read in an issue, on how many it hung then."""
    back = asked.came_from
    if back is None or back.issue is None:
        return pairs_behind(asked.reading, shown)
    issue = session().get(StatementIssue, (pid, back.name, back.issue))
    if issue is None or issue.as_of != asked.reading.as_of.event:
        return None
    named = shown.definition.name, shown.period.text, shown.place, tuple(shown.by.items()), share
    return read_pairs(issue.pairs).get(AskedInText(*named))


def _first_visits(
    reading: Reading, definition: Definition, query: dict[str, Any], rows: list[dict[str, Any]]
) -> dict[str, int]:
    """Of those whose value is compared with the one at the start: person → the visit that told that one."""
    subjects = {row["subject"] for row in rows if row.get("baseline") is not None}
    if not subjects or not looks_back(definition):
        return {}
    about, lies_in = reading.about(definition, subjects), reading.lies_in(reading.place(query["place"]))
    entries, person = (
        about.entries_of(definition, reading.period(query["period"]), subjects),
        about.person_of(definition),
    )
    visits: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in filter(lies_in, entries):
        visits[person(str(entry.subject))].append(entry)
    return {who: first_of(those).submission_id for who, those in visits.items()}


def _by_part(
    reading: Reading, definition: Definition, rows: list[dict[str, Any]]
) -> list[tuple[Definition | None, list[dict[str, Any]]]]:
    """The rows of a ratio under the indicator that they stand behind; those of others together."""
    names = {"numerator": definition.row.numerator, "denominator": definition.row.denominator}
    return [
        (reading.definition(names[part] or "") if part else None, list(some))
        for part, some in groupby(rows, key=lambda row: row.get("part"))
    ]


def _listed(keys: str | list[str] | None) -> list[str | None]:
    """The keys of a row in a breakdown, of which some give it several."""
    return [*keys] if isinstance(keys, list) else [keys]


def _photos(pid: int, numbers: list[int]) -> dict[str, list[str]]:
    """The names of the first photos of each visit: whoever looks at one is noted as on the page of the visit."""
    shown = {}
    for number, files in files_here(session(), pid, numbers).items():
        pictures = [one.name for one in files if is_picture(one.name, one.type)]
        if pictures:
            shown[str(number)] = pictures[:_MOST_PHOTOS]
    return shown
