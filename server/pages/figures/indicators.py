"""Indicators: all of a project for a period and place, and one of them opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from server.api.figures import known_indicator, sees_small_cells
from server.db import session
from server.door.guards import needs
from server.kept.remembered import Remembered
from server.language.words import words
from server.pages.asked import (
    last_periods,
    level_below,
    said_of,
)
from server.pages.charts import Bar, Measured, bars, sparkline
from server.pages.figures.asking import Asked, asked_for, from_the_first, kept_part
from server.pages.figures.subjects import entities_called, key_called, way_called
from server.pages.maps import map_of_places
from server.pages.submissions.answers import label_of
from server.queries.submissions import moments_of, titles_of_forms
from sync.errors import NotFound
from sync.indicators.definitions import Definition, Way
from sync.indicators.doubt import pairs_behind
from sync.indicators.evidence import is_shut
from sync.indicators.figures import Figure, figure, figures, parts_of, write_cells
from sync.indicators.past import Redefined, around, past_of
from sync.models import Form
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
_NAMED = re.compile(r"\$\{([^}]+)\}")
_ADDING = ("count", "distinct", "sum")
_MOST_ROWS = 100  # of a breakdown
_MOST_AROUND = 8  # changes of a definition of which the figures are worked out


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

    return render_template(
        "indicator.html",
        **asked.shown(pid),
        definition=definition,
        since=moments_of(session(), pid, [definition.opened]).get(definition.opened),
        head=kept_part(pid, asked, ("head", indicator), head, exactly=True),
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


def _whole(asked: Asked, indicator: str) -> Figure:
    return figure(asked.reading, indicator, period=asked.period, place=asked.place, sees_small_cells=sees_small_cells())


def _history(asked: Asked, indicator: str) -> list[Figure]:
    """The figure of the last periods of the chosen kind."""
    return [
        figure(asked.reading, indicator, period=period.text, place=asked.place, sees_small_cells=sees_small_cells())
        for period in last_periods(asked.reading, asked.period)
    ]


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
