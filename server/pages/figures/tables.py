"""Figures as tables to take along, as CSV and for a spreadsheet: of all indicators, and of one by place and period."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import current
from server.api.figures import known_indicator, sees_small_cells
from server.door.guards import needs
from server.language.words import words
from server.pages.asked import last_periods, level_below, said_of
from server.pages.figures.asking import Asked, asked_for, from_the_first, kept_part
from server.pages.figures.subjects import cells_called
from server.wire.answers import disposition
from sync.exports import sheet
from sync.exports.cells import Cell, csv_pieces
from sync.indicators.amounts import json_number
from sync.indicators.figures import Figure, figure, figures, parts_of, write_cells
from sync.indicators.reading import PLACE
from sync.indicators.wording import decimals_beside_target, figure_words

bp = Blueprint("table_pages", __name__)

_HEADER = (
    *("indicator", "label", "unit", "period", "place", "place_name"),
    *("value", "low", "high", "n", "target", "hidden", "whole"),
)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@bp.get("/projects/<int:pid>/indicators.csv")
@needs("figures.read")
def all_indicators(pid: int) -> ResponseReturnValue:
    """Each indicator over the last periods in the chosen place, and in the chosen period in each place just inside."""
    asked = asked_for(pid)
    return _csv(pid, asked, "indicators", lambda: _of_all(asked))


@bp.get("/projects/<int:pid>/indicators.xlsx")
@needs("figures.read")
def all_as_workbook(pid: int) -> ResponseReturnValue:
    """The same for a spreadsheet, and in the chosen period and place each breakdown."""
    asked = asked_for(pid)

    def found() -> list[Figure]:
        return sorted([*_of_all(asked), *_broken(asked, _names(asked))], key=lambda one: one.definition.name)

    return _workbook(pid, asked, "indicators", found)


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


@bp.get("/projects/<int:pid>/indicators/<indicator>/table.xlsx")
@needs("figures.read")
def one_as_workbook(pid: int, indicator: str) -> ResponseReturnValue:
    """The figures of the table for a spreadsheet, and in the chosen period and place each breakdown."""
    asked = asked_for(pid)
    known_indicator(asked.reading, indicator)
    return _workbook(pid, asked, indicator, lambda: [*_of(asked, indicator), *_broken(asked, [indicator])])


def _names(asked: Asked) -> list[str]:
    return [one.name for one in asked.reading.definitions.values() if one.aggregate != "list"]


def _of_all(asked: Asked) -> list[Figure]:
    before = [period.text for period in last_periods(asked.reading, asked.period) if period.text != asked.period]
    whole = [one for period in (*before, asked.period) for one in _figures(asked, _names(asked), period)]
    return [*whole, *_inside(asked, _names(asked), asked.period)]


def _broken(asked: Asked, names: Sequence[str]) -> list[Figure]:
    """By each breakdown."""
    reading = asked.reading
    return [
        one
        for name in names
        for way in reading.breakings(reading.definition(name))
        for one in _figures(asked, [name], asked.period, [way])
    ]


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


def _workbook(pid: int, asked: Asked, name: str, found: Callable[[], Iterable[Figure]]) -> Response:
    header = [
        *(gettext("Indicator"), gettext("Unit"), gettext("Period"), gettext("Place")),
        *(gettext("Breakdown"), gettext("Group")),
        *(gettext("Value"), gettext("At least"), gettext("At most"), gettext("Target")),
        *(gettext("Numerator"), gettext("Denominator"), gettext("Contributions")),
        *(gettext("As of"), gettext("Visits")),
    ]

    def written() -> str:
        # Of other periods than the chosen one what is empty says nothing.
        rows = (
            _row(pid, asked, one)
            for one in found()
            if one.n or one.hidden or one.target is not None or one.period.text == asked.period
        )
        return b64encode(sheet.write_sheet(gettext("Figures"), header, rows)).decode()

    what = ("xlsx", request.endpoint, name, current.public_address())
    file = b64decode(kept_part(pid, asked, what, written, exactly=True))
    headers = {"Content-Disposition": disposition(f"{name}_{asked.period}.xlsx")}
    return Response(file, content_type=_XLSX, headers=headers)


def _row(pid: int, asked: Asked, one: Figure) -> list[sheet.Cell]:
    reading, language = asked.reading, words().language
    cells, place = one.by, _called(asked, one.place) or gettext("everywhere")
    if any(name.startswith(PLACE) for name in cells):  # what is in no place just inside
        cells, place = {}, gettext("no known place")
    breakdown, group = next(iter(cells_called(pid, reading, one.definition, cells)), (None, None))
    parts = parts_of(reading, one, sees_small_cells=sees_small_cells()) or (None, None)
    ranged = one.low != one.high
    return [
        *(one.definition.label(language), one.definition.row.unit or None),
        *(said_of(one.period) or gettext("all time"), place, breakdown, group),
        figure_words(one, language) if one.hidden or one.items is not None else _number(one, one.value),
        *(_number(one, bound) if ranged else None for bound in (one.low, one.high)),
        _number(one, one.target),
        *(_number(part, part.value) if part is not None else None for part in parts),
        sheet.Number(one.n) if one.n is not None else None,
        reading.as_of.at.astimezone(ZoneInfo(reading.settings["time_zone"])).replace(tzinfo=None, microsecond=0),
        sheet.Link(gettext("Show"), _evidence_of(pid, asked, one)),
    ]


def _number(one: Figure, amount: Fraction | None) -> sheet.Number | None:
    number = json_number(amount)
    if number is None:
        return None
    return sheet.Number(number, decimals_beside_target(one), percent=one.definition.row.unit == "%")


def _evidence_of(pid: int, asked: Asked, one: Figure) -> str:
    """The page of the visits behind a figure, as of the moment of the table."""
    page = url_for("figure_pages.evidence", pid=pid, indicator=one.definition.name)
    which = {"period": one.period.text, "place": one.place, "is": write_cells(one.by)}
    kept = {name: value for name, value in which.items() if value}
    return f"{current.public_address()}{page}?{urlencode({**kept, 'as_of': asked.reading.as_of.event})}"
