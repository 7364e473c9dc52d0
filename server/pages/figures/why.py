"""Why a figure is not what it was: the causes between two moments, and who became whom by one event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import floor
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from marshmallow import fields, validate

from server.api.figures import (
    ChangesQuery,
    changes_for_visitor,
    known_indicator,
    reading_of,
    reading_until,
    sees_small_cells,
)
from server.db import session
from server.door.guards import needs
from server.kept.remembered import Remembered
from server.pages.asked import (
    day_of,
    today_in,
    without_empty_fields,
)
from server.pages.charts import Waterfall, waterfall
from server.pages.figures.asking import Asked
from server.pages.figures.happened import happened
from server.pages.figures.subjects import cells_called
from server.pages.figures.way_back import BackQuery, way_back
from server.wire.bodies import read_query
from sync.errors import Forbidden
from sync.indicators.changes import Changes
from sync.indicators.definitions import Definition
from sync.indicators.figures import read_cells
from sync.indicators.reading import Reading
from sync.models import StatementIssue
from sync.statements.issues import last_issues

bp = Blueprint("why_pages", __name__)

CAUSES = {
    "submitted": lazy_gettext("Visits that arrived"),
    "edited": lazy_gettext("Visits that were corrected"),
    "rejected": lazy_gettext("Visits that were rejected or deleted"),
    "restored": lazy_gettext("Visits that were approved or taken back in"),
    "merged": lazy_gettext("Records found to be one person"),
    "unmerged": lazy_gettext("Records found to be two people"),
    "rejoined": lazy_gettext("“Two people” undone"),
    "parted": lazy_gettext("“One person” undone"),
    "trained": lazy_gettext("What makes two records alike, learned anew"),
    "definition": lazy_gettext("Changed definitions, places, lists or settings"),
}
_MOST_FINER = 3  # decimals, so that steps add up
_MOST_ISSUES = 10  # since which somebody may ask why
_MOST_TRIED = 2  # of them, where nothing changed since the last
_A_MONTH = dt.timedelta(days=30)
_PEOPLE_AT_ONCE = 100  # on the page of one event


class WhyQuery(ChangesQuery, BackQuery):
    """Which figure's changes, and where to go back."""


class BecameQuery(WhyQuery):
    """Of one of the events of a figure's changes, who became whom, from which one on."""

    first = fields.Integer(load_default=0, validate=validate.Range(min=0, max=10**9))


@bp.get("/projects/<int:pid>/indicators/<indicator>/changes")
@needs("figures.read")
def why(pid: int, indicator: str) -> ResponseReturnValue:
    """Why a figure is not what it was: a waterfall of causes between two moments."""
    if (filled := without_empty_fields()) is not None:
        return filled
    query = read_query(WhyQuery())
    until = query["to"] or query["as_of"] or ""
    after = reading_until(pid, query)
    definition, issues = known_indicator(after, indicator), last_issues(session(), pid, _MOST_ISSUES)
    asked_from = request.args.get("from")
    beginnings = (
        iter([(asked_from, reading_of(pid, asked_from, "from"))]) if asked_from else _beginnings(pid, after, issues)
    )
    since, before = next(beginnings)
    came_from = way_back(pid, query["back"])
    asked = Asked(after, query["period"], after.place(query["place"]), until, came_from=came_from)
    told, refused = None, None
    try:
        told = _changes(pid, indicator, before, after, query | {"limit": 50})
        for one in beginnings if not told.causes else ():
            if (earlier := _changes(pid, indicator, one[1], after, query | {"limit": 50})).causes:
                told, (since, before) = earlier, one
                break
    except Forbidden as refusal:
        refused = refusal.detail
    return render_template(
        "indicator_why.html",
        **asked.shown(pid),
        definition=definition,
        told=told,
        refused=refused,
        chart=_waterfall(told) if told else None,
        finer=_finer(told, definition) if told else 0,
        causes=CAUSES,
        happened=happened(pid, told) if told else [],
        since=since,
        days=(day_of(before, since), day_of(after, until) if until else today_in(after)),
        cells=query["cells"],
        cells_called=cells_called(pid, after, definition, read_cells(query["cells"])),
        only=query["cause"],
        issues=issues,
    )


