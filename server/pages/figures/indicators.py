"""Indicators: all of a project for a period and place, one of them opened, and why it changed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from marshmallow import fields, validate

from server import current
from server.api.figures import ChangesQuery, changes_for_visitor, known_indicator, reading_of, sees_small_cells
from server.api.schemas import text
from server.db import session
from server.door.guards import needs
from server.kept.remembered import Remembered, Shared
from server.language.words import words
from server.pages.asked import (
    FreshQuery,
    as_meant,
    day_of,
    last_periods,
    last_year_told,
    level_below,
    moments_are_meant,
    periods_to_choose,
    places_to_choose,
    said_of,
    today_in,
    without_empty_fields,
)
from server.pages.charts import Bar, Measured, Waterfall, bars, sparkline, waterfall
from server.pages.figures.happened import happened
from server.pages.figures.subjects import cells_called, entities_called, key_called, way_called
from server.pages.figures.way_back import BackQuery, WayBack, way_back
from server.pages.frame import project_of
from server.pages.maps import map_of_places
from server.pages.submissions.answers import label_of
from server.queries.submissions import titles_of_forms
from server.wire.bodies import read_query
from sync.errors import Forbidden, NotFound
from sync.indicators.changes import Changes
from sync.indicators.definitions import Definition, Way
from sync.indicators.doubt import pairs_behind
from sync.indicators.evidence import is_shut
from sync.indicators.figures import Figure, figure, figures, parts_of, read_cells, write_cells
from sync.indicators.issues import last_issues
from sync.indicators.past import Redefined, around, past_of
from sync.indicators.reading import Reading
from sync.models import Form, StatementIssue
from sync.projects.catalogue import Published, published

bp = Blueprint("indicator_pages", __name__)

AGGREGATES = {
    "count": lazy_gettext("counts visits"),
    "distinct": lazy_gettext("counts each one once"),
    "sum": lazy_gettext("adds up"),
    "mean": lazy_gettext("mean"),
    "median": lazy_gettext("median"),
    "min": lazy_gettext("smallest value"),
    "max": lazy_gettext("largest value"),
    "list": lazy_gettext("list"),
    "ratio": lazy_gettext("share of two figures"),
}
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
_NAMED = re.compile(r"\$\{([^}]+)\}")
_ADDING = ("count", "distinct", "sum")
_MOST_ROWS = 100  # of a breakdown
_MOST_FINER = 3  # decimals, so that steps add up
_MOST_AROUND = 8  # changes of a definition of which the figures are worked out
_MOST_ISSUES = 10  # since which somebody may ask why
_A_MONTH = dt.timedelta(days=30)


_PEOPLE_AT_ONCE = 100  # on the page of one event


class WhyQuery(ChangesQuery, BackQuery):
    """Which figure's changes, and where to go back."""


class BecameQuery(WhyQuery):
    """Of one of the events of a figure's changes, who became whom, from which one on."""

    first = fields.Integer(load_default=0, validate=validate.Range(min=0, max=10**9))


class ShownQuery(FreshQuery, BackQuery):
    """Of which time and place, and as of when."""

    period = text(load_default="")
    place = text(load_default="")
    as_of = text(load_default="")


@dataclass(frozen=True, slots=True)
class Row:
    """A figure with the bar that stands beside it, and what is said of it."""

    figure: Figure
    bar: Bar
    said: str = ""
    place: str | None = None  # to go down into
    cells: str = ""  # of which the visits can be looked at
    period: str = ""  # to go to


@bp.get("/projects/<int:pid>/indicators")
@needs("figures.read")
def indicators(pid: int) -> ResponseReturnValue:
    """All indicators, by the form that feeds them; the figures of each form are a part of their own."""
    asked = asked_for(pid)
    titles = titles_of_forms(session(), pid)
    groups: dict[str, list[Definition]] = {}
    for definition in asked.reading.definitions.values():
        groups.setdefault(_form_of(definition), []).append(definition)
    named = sorted(groups.items(), key=lambda group: titles.get(group[0], group[0]).casefold())
    return render_template("indicators.html", **asked.shown(pid), groups=named, titles=titles)


