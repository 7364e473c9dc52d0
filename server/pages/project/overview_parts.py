"""The parts of a project's overview that take longer to find out: each is a page of its own, shown after the page."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import select

from server import current
from server.api.figures import reading_of, sees_small_cells
from server.api.schemas import Strict, text
from server.db import session
from server.door.guards import needs
from server.kept.remembered import Remembered, Shared
from server.language.words import words
from server.pages.asked import FreshQuery, said_of
from server.pages.charts import Bar, Measured, bars
from server.pages.frame import project_of
from server.pages.maps import map_of_places
from server.pages.project.overview import ways_of
from server.pages.said import STATES
from server.queries.arrivals import lately, standing
from server.queries.submissions import how_many, titles_of_forms
from server.wire.bodies import read_query
from sync.accounts.habits import habits
from sync.entities.reach import tree_of
from sync.entities.reporting import Silence, expected_of, expecting, habit, registers, silence, silent_entries
from sync.errors import NotFound
from sync.indicators.amounts import decimal_of
from sync.indicators.definitions import Planned, Way
from sync.indicators.figures import figure
from sync.indicators.periods import ALL, Period, fiscal_year_of, read_period
from sync.indicators.reading import Reading
from sync.models import Form
from sync.projects.places import PlaceTree

bp = Blueprint("overview_parts", __name__, url_prefix="/projects/<int:pid>/overview")

_DAYS = 30
_FIGURES = 16
_DEVICES = 20
_ROOM = 1.5  # how much longer than a period what is expected in each one may take


class RegistersQuery(FreshQuery):
    """For which period."""

    period = text(load_default=None)


class SilentQuery(Strict):
    """Which register, which period, and from which entry on."""

    list_name = text(required=True, data_key="list")
    form = text(required=True)
    period = text(required=True)
    after = text(load_default=None)
    limit = fields.Integer(load_default=100, validate=validate.Range(min=1, max=1000))


@dataclass(frozen=True, slots=True)
class InPlace:
    """A place of the first level with what came from it and from everything in it; None for all that names no place."""

    code: str | None
    name: str | None
    number: int
    lately: int
    bar: Bar


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure beside what was planned, both in words. `reached` says how near it is: the part that is reached,
    of a share the percentage points that it is away. `of` is what its cell is called, `cells` how addresses name it."""

    indicator: str
    label: str
    place: str | None
    value: str
    wanted: str
    reached: str
    bar: Bar
    of: str
    cells: str | None


# As JSON has them: the fields of an Aim; the period, then of each register its own and the fields of a Silence.
_aims: Shared[list[dict[str, Any]]] = Shared("targets", awaited=True)
_silent: Shared[tuple[str, list[dict[str, Any]]]] = Shared("completeness", awaited=True)
_silence_of: Remembered[Silence] = Remembered()


@bp.get("/waiting")
@needs("submissions.read")
def waiting(pid: int) -> ResponseReturnValue:
    """How many submissions nobody has looked at."""
    found = standing(session(), pid)
    return _part("overview_waiting.html", pid, to_review=found.to_review, by_review=found.by_review, states=STATES)


@bp.get("/arrivals")
@needs("figures.read")
def arrivals(pid: int) -> ResponseReturnValue:
    """What came in: by day, by form, by place, and on a map."""
    project = project_of(pid)
    recent = lately(session(), pid, current.now(), project.time_zone, _DAYS)
    tree = tree_of(session(), pid)
    found = by_first_level(tree, standing(session(), pid).by_place, recent.by_place)
    titles = titles_of_forms(session(), pid)
    living = set(session().scalars(select(Form.form_id).where(Form.project_id == pid, Form.deleted_at.is_(None))))
    counts = {form_id: number for form_id, number in how_many(session(), pid).items() if form_id in living}
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    drawn = map_of_places(tree, [(one.code, one.number, words().number(one.number)) for one in found])
    return _part(
        "overview_arrivals.html",
        pid,
        days=recent.by_day,
        most=max(recent.by_day.values()),
        counts=[
            (form_id, number, bar)
            for (form_id, number), bar in zip(ordered, bars([Measured(n) for _, n in ordered]), strict=True)
        ],
        by_form=recent.by_form,
        titles=titles,
        places=found,
        level=next((place.level for place in tree.places.values() if place.parent is None), None),
        map=drawn,
    )


@bp.get("/devices")
@needs("devices.manage")
def devices(pid: int) -> ResponseReturnValue:
    """The devices that have been silent for longer than they usually are, and new ones that have never called."""
    found = habits(session(), pid, current.now())
    overdue = sorted((habit for habit in found if habit.is_overdue), key=lambda habit: (-habit.silent, habit.name))
    unheard = [habit.name for habit in found if habit.last is None and not habit.is_overdue]
    return _part(
        "overview_devices.html",
        pid,
        devices=len(found),
        overdue=len(overdue),
        shown=overdue[:_DEVICES],
        unheard=unheard,
        named=unheard[:_DEVICES],
    )


