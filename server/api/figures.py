"""Indicators, figures, and what stands behind them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import orjson
from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import select

from server import current
from server.api.schemas import Strict, text
from server.db import session
from server.door.guards import needs
from server.kept.remembered import Remembered
from server.queries.submissions import events_since
from server.wire.answers import answer, to_json
from server.wire.bodies import read_query
from server.wire.documents import documented
from sync.errors import NotFound
from sync.indicators.amounts import decimal_of, json_number
from sync.indicators.changes import Changes, changes
from sync.indicators.definitions import Definition
from sync.indicators.evidence import Evidence, evidence, evidence_apart
from sync.indicators.figures import figures, read_cells
from sync.indicators.moments import resolve_as_of
from sync.indicators.reading import Reading
from sync.models import Server

_Listed = TypeVar("_Listed")

bp = Blueprint("figures", __name__, url_prefix="/v1/projects/<int:pid>")

# As they are after the last event: programs ask for the same ones again and again. The largest are not kept.
_written: Remembered[bytes] = Remembered(worth=lambda written: len(written) <= 100_000)


class AsOfQuery(Strict):
    """As of when."""

    as_of = text(load_default=None, metadata={"description": "an event's number, a time or a date; now without it"})


class PartQuery(Strict):
    """Of a list that people wrote: which part of it."""

    limit = fields.Integer(load_default=1000, validate=validate.Range(min=1, max=1000))
    offset = fields.Integer(load_default=0, validate=validate.Range(min=0, max=2**53))


class ListQuery(AsOfQuery, PartQuery):
    """Of a list that a programme's author wrote: which part of it, and as of when."""


class FiguresQuery(AsOfQuery):
    """Which figures."""

    indicator = text(load_default=None, metadata={"description": "names with commas between them; all without it"})
    period = text(
        load_default="all",
        metadata={"description": "2026, 2026-Q3, 2026-07, FY2026, FY2026-Q1, 2026-01-01/2026-06-30 or all"},
    )
    place = text(load_default=None, metadata={"description": "a place's code; everything below it is included"})
    by = text(load_default="", metadata={"description": "breakdowns, or place:LEVEL, with commas between them"})
    cells = text(load_default="", data_key="is", metadata={"description": "cells to pick: sex:female,topic:marketing"})
    totals = fields.Boolean(load_default=True)


class BehindQuery(Strict):
    """Behind which figure, and which part of what is there."""

    period = text(load_default="all")
    place = text(load_default=None)
    cells = text(load_default="", data_key="is")
    limit = fields.Integer(load_default=100, validate=validate.Range(min=1, max=1000))
    cursor = text(load_default=None)


class EvidenceQuery(AsOfQuery, BehindQuery):
    """Which figure's evidence."""


class ChangesQuery(BehindQuery):
    """Which figure's changes, and between which two moments."""

    since = text(load_default="0", data_key="from", metadata={"description": "an event's number, a time or a date"})
    to = text(load_default=None, metadata={"description": "the same; now without it"})
    as_of = text(load_default=None, metadata={"description": "another name for to"})
    cause = text(load_default=None, metadata={"description": "only events of this cause are listed"})


class EventsQuery(Strict):
    """Where the reader stands."""

    since = fields.Integer(load_default=0, validate=validate.Range(min=0, max=2**53))
    limit = fields.Integer(load_default=500, validate=validate.Range(min=1, max=5000))


@bp.get("/indicators")
@needs("figures.read")
@documented("figures", query=ListQuery, answer="application/json")
def get_indicators(pid: int) -> ResponseReturnValue:
    """The indicators with labels, unit, aggregate, breakdowns and targets."""
    query = read_query(ListQuery())
    reading = reading_of(pid, query["as_of"])
    return answer(
        {
            "as_of": reading.as_of.to_json(),
            "indicators": [_definition(reading, found) for found in part_of(reading.definitions.values(), query)],
        }
    )


@bp.get("/figures")
@needs("figures.read")
@documented("figures", query=FiguresQuery, answer="application/json")
def get_figures(pid: int) -> ResponseReturnValue:
    """Figures for a period, a place and breakdowns, now or as of an event or time."""
    query = read_query(FiguresQuery())
    reading, small = reading_of(pid, query["as_of"]), sees_small_cells()

    def written() -> bytes:
        found = figures(
            reading,
            _names(query["indicator"]) or list(reading.definitions),
            period=query["period"],
            place=query["place"],
            by=_names(query["by"]),
            cells=read_cells(query["cells"]),
            totals=query["totals"],
            sees_small_cells=small,
        )
        return to_json([figure.to_json() for figure in found])

    if query["as_of"]:
        shown = written()
    else:
        shown = _written.get(session(), pid, (*sorted(query.items()), small), written, event=reading.as_of.event)
    return answer({"as_of": reading.as_of.to_json(), "figures": orjson.Fragment(shown)})


@bp.get("/figures/<indicator>/evidence")
@needs("figures.read")
@documented("figures", query=EvidenceQuery, answer="application/json")
def get_evidence(pid: int, indicator: str) -> ResponseReturnValue:
    """What stands behind one figure: its contributions, each with its submission and the event that brought it in.

    Who is who is shown to coordinators only.
    """
    query = read_query(EvidenceQuery())
    reading = reading_of(pid, query["as_of"])
    known_indicator(reading, indicator)
    return answer({"as_of": reading.as_of.to_json()} | evidence_for_visitor(reading, indicator, query).to_json())