@bp.get("/projects/<int:pid>/indicators/of/<form>")
@needs("figures.read")
def of_form(pid: int, form: str) -> ResponseReturnValue:
    """The figures of the indicators that a form feeds: value, range, target."""
    asked = asked_for(pid)
    names = [one.name for one in asked.reading.definitions.values() if _form_of(one) == form]
    if not names:
        raise NotFound

    def shown() -> str:
        found = figures(
            asked.reading, names, period=asked.period, place=asked.place, sees_small_cells=sees_small_cells()
        )
        rows = [Row(one, _bar_alone(one)) for one in found]
        return render_template("indicators_of.html", **asked.shown(pid), rows=rows, aggregates=AGGREGATES)

    part = kept_part(pid, asked, ("of", form), shown)
    if _is_part():
        return part
    title = titles_of_forms(session(), pid).get(form, form)
    return render_template("indicators_of_alone.html", **asked.shown(pid), part=part, title=title)


@bp.get("/projects/<int:pid>/indicators/<indicator>/line")
@needs("figures.read")
def line(pid: int, indicator: str) -> ResponseReturnValue:
    """The small chart of an indicator's last periods, which a page asks for when it can be seen."""
    asked = asked_for(pid)
    known_indicator(asked.reading, indicator)

    def shown() -> str:
        lines = sparkline([one.value for one in _history(asked, indicator)])
        return render_template("indicator_line.html", lines=lines)

    # It stands in a cell of a table, where there is no room to say that it is older.
    return kept_part(pid, asked, ("line", indicator), shown, exactly=True)


@bp.get("/projects/<int:pid>/indicators/<indicator>")
@needs("figures.read")
def one_indicator(pid: int, indicator: str) -> ResponseReturnValue:
    """An indicator opened: its value and what it means; what it is made of is a part of its own."""
    asked = asked_for(pid)
    definition = known_indicator(asked.reading, indicator)

    def head() -> str:
        shown = _whole(asked, indicator)
        return render_template(
            "indicator_head.html",
            **asked.shown(pid),
            definition=definition,
            figure=shown,
            pairs=pairs_behind(asked.reading, shown),
            parts=parts_of(asked.reading, shown, sees_small_cells=sees_small_cells()),
            shut=is_shut(asked.reading, definition, sees_small_cells()),
        )

    kind = "head", indicator, *asked.kind, words().locale, sees_small_cells()
    return render_template(
        "indicator.html",
        **asked.shown(pid),
        definition=definition,
        head=_parts.get(session(), pid, kind, head, event=asked.reading.as_of.event),
        aggregates=AGGREGATES,
        parts=asked.reading.parts(definition) if definition.aggregate == "ratio" else (),
        lists=definition.subject_lists or (),
        asked_by_label=lambda form_id, expression: _by_label(pid, form_id, expression),
        titles=titles_of_forms(session(), pid),
        way_up=list(asked.reading.tree.upwards(asked.place))[1:],
    )


@bp.get("/projects/<int:pid>/indicators/<indicator>/cells")
@needs("figures.read")
def cells(pid: int, indicator: str) -> ResponseReturnValue:
    """What an indicator is made of: by breakdown, place and period."""
    asked = asked_for(pid)
    definition = known_indicator(asked.reading, indicator)
    is_list = definition.aggregate == "list"

    def shown() -> str:
        ways = {} if is_list else asked.reading.breakings(definition)
        parts = [(way, _by_key(pid, asked, indicator, way)) for way in ways.values()]
        whole = _whole(asked, indicator) if parts and definition.aggregate in _ADDING else None
        history = [] if is_list else _history(asked, indicator)
        begun = from_the_first(history)
        by_place = [] if is_list else _by_place(asked, indicator)
        return render_template(
            "indicator_cells.html",
            **asked.shown(pid),
            definition=definition,
            history=[
                replace(row, period=row.figure.period.text) for row in _rows(begun, lambda one: said_of(one.period))
            ],
            empty=len(history) - len(begun),
            breakdowns=[(way_called(way), rows, _overlap(rows, whole)) for way, rows in parts],
            by_place=by_place,
            map=map_of_places(
                asked.reading.tree,
                [
                    (row.place, float(row.figure.value or 0), words().figure(row.figure))
                    for row in by_place
                    if not row.figure.hidden
                ],
            ),
        )

    part = kept_part(pid, asked, ("cells", indicator), shown)
    if _is_part():
        return part
    return render_template("indicator_cells_alone.html", **asked.shown(pid), part=part, definition=definition)