@bp.get("/targets")
@needs("figures.read")
def targets(pid: int) -> ResponseReturnValue:
    """Figures beside what was planned for the period of today, or else for the last one that had targets."""
    reading = reading_of(pid, None)
    today = current.now().astimezone(ZoneInfo(project_of(pid).time_zone)).date()
    period, chosen = targets_of(reading, today)
    shown = chosen[:_FIGURES]
    kind = ["points", sees_small_cells(), words().language, *(target.id for target in shown)]
    told = _aims.recall(
        session(),
        pid,
        kind,
        lambda: [asdict(_aim(reading, target)) for target in shown],
        fresh=read_query(FreshQuery())["fresh"],
        event=reading.as_of.event,
    )
    return _part(
        "overview_targets.html",
        pid,
        period=period,
        over=period is not None and not period.holds(today),
        told=told,
        aims=told.worked,
        more=len(chosen) - len(shown),
        places={code: place.name for code, place in reading.tree.places.items()},
    )


@bp.get("/registers")
@needs("figures.read")
def registers_part(pid: int) -> ResponseReturnValue:
    """Of the entries of each register, how many were silent in a period."""
    query = read_query(RegistersQuery())
    asked, project = query["period"], project_of(pid)
    today = current.now().astimezone(ZoneInfo(project.time_zone)).date()
    offered = periods_offered(today, project.fiscal_year_start)
    kind = asked, today, project.fiscal_year_start

    def reports() -> tuple[str, list[dict[str, Any]]]:
        period, found = _reports(pid, project.fiscal_year_start, offered, asked)
        return period.text, [{"period": own.text, **asdict(one)} for own, one in found]

    told = _silent.recall(session(), pid, kind, reports, fresh=query["fresh"])
    text, found = told.worked
    period = read_period(text, project.fiscal_year_start)
    own = [read_period(one["period"], project.fiscal_year_start) for one in found]
    reading = reading_of(pid, None)
    shares = [bars([Measured(one["entries"] - one["silent"], target=one["entries"] or None)])[0] for one in found]
    return _part(
        "overview_registers.html",
        pid,
        told=told,
        asked=asked,
        period=period,
        offered=offered,
        registers=found,
        periods=own,
        running=[one.holds(today) for one in own],
        expected=[_called_indicator(reading, one["register"]["expected"]) for one in found],
        bars=shares,
        said_of=said_of,
    )


@bp.get("/silent")
@needs("figures.read")
def silent(pid: int) -> ResponseReturnValue:
    """The entries of a register that were silent in a period."""
    query = read_query(SilentQuery())
    project = project_of(pid)
    period = read_period(query["period"], project.fiscal_year_start)
    register = next(
        (
            one
            for one in registers(session(), pid)
            if (one.list_name, one.form_id) == (query["list_name"], query["form"])
        ),
        None,
    )
    if register is None:
        raise NotFound
    reading = reading_of(pid, None)
    among = expected_of(reading, register, _days(period)[1])
    found, after = silent_entries(session(), pid, register, *_days(period), query["after"], query["limit"], among)
    return render_template(
        "overview_silent.html",
        project=project,
        period=period,
        register=register,
        count=_silence_of.get(
            session(),
            pid,
            (register, period),
            lambda: silence(session(), pid, register, *_days(period), among),
        ),
        expected=_called_indicator(reading, register.expected),
        entries=found,
        after=after,
        said_of=said_of,
        reads=current.has_right("submissions.read"),
    )


def by_first_level(tree: PlaceTree, every: Mapping[str | None, int], recent: Mapping[str | None, int]) -> list[InPlace]:
    """By number, the most first; what names no known place comes last."""
    numbers: Counter[str | None] = Counter()
    newer: Counter[str | None] = Counter()
    for counted, given in ((numbers, every), (newer, recent)):
        for written, number in given.items():
            around = list(tree.upwards(tree.code_of(written)))
            counted[around[-1].code if around else None] += number
    for place in tree.places.values():
        if place.parent is None:
            numbers.setdefault(place.code, 0)
    ordered = sorted(numbers.items(), key=lambda pair: (pair[0] is None, -pair[1], pair[0] or ""))
    shown = [(code, number) for code, number in ordered if code is not None or number]
    drawn = bars([Measured(number) for _, number in shown])
    return [
        InPlace(code, tree.places[code].name if code else None, number, newer[code], bar)
        for (code, number), bar in zip(shown, drawn, strict=True)
    ]


