"""Figures as tables to take along: all indicators as CSV, and one by place and period on a page and as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from server.answers import disposition
from server.api.figures import known_indicator, sees_small_cells
from server.guards import needs
from server.pages.asked import last_periods, level_below, said_of
from server.pages.figures.indicators import Asked, asked_for, from_the_first, kept_part
from server.words import words
from sync.exports.cells import Cell, csv_pieces
from sync.indicators.figures import Figure, figure, figures

bp = Blueprint("table_pages", __name__)

_HEADER = (
    *("indicator", "label", "unit", "period", "place", "place_name"),
    *("value", "low", "high", "n", "target", "hidden", "whole"),
)


@bp.get("/projects/<int:pid>/indicators.csv")
@needs("figures.read")
def all_indicators(pid: int) -> ResponseReturnValue:
    """Each indicator over the last periods in the chosen place, and in the chosen period in each place just inside."""
    asked = asked_for(pid)
    names = [one.name for one in asked.reading.definitions.values() if one.aggregate != "list"]
    before = [period.text for period in last_periods(asked.reading, asked.period) if period.text != asked.period]
    periods = [*before, asked.period]

    def found() -> list[Figure]:
        whole = [one for period in periods for one in _figures(asked, names, period)]
        return [*whole, *_inside(asked, names, asked.period)]

    return _csv(pid, asked, "indicators", found)


@bp.get("/projects/<int:pid>/indicators/<indicator>/table")
@needs("figures.read")
def by_place_and_period(pid: int, indicator: str) -> ResponseReturnValue:
    """Places as rows, the last periods as columns, the whole below."""
    asked = asked_for(pid)
    definition = known_indicator(asked.reading, indicator)

    def shown() -> str:
        found = {(_is_whole(asked, one), _place_of(one), one.period.text): one for one in _of(asked, indicator)}
        asked_of = last_periods(asked.reading, asked.period)
        told = [found[key] for one in asked_of if (key := (True, asked.place, one.text)) in found]
        whole = from_the_first(told) or told[-1:]
        periods = [one.period for one in whole]
        codes = dict.fromkeys(code for whole, code, _ in found if not whole)
        return render_template(
            "indicator_table_of.html",
            **asked.shown(pid),
            columns=[said_of(one) for one in periods],
            rows=[(_called(asked, code), [found.get((False, code, one.text)) for one in periods]) for code in codes],
            whole=whole,
        )

    part = kept_part(pid, asked, ("table", indicator), shown)
    return render_template("indicator_table.html", **asked.shown(pid), definition=definition, part=part)


@bp.get("/projects/<int:pid>/indicators/<indicator>/table.csv")
@needs("figures.read")
def one_as_csv(pid: int, indicator: str) -> ResponseReturnValue:
    """The figures of the table, a line each."""
    asked = asked_for(pid)
    known_indicator(asked.reading, indicator)
    return _csv(pid, asked, indicator, lambda: _of(asked, indicator))


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
    """Of each place just inside, as it is asked for by itself, with its targets; then what is in no such place."""
    level = level_below(asked.reading, asked.place)
    if level is None:
        return []
    way = f"place:{level}"
    return [one for name in names for one in _of_level(asked, name, period, way, _planned_in(asked, name, level))]


def _of_level(asked: Asked, name: str, period: str, way: str, planned: Iterable[str]) -> Iterator[Figure]:
    cells = _figures(asked, [name], period, [way])
    there = {code for one in cells if (code := one.by[way]) is not None}
    for code in sorted({*there, *planned}):
        found = figure(asked.reading, name, period=period, place=code, sees_small_cells=sees_small_cells())
        if code in there or found.target is not None:
            yield found
    yield from (one for one in cells if one.by[way] is None)


def _planned_in(asked: Asked, name: str, level: str) -> list[str]:
    """The places of a level with targets, in which nothing need have happened."""
    tree = asked.reading.tree
    codes = [tree.code_of(one.place) for one in asked.reading.targets if one.indicator == name]
    return [
        code
        for code in codes
        if code is not None
        and tree.places[code].level == level
        and (asked.place is None or asked.place in tree.way_to(code))
    ]


def _is_whole(asked: Asked, one: Figure) -> bool:
    return not one.by and one.place == asked.place


def _place_of(one: Figure) -> str | None:
    """The place that a figure is of; None of what is in no known place just inside."""
    return None if one.by else one.place


def _called(asked: Asked, code: str | None) -> str:
    place = asked.reading.tree.places.get(code or "")
    return place.name if place is not None else code or ""


def _csv(pid: int, asked: Asked, name: str, found: Callable[[], Iterable[Figure]]) -> Response:
    def written() -> str:
        rows = (_line(asked, one) for one in found())
        return b"".join(csv_pieces(_HEADER, rows, bom=True)).decode()

    file = kept_part(pid, asked, ("csv", request.endpoint, name), written, exactly=True)
    headers = {"Content-Disposition": disposition(f"{name}_{asked.period}.csv")}
    return Response(file, content_type="text/csv; charset=utf-8", headers=headers)


def _line(asked: Asked, one: Figure) -> list[Cell]:
    told, code = one.to_json(), _place_of(one)
    named = told["indicator"], one.definition.label(words().language), told["unit"], told["period"]
    numbers = (told[key] for key in ("value", "low", "high", "n", "target"))
    said = ("true" if so else None for so in (one.hidden, _is_whole(asked, one)))
    return [*named, code, _called(asked, code), *numbers, *said]