@bp.get("/projects/<int:pid>/indicators/<indicator>/changes/<int:event>")
@needs("people.decide")
def became(pid: int, indicator: str, event: int) -> ResponseReturnValue:
    """All who turned out to be whom by one event that has a part in why a figure changed, a page at a time."""
    query = read_query(BecameQuery())
    until = query["to"] or query["as_of"] or ""
    before, after = reading_of(pid, query["since"], "from"), reading_until(pid, query)
    definition = known_indicator(after, indicator)
    asked = Asked(after, query["period"], after.place(query["place"]), until, came_from=way_back(pid, query["back"]))
    told = _changes(pid, indicator, before, after, query | {"cursor": str(max(0, event - 1)), "limit": 1})
    listed = happened(pid, told, query["first"], _PEOPLE_AT_ONCE)
    if not listed or listed[0][1][0]["event"] != event:
        abort(404)
    [(cause, [one])] = listed
    return render_template(
        "indicator_became.html",
        **asked.shown(pid),
        definition=definition,
        cause=CAUSES[cause],
        one=one,
        count=query["first"] + len(one["people"]) + one["others"],
        asked_again={name: value for name, value in request.args.items() if name != "first"},
        following=query["first"] + _PEOPLE_AT_ONCE if one["others"] else None,
    )


def _changes(pid: int, indicator: str, before: Reading, after: Reading, query: dict[str, Any]) -> Changes:
    between = before.as_of.event, after.as_of.event, query["period"], query["place"], query["cells"]
    return _told.get(
        session(),
        pid,
        (indicator, *between, query["cause"], query["cursor"], query["limit"], sees_small_cells()),
        lambda: changes_for_visitor(before, after, indicator, query, finer=True),
        event=after.as_of.event,
    )


# Drawn anew each time: places and forms are called by their names of today.
_told: Remembered[Changes] = Remembered("changes", awaited=True)


def _beginnings(pid: int, reading: Reading, issues: Sequence[StatementIssue]) -> Iterator[tuple[str, Reading]]:
    """From where on most people ask why, each looked up only where nothing has changed since the one before: the last
    issues before the reading, then a month before it; all time, where that is before there was anything."""
    issued = dict.fromkeys(str(one.as_of) for one in issues if one.as_of < reading.as_of.event)
    a_month_ago = (day_of(reading) - _A_MONTH).isoformat()
    none = True
    for since in (*[*issued][:_MOST_TRIED], a_month_ago):
        before = reading_of(pid, since)
        if before.as_of.event <= reading.as_of.event:
            none = False
            yield since, before
    if none:
        yield "0", reading_of(pid, "0")


def _finer(told: Changes, definition: Definition) -> int:
    """How many more decimals than usual it takes for what is shown to add up to the eye."""
    numbers = [told.before or 0, *(cause.effect or 0 for cause in told.causes)]
    for finer in range(_MOST_FINER):
        unit = 10 ** (definition.row.decimals_shown + finer) * (100 if definition.row.unit == "%" else 1)
        if sum(_rounded(number * unit) for number in numbers) == _rounded((told.after or 0) * unit):
            return finer
    return _MOST_FINER


def _rounded(number: Fraction | int) -> int:
    return floor(number + Fraction(1, 2))


def _waterfall(told: Changes) -> Waterfall | None:
    """From nought where there was no figure; None of what has no number at all, as a list of milestones."""
    effects = [cause.effect for cause in told.causes]
    if told.before is None and told.after is None and not any(effects):
        return None
    return waterfall(told.before or 0, [effect or 0 for effect in effects], told.after or 0)
