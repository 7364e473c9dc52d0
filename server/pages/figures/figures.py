"""A figure, and the submissions behind it."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.api.figures import EvidenceQuery, evidence_for_visitor, known_indicator, reading_of, sees_small_cells
from server.bodies import read_query
from server.db import session
from server.guards import needs
from server.pages.asked import FreshQuery
from server.pages.figures.subjects import called
from server.pages.frame import project_of
from server.pages.photos import is_picture
from server.queries.remembered import Shared
from server.queries.submissions import files_here, titles_of_forms
from server.words import words
from sync.indicators.doubt import pairs_behind
from sync.indicators.evidence import family
from sync.indicators.figures import figure, read_cells
from sync.indicators.reading import Reading

bp = Blueprint("figure_pages", __name__)

_MOST_PHOTOS = 3  # of one visit; the others are on its page


class BehindQuery(EvidenceQuery, FreshQuery):
    """Which figure, and which page of what is behind it: no more rows than are read on a page."""

    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=100))


@bp.get("/projects/<int:pid>/figures/<indicator>")
@needs("figures.read")
def evidence(pid: int, indicator: str) -> ResponseReturnValue:
    """The submissions behind one figure, as of the event as of which the figure is told."""
    query = read_query(BehindQuery())
    reading = reading_of(pid, query["as_of"])
    definition, reads = known_indicator(reading, indicator), current.has_right("submissions.read")
    # Of the past less is known than was known at the time: on how many open pairs a figure hangs.
    past = (reading.as_of.event, reading.is_current) if query["as_of"] else None
    kind = past, *(query[name] for name in ("as_of", "period", "place", "cells")), words().locale, reads

    def told() -> dict[str, Any]:
        return _told(pid, reading, indicator, query)

    # What was is told as of when it was; only what is may be told as it stood.
    remember = _heads.exactly if query["as_of"] else partial(_heads.recall, fresh=query["fresh"])
    found = remember(session(), pid, (indicator, *kind), told, event=reading.as_of.event)
    if found.behind:
        reading = reading_of(pid, str(found.event))
    rows = evidence_for_visitor(reading, indicator, query, count=found.worked["count"])
    return render_template(
        "evidence.html",
        project=project_of(pid),
        definition=definition,
        told=found,
        evidence=rows,
        query={key: value for key, value in request.args.items() if key not in ("cursor", "lang", "fresh")},
        ways={way.name: way for way in reading.breakings(definition).values()},
        places={code: place.name for code, place in reading.tree.places.items()},
        persons=called(
            pid, family(reading, definition), {row["person"] for row in rows.rows if row["person"]}, words().language
        ),
        titles=titles_of_forms(session(), pid),
        reads_submissions=reads,
        photos=_photos(pid, [int(row["submission"]) for row in rows.rows]) if reads else {},
    )


_heads: Shared[dict[str, Any]] = Shared("evidence", awaited=True)


def _told(pid: int, reading: Reading, indicator: str, query: dict[str, Any]) -> dict[str, Any]:
    """What stands above the rows, and how many there are in all."""
    count = evidence_for_visitor(reading, indicator, query | {"limit": 1, "cursor": None}).count
    definition = reading.definition(indicator)
    shown = figure(
        reading,
        indicator,
        period=query["period"],
        place=query["place"],
        cells=read_cells(query["cells"]),
        sees_small_cells=sees_small_cells(),
    )
    head = render_template(
        "evidence_head.html",
        project=project_of(pid),
        figure=shown,
        pairs=pairs_behind(reading, shown),
        count=count,
        as_of=reading.as_of,
        ways={way.name: way for way in reading.breakings(definition).values()},
        places={code: place.name for code, place in reading.tree.places.items()},
    )
    return {"head": head, "count": count}


def _photos(pid: int, numbers: list[int]) -> dict[str, list[str]]:
    """The names of the first photos of each visit: whoever looks at one is noted as on the page of the visit."""
    shown = {}
    for number, files in files_here(session(), pid, numbers).items():
        pictures = [one.name for one in files if is_picture(one.name, one.type)]
        if pictures:
            shown[str(number)] = pictures[:_MOST_PHOTOS]
    return shown