def targets_of(reading: Reading, today: dt.date) -> tuple[Period | None, list[Planned]]:
    """The targets of the shortest period that holds the day, else those of the last period before it; and that period.

    Only those of indicators that there are still, the totals of the whole project first.
    """
    known = [
        target for target in reading.targets if target.target is not None and target.indicator in reading.definitions
    ]
    periods = {target.period: reading.period(target.period) for target in known}
    now = [period for period in periods.values() if period.holds(today)]
    past = [period for period in periods.values() if period.end is not None and period.end < today]
    if now:
        period = min(now, key=_length)
    elif past:
        period = max(past, key=lambda one: (one.end or today, _length(one)))
    else:
        return None, []
    chosen = [target for target in known if target.period == period.text]
    return period, sorted(chosen, key=lambda target: (target.place is not None, bool(target.by), target.id))


def periods_offered(today: dt.date, fiscal_year_start: int) -> list[Period]:
    """This month and the last one, this quarter, this fiscal year and the one before, as links offer them."""
    before = today.replace(day=1) - dt.timedelta(days=1)
    year = fiscal_year_of(today, fiscal_year_start)
    quarter = f"{today.year}-Q{(today.month + 2) // 3}"
    names = [f"{today:%Y-%m}", f"{before:%Y-%m}", quarter, f"FY{year}", f"FY{year - 1}"]
    return [read_period(name, fiscal_year_start) for name in names]


def _reports(
    pid: int, fiscal_year_start: int, offered: Sequence[Period], asked: str | None
) -> tuple[Period, list[tuple[Period, Silence]]]:
    """For the period asked for, else for the first one offered in which any entry of any register was heard of. A form
    that reports of an entry more rarely than that is counted in its own period around it."""
    reading = reading_of(pid, None)
    known = [(one, habit(session(), pid, one)) for one in registers(session(), pid)]
    tried = [read_period(asked, fiscal_year_start)] if asked else offered
    first: list[tuple[Period, Silence]] | None = None
    for period in tried:
        found = []
        for register, usual in known:
            own = period_of_habit(period, usual, fiscal_year_start)
            among = expected_of(reading, register, _days(own)[1])
            found.append((own, silence(session(), pid, register, *_days(own), among)))
        if any(one.silent < one.entries for own, one in found if own == period):
            return period, found
        first = first or found
    return tried[0], first or []


def period_of_habit(period: Period, usual: int | None, fiscal_year_start: int) -> Period:
    """The period itself, or the quarter or fiscal year around its last day where an entry is reported of every so many
    days only; all time where it is reported of once."""
    if usual is None or period.end is None:
        return ALL
    names = [f"{period.end.year}-Q{(period.end.month + 2) // 3}", f"FY{fiscal_year_of(period.end, fiscal_year_start)}"]
    wider = [period, *(read_period(name, fiscal_year_start) for name in names)]
    return next((one for one in wider if usual <= _ROOM * _length(one)), ALL)


def _days(period: Period) -> tuple[dt.date, dt.date]:
    return period.start or dt.date.min, period.end or dt.date.max


def _called_indicator(reading: Reading, name: str | None) -> str | None:
    """The label of the one by which a form is expected of some only."""
    definition = expecting(reading, name)
    return definition.label(words().language) if definition is not None else None


def _aim(reading: Reading, target: Planned) -> Aim:
    found = figure(
        reading,
        target.indicator,
        period=target.period,
        place=target.place,
        cells=target.by,
        sees_small_cells=sees_small_cells(),
    )
    wanted = Fraction(decimal_of(target.target or 0))
    found = replace(found, target=wanted)
    ways = reading.breakings(found.definition)
    called = [_called(ways.get(name), key) for name, key in target.by.items()]
    return Aim(
        target.indicator,
        found.definition.label(words().language),
        target.place,
        value=words().figure(found),
        wanted=words().target(found),
        reached=words().reached(found),
        bar=bars([Measured(found.value, found.low, found.high, wanted or None)])[0],
        of=", ".join(called),
        cells=",".join(f"{name}:{key}" for name, key in target.by.items()) or None,
    )


def _called(way: Way | None, key: str) -> str:
    return (way.label_of(key, words().language) if way is not None else None) or key


def _length(period: Period) -> int:
    return (period.end - period.start).days if period.start and period.end else 10**6


def _part(template: str, pid: int, **values: Any) -> str:
    """A part of the overview: a page of its own to who follows its link, without what stands around to htmx."""
    alone = request.headers.get("HX-Request") != "true"
    return render_template(
        template,
        around="project_page.html" if alone else "part.html",
        project=project_of(pid),
        ways=ways_of(pid),
        **values,
    )
