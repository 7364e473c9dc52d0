"""Figures as tables to take along: all indicators as CSV, and one by place and period on a page and as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from server.answers import disposition
from server.api.figures import known_indicator, sees_small_cells
from server.guards import needs
from server.pages.asked import last_periods, level_below, said_of
from server.pages.figures.indicators import Asked, asked_for
from server.words import words
from sync.exports.cells import Cell, csv_pieces
from sync.indicators.figures import Figure, figures

bp = Blueprint("table_pages", __name__)

_HEADER = (
    *("indicator", "label", "unit", "period", "place", "place_name"),
    *("value", "low", "high", "n", "target", "hidden"),
)


@bp.get("/projects/<int:pid>/indicators.csv")
@needs("figures.read")
def all_indicators(pid: int) -> ResponseReturnValue:
    """Each indicator over the last periods in the chosen place, and in the chosen period in each place just inside."""
    asked = asked_for(pid)
    names = [one.name for one in asked.reading.definitions.values() if one.aggregate != "list"]
    before = [period.text for period in last_periods(asked.reading, asked.period) if period.text != asked.period]
    periods = [*before, asked.period]
    whole = [one for period in periods for one in _figures(asked, names, period)]
    return _csv(asked, f"indicators_{asked.period}", [*whole, *_inside(asked, names, asked.period)])


@bp.get("/projects/<int:pid>/indicators/<indicator>/table")
@needs("figures.read")
def by_place_and_period(pid: int, indicator: str) -> ResponseReturnValue:
    """Places as rows, the last periods as columns, the whole below."""
    asked = asked_for(pid)
    definition = known_indicator(asked.reading, indicator)
    periods = last_periods(asked.reading, asked.period)
    found = {(_place_of(one), one.period.text): one for one in _of(asked, indicator)}
    codes = dict.fromkeys(code for code, _ in found if code != asked.place)
    return render_template(
        "indicator_table.html",
        **asked.shown(pid),
        definition=definition,
        columns=[said_of(one) for one in periods],
        rows=[(_called(asked, code), [found.get((code, one.text)) for one in periods]) for code in codes],
        whole=[found.get((asked.place, one.text)) for one in periods],
    )


@bp.get("/projects/<int:pid>/indicators/<indicator>/table.csv")
@needs("figures.read")
def one_as_csv(pid: int, indicator: str) -> ResponseReturnValue:
    """The figures of the table, a line each."""
    asked = asked_for(pid)
    known_indicator(asked.reading, indicator)
    return _csv(asked, f"{indicator}_{asked.period}", _of(asked, indicator))


def _of(asked: Asked, indicator: str) -> list[Figure]:
    periods = [period.text for period in last_periods(asked.reading, asked.period)]
    return [
        one
        for period in periods
        for one in (*_figures(asked, [indicator], period), *_inside(asked, [indicator], period))
    ]


def _figures(asked: Asked, names: Sequence[str], period: str, by: Sequence[str] = ()) -> list[Figure]:
    return figures(
        asked.reading,
        names,
        period=period,
        place=asked.place,
        by=by,
        totals=not by,
        sees_small_cells=sees_small_cells(),
    )


def _inside(asked: Asked, names: Sequence[str], period: str) -> list[Figure]:
    level = level_below(asked.reading, asked.place)
    return _figures(asked, names, period, [f"place:{level}"]) if level is not None else []


def _place_of(one: Figure) -> str | None:
    """The place that a figure is of: that of its cell, if it has one."""
    return next(iter(one.by.values())) if one.by else one.place


def _called(asked: Asked, code: str | None) -> str:
    place = asked.reading.tree.places.get(code or "")
    return place.name if place is not None else code or ""


def _csv(asked: Asked, name: str, found: Iterable[Figure]) -> Response:
    rows = (_line(asked, one) for one in found)
    headers = {"Content-Disposition": disposition(f"{name}.csv")}
    return Response([*csv_pieces(_HEADER, rows, bom=True)], content_type="text/csv; charset=utf-8", headers=headers)


def _line(asked: Asked, one: Figure) -> list[Cell]:
    told, code = one.to_json(), _place_of(one)
    named = told["indicator"], one.definition.label(words().language), told["unit"], told["period"]
    numbers = (told[key] for key in ("value", "low", "high", "n", "target"))
    return [*named, code, _called(asked, code), *numbers, "true" if one.hidden else None]