@bp.get("/figures/<indicator>/changes")
@needs("figures.read")
@documented("figures", query=ChangesQuery, answer="application/json")
def get_figure_changes(pid: int, indicator: str) -> ResponseReturnValue:
    """Why a figure is not what it was: before and after, and what each kind of event did to it."""
    query = read_query(ChangesQuery())
    before, after = reading_of(pid, query["since"], "from"), reading_until(pid, query)
    known_indicator(after, indicator)
    return answer(changes_for_visitor(before, after, indicator, query).to_json())


@bp.get("/events")
@needs("figures.read")
@documented("figures", query=EventsQuery, answer="application/json")
def get_events(pid: int) -> ResponseReturnValue:
    """The journal after an event: a reader that goes on from the last number misses none. Numbers come again once a
    backup was restored: whoever sees another `epoch` begins anew."""
    query = read_query(EventsQuery())
    rows = events_since(session(), pid, query["since"], query["limit"])
    return answer(
        {
            "epoch": session().scalars(select(Server.epoch)).one(),
            "events": [
                {
                    "number": row.number,
                    "kind": row.kind,
                    "at": row.at,
                    "actor": row.actor_id,
                    "submission": str(row.submission_id) if row.submission_id is not None else None,
                    "details": row.details,
                }
                for row in rows
            ],
            "last": rows[-1].number if rows else query["since"],
        }
    )


def part_of(listed: Iterable[_Listed], query: dict[str, Any]) -> list[_Listed]:
    """The part of a list that a PartQuery asks for."""
    return list(listed)[query["offset"] : query["offset"] + query["limit"]]


def reading_of(pid: int, as_of: str | None, place: str = "as_of") -> Reading:
    """The project as it stood at a moment, or as it stands; for this request. `place` is what the moment is called."""
    return Reading(session(), pid, resolve_as_of(session(), pid, as_of, current.now(), place))


def reading_until(pid: int, query: dict[str, Any]) -> Reading:
    """As of the later of the moments between which a figure changed, by whichever of its names."""
    return reading_of(pid, query["to"], "to") if query["to"] else reading_of(pid, query["as_of"])


def evidence_for_visitor(reading: Reading, indicator: str, query: dict[str, Any]) -> Evidence:
    """A page of evidence without what only coordinators may see, for others."""
    return _without_people(evidence(reading, indicator, **_behind(query)))


def evidence_apart_for_visitor(
    reading: Reading, indicator: str, query: dict[str, Any], *, counts: bool, count: int
) -> Evidence:
    """The same of `evidence_apart`."""
    return _without_people(evidence_apart(reading, indicator, **_behind(query), counts=counts, count=count))


def _without_people(found: Evidence) -> Evidence:
    if not current.has_right("submissions.read"):
        for row in found.rows:
            row["subject"] = row["person"] = None
    return found


def changes_for_visitor(
    before: Reading, after: Reading, indicator: str, query: dict[str, Any], *, finer: bool = False
) -> Changes:
    """Why a figure differs between two moments. Raises Forbidden where it has small cells that the visitor may not
    see."""
    return changes(before, after, indicator, cause=query["cause"], finer=finer, **_behind(query))


def _behind(query: dict[str, Any]) -> dict[str, Any]:
    return {
        "period": query["period"],
        "place": query["place"],
        "cells": read_cells(query["cells"]),
        "cursor": query["cursor"],
        "limit": query["limit"],
        "sees_small_cells": sees_small_cells(),
    }


def sees_small_cells() -> bool:
    """Coordinators see all; viewers get small counts hidden."""
    return current.has_right("submissions.read")


def known_indicator(reading: Reading, name: str) -> Definition:
    """The indicator that an address names. Raises NotFound."""
    found = reading.definitions.get(name)
    if found is None:
        raise NotFound
    return found


def _names(written: str | None) -> list[str]:
    return [name.strip() for name in (written or "").split(",") if name.strip()]


def _definition(reading: Reading, found: Definition) -> dict[str, Any]:
    return {
        "name": found.name,
        "labels": found.labels,
        "descriptions": found.descriptions,
        "unit": found.row.unit or None,
        "aggregate": found.aggregate,
        "per_subject": found.row.per_subject if found.counts_subjects and found.has_value else None,
        "numerator": found.row.numerator,
        "denominator": found.row.denominator,
        "decimals": found.row.decimals_shown,
        "minimum_cell": found.row.minimum_cell,
        "codes": list(found.row.codes),
        "forms": sorted(found.parts),
        "since": found.opened,
        "breakdowns": [
            {
                "name": way.name,
                "labels": way.labels,
                "multiple": way.multiple,
                "values": [{"value": value, "labels": labels} for value, labels in way.values.items()],
            }
            for way in reading.breakings(found).values()
        ],
        "targets": [
            {
                "period": target.period,
                "place": target.place,
                "by": target.by,
                "baseline": _amount(target.baseline),
                "target": _amount(target.target),
                "note": target.note,
            }
            for target in reading.targets
            if target.indicator == found.name
        ],
    }


def _amount(stored: int | None) -> int | float | None:
    return None if stored is None else json_number(decimal_of(stored))
