"""How the definition of an indicator has changed: what its workbooks said, column by column, before and after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from sync.indicators.figures import Figure, figure
from sync.indicators.moments import AsOf
from sync.indicators.reading import Reading
from sync.models.indicators import Indicator, IndicatorVersion
from sync.models.projects import Event

_MOST = 50
# What a workbook's sheet calls otherwise than it is kept; labels and descriptions have a column for each language.
_COLUMNS = {"labels": "label", "descriptions": "description"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of the sheet in which two versions differ; `form` is empty for what all forms say alike."""

    form: str
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Redefined:
    """One change. `cells` is empty for the first definition, or where the indicator was gone for a while."""

    event: int
    at: dt.datetime | None
    cells: Sequence[Cell]
    is_first: bool


def past_of(reading: Reading, name: str) -> list[Redefined]:
    """The changes up to the reading, the newest first."""
    query = (
        select(IndicatorVersion.opened, IndicatorVersion.definition, Event.at)
        .join(
            Indicator,
            (Indicator.project_id == IndicatorVersion.project_id) & (Indicator.id == IndicatorVersion.indicator_id),
        )
        .outerjoin(Event, (Event.project_id == IndicatorVersion.project_id) & (Event.number == IndicatorVersion.opened))
        .where(
            IndicatorVersion.project_id == reading.project_id,
            Indicator.name == name,
            IndicatorVersion.opened <= reading.as_of.event,
        )
        .order_by(IndicatorVersion.opened.desc())
        .limit(_MOST + 1)
    )
    rows = reading.session.execute(query).all()
    found = []
    for position, (opened, definition, at) in enumerate(rows[:_MOST]):
        earlier = rows[position + 1].definition if position + 1 < len(rows) else None
        found.append(Redefined(opened, at, _differing(earlier, definition) if earlier else [], earlier is None))
    return found


def around(
    reading: Reading, name: str, change: Redefined, *, period: str, place: str | None, sees_small_cells: bool
) -> tuple[Figure, Figure] | None:
    """The figure just before a change and just after it; None for the first definition, or where either is missing."""
    if change.is_first or change.at is None:
        return None
    figures = []
    for event in (change.event - 1, change.event):
        then = Reading(reading.session, reading.project_id, AsOf(event, change.at))
        if name not in then.definitions or (place is not None and place not in then.tree.places):
            return None
        figures.append(figure(then, name, period=period, place=place, sees_small_cells=sees_small_cells))
    return figures[0], figures[1]


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Cell]:
    was, became = _cells_of(before), _cells_of(after)
    return [
        Cell(form, column, was.get((form, column), ""), became.get((form, column), ""))
        for form, column in sorted({*was, *became})
        if was.get((form, column), "") != became.get((form, column), "")
    ]


def _cells_of(definition: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """By form and column, as the sheet has them."""
    common = definition["common"]
    cells = {("", column): text for column, text in _written(common)}
    for form, part in definition["parts"].items():
        counting = part["counting"]
        own = {name: value for name, value in counting["indicator"].items() if name not in common}
        cells |= {(form, column): text for column, text in _written(own)}
        for name, value, bands in counting.get("breakdowns", ()):
            cells[form, f"breakdowns: {name}"] = " ".join([str(value), *map(str, bands)])
        for way in part["ways"]:
            cells[form, f"choices: {way['name']}"] = ", ".join(str(key) for key, _ in way["values"])
    return {where: text for where, text in cells.items() if text}


def _written(columns: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for name, value in columns.items():
        if name == "name" or value in (None, "", [], {}):
            continue
        column = _COLUMNS.get(name, name)
        if name in _COLUMNS:
            found += [(f"{column}::{language}" if language else column, str(text)) for language, text in value.items()]
        elif isinstance(value, list):
            found.append((column, " ".join(_flat(one) for one in value)))
        else:
            found.append((column, _flat(value)))
    return found


def _flat(value: Any) -> str:
    """What stands in one cell; a breakdown with its bands is several."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_flat(one)}" for name, one in value.items() if one not in (None, "", [], {}))
    if isinstance(value, list):
        return " ".join(_flat(one) for one in value)
    return str(value)