@bp.get("/projects/<int:pid>/indicators/<indicator>/past")
@needs("figures.read")
def past(pid: int, indicator: str) -> ResponseReturnValue:
    """How its definition has changed, with the figure around each of the last changes."""
    asked = asked_for(pid)
    definition = known_indicator(asked.reading, indicator)

    def told() -> list[tuple[Redefined, tuple[Figure, Figure] | None]]:
        small = sees_small_cells()
        return [
            (
                change,
                around(asked.reading, indicator, change, period=asked.period, place=asked.place, sees_small_cells=small)
                if position < _MOST_AROUND
                else None,
            )
            for position, change in enumerate(past_of(asked.reading, indicator))
        ]

    what = (indicator, asked.period, asked.place, asked.reading.as_of.event, asked.reading.as_of.at, sees_small_cells())
    return render_template(
        "indicator_past.html",
        **asked.shown(pid),
        definition=definition,
        changes=_pasts.get(session(), pid, what, told),
        titles=titles_of_forms(session(), pid),
    )


_pasts: Remembered[list[tuple[Redefined, tuple[Figure, Figure] | None]]] = Remembered()


@bp.get("/projects/<int:pid>/indicators/<indicator>/changes")
@needs("figures.read")
def why(pid: int, indicator: str) -> ResponseReturnValue:
    """Why a figure is not what it was: a waterfall of causes between two moments."""
    if (filled := without_empty_fields()) is not None:
        return filled
    query = read_query(WhyQuery())
    until = query["to"] or query["as_of"] or ""
    after = reading_of(pid, until or None)
    definition, issues = known_indicator(after, indicator), last_issues(session(), pid, _MOST_ISSUES)
    since = request.args.get("from") or _last_told(after, issues)
    before = reading_of(pid, since)
    if "from" not in request.args and before.as_of.event > after.as_of.event:
        since, before = "0", reading_of(pid, "0")
    came_from = way_back(pid, query["back"])
    asked = Asked(after, query["period"], after.place(query["place"]), until, came_from=came_from)
    told, refused = None, None
    try:
        told = _changes(pid, indicator, before, after, query | {"limit": 50})
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
    before, after = reading_of(pid, query["since"]), reading_of(pid, until or None)
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page on figures was asked for."""

    reading: Reading
    period: str
    place: str | None
    as_of: str
    fresh: bool = True
    came_from: WayBack | None = None

    @property
    def back(self) -> str:
        return self.came_from.given if self.came_from is not None else ""

    @property
    def kind(self) -> tuple[object, ...]:
        """What tells it from whatever else is asked of an indicator."""
        # Of the past less is known than was known at the time: on how many open pairs a figure hangs.
        past = (self.reading.as_of.event, self.reading.is_current) if self.as_of else None
        return self.period, self.place, self.as_of, past, self.back

    def shown(self, pid: int) -> dict[str, Any]:
        """For the form with which something else is asked for, and the links that keep it."""
        kept = {"period": self.period, "place": self.place or "", "as_of": self.as_of, "back": self.back}
        return {
            "project": project_of(pid),
            "asked": self,
            "kept": {name: value for name, value in kept.items() if value},
            "periods": periods_to_choose(self.reading, self.period),
            "places": places_to_choose(self.reading, self.place),
            "place_said": self.reading.tree.places[self.place].name if self.place else "",
            "period_said": said_of(self.reading.period(self.period)),
            "moment": self.reading.as_of,
            "day": day_of(self.reading, self.as_of),
            "came_from": self.came_from,
            "reads_submissions": current.has_right("submissions.read"),
        }


def asked_for(pid: int) -> Asked:
    """What the address asks for, of the last fiscal year that is over where it names no period."""
    if moments_are_meant():
        abort(as_meant())
    query = read_query(ShownQuery())
    reading = reading_of(pid, query["as_of"] or None)
    period = query["period"] or f"FY{last_year_told(reading)}"
    reading.period(period)
    came_from = way_back(pid, query["back"])
    return Asked(reading, period, reading.place(query["place"] or None), query["as_of"], query["fresh"], came_from)


def _last_told(reading: Reading, issues: Sequence[StatementIssue]) -> str:
    """The last of the issues before the reading, else a month before it: from where on most people ask why."""
    issued = next((one for one in issues if one.as_of < reading.as_of.event), None)
    return str(issued.as_of) if issued else (day_of(reading) - _A_MONTH).isoformat()


def _bar_alone(one: Figure) -> Bar:
    """On a scale of its own."""
    (bar,) = bars([Measured(one.value, one.low, one.high, one.target)])
    return bar


def _by_label(pid: int, form_id: str, expression: str) -> str:
    """An expression with the questions called as collectors see them."""
    known = session().get(Form, (pid, form_id))
    found = published(session(), pid, form_id, known.version) if known is not None else None
    if not isinstance(found, Published):
        return expression
    paths = {path.rpartition("/")[2]: path for path in found.form.fields}

    def called(name: re.Match[str]) -> str:
        path = paths.get(name[1].strip())
        return words().quoted(label_of(found.form, path, words().language)) if path else name[0]

    return _NAMED.sub(called, expression)


def _form_of(definition: Definition) -> str:
    """The form under which an indicator is listed; a share under none."""
    return min(definition.parts, default="-")


def _is_part() -> bool:
    """Whether a page that stands already asks; else the part is to have a page of its own around it."""
    return "HX-Request" in request.headers


def kept_part(
    pid: int, asked: Asked, what: tuple[object, ...], shown: Callable[[], str], *, exactly: bool = False
) -> str:
    """A part of a page that takes long to work out, as this visitor may see it, until the project changes."""
    kind = (*what, *asked.kind, words().locale, sees_small_cells(), today_in(asked.reading))
    if exactly:
        return _parts.get(session(), pid, kind, shown, event=asked.reading.as_of.event)
    told = _parts.recall(session(), pid, kind, shown, fresh=asked.fresh, event=asked.reading.as_of.event)
    if not told.behind:
        return told.worked
    address = f"{request.path}?{urlencode(request.args.to_dict() | {'fresh': 'yes'})}"
    return render_template("told.html", project=project_of(pid), told=told, address=address)


_parts: Shared[str] = Shared("indicators", awaited=True)


def _whole(asked: Asked, indicator: str) -> Figure:
    return figure(asked.reading, indicator, period=asked.period, place=asked.place, sees_small_cells=sees_small_cells())


def _history(asked: Asked, indicator: str) -> list[Figure]:
    """The figure of the last periods of the chosen kind."""
    return [
        figure(asked.reading, indicator, period=period.text, place=asked.place, sees_small_cells=sees_small_cells())
        for period in last_periods(asked.reading, asked.period)
    ]


def from_the_first(history: Sequence[Figure]) -> Sequence[Figure]:
    """Without the periods before the first one in which there is anything; nothing where there is none."""
    begun = (position for position, one in enumerate(history) if one.hidden or one.value or one.n)
    return history[next(begun, len(history)) :]


def _overlap(rows: Sequence[Row], whole: Figure | None) -> bool:
    """Whether somebody reads more out of the rows than there is: one person stands in each age that visits gave her.
    Of rows that nobody adds up there is no whole."""
    return whole is not None and sum(row.figure.value or 0 for row in rows) > (whole.value or 0)


def _cells(asked: Asked, indicator: str, by: str) -> list[Figure]:
    return figures(
        asked.reading,
        [indicator],
        period=asked.period,
        place=asked.place,
        by=[by],
        totals=False,
        sees_small_cells=sees_small_cells(),
    )[:_MOST_ROWS]


def _by_key(pid: int, asked: Asked, indicator: str, way: Way) -> list[Row]:
    found = _cells(asked, indicator, way.name)
    entities = entities_called(pid, [one.by[way.name] for one in found])
    rows = _rows(found, lambda one: key_called(way, one.by[way.name], entities))
    return [row if row.figure.hidden else replace(row, cells=write_cells(row.figure.by)) for row in rows]


def _by_place(asked: Asked, indicator: str) -> list[Row]:
    level = level_below(asked.reading, asked.place)
    if level is None:
        return []
    found = _cells(asked, indicator, f"place:{level}")
    places = asked.reading.tree.places

    def name(one: Figure) -> str:
        code = next(iter(one.by.values()), None)
        return places[code].name if code in places else code or ""

    rows = _rows(found, name)
    return [
        Row(
            row.figure,
            row.bar,
            row.said,
            code if (code := next(iter(row.figure.by.values()), None)) in places else None,
        )
        for row in rows
    ]


def _rows(found: Sequence[Figure], said: Callable[[Figure], str]) -> list[Row]:
    drawn = bars([Measured(one.value, one.low, one.high, one.target) for one in found])
    return [Row(one, bar, said(one)) for one, bar in zip(found, drawn, strict=True)]


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
