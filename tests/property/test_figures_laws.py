"""Figures held against a slow count made independently of the product, and laws about time and causes."""

from __future__ import annotations

import datetime as dt
import statistics
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from itertools import count, product
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session

from forms.indicators.contributing import Contribution
from forms.indicators.sheets import Indicator, Keep
from forms.programmes.places import Place
from sync.indicators import counting
from sync.indicators.amounts import json_number
from sync.indicators.changes import changes
from sync.indicators.evidence import evidence, evidence_apart, how_many_apart
from sync.models import Membership
from tests.support.figures import World, a_place

FIRST = dt.date(2026, 1, 1)
PERIODS = {
    "all": (None, None),
    "2026": (FIRST, dt.date(2026, 12, 31)),
    "2026-Q1": (FIRST, dt.date(2026, 3, 31)),
    "2026-02": (dt.date(2026, 2, 1), dt.date(2026, 2, 28)),
    "FY2025": (dt.date(2025, 4, 1), dt.date(2026, 3, 31)),
    "2026-01-20/2026-03-10": (dt.date(2026, 1, 20), dt.date(2026, 3, 10)),
}
SUBJECTS = ["a", "b", "c", "d"]
SEXES: list[str | None] = ["female", "male", None]
TOPICS = ["governance", "marketing"]
WRITTEN = {"R": "R", "r": "R", "C1": "C1", "Sìby": "C1", "siby": "C1", "C2": "C2", "nowhere": None}
_projects = count(1)


@dataclass
class Fact:
    """A contribution that counts, as the independent count sees it."""

    submission: int
    recorded: dt.datetime
    event: int
    row: Contribution


@dataclass
class State:
    """Everything that figures depend on after one event: `persons` in their value, `bounds` in their low and high."""

    facts: list[Fact] = field(default_factory=list)
    persons: dict[str, str] = field(default_factory=dict)
    bounds: tuple[dict[str, str], dict[str, str]] = ({}, {})
    inside: dict[str, str | None] = field(default_factory=lambda: {"R": None, "C1": "R", "C2": "R"})
    indicator: Indicator | None = None


@st.composite
def indicators(draw: st.DrawFn) -> Indicator:
    aggregate = draw(st.sampled_from(["count", "distinct", "sum", "mean", "median", "min", "max"]))
    numeric = aggregate not in ("count", "distinct")
    subject = aggregate == "distinct" or (aggregate != "count" and draw(st.booleans()))
    value = numeric or (aggregate == "distinct" and draw(st.booleans()))
    rule = draw(st.sampled_from(RULES)) if subject and value else "latest"
    return Indicator(
        "it",
        aggregate=aggregate,
        subject="people" if subject else None,
        value="${v}" if value else None,
        per_subject=rule,
        keep=draw(st.none() | st.builds(Keep, st.sampled_from(["<", "<=", "=", "!=", ">=", ">"]), AMOUNTS))
        if value
        else None,
        until="${u}" if aggregate == "sum" and draw(st.booleans()) else None,
        baseline="${b}" if rule in ("gain", "growth") and draw(st.booleans()) else None,
        by=("sex", "topic"),
    )


RULES = ["latest", "latest_known", "first", "sum", "mean", "min", "max", "gain", "growth"]
AMOUNTS = st.sampled_from([Decimal(text) for text in ("-2", "0", "0.333333", "1", "2", "2.5", "10", "100000000000")])


@st.composite
def contributions(draw: st.DrawFn) -> list[Contribution]:
    rows = []
    for ordinal in range(draw(st.integers(0, 3))):
        day = FIRST + dt.timedelta(days=draw(st.sampled_from([-300, -90, -5, 0, 1, 20, 45, 60, 89, 90, 200])))
        length = draw(st.sampled_from([0, 0, 1, 6, 40, 200]))
        rows.append(
            Contribution(
                "it",
                ordinal,
                draw(st.sampled_from(SUBJECTS)),
                day,
                day + dt.timedelta(days=length) if length else None,
                draw(st.sampled_from([*WRITTEN, None])),
                draw(AMOUNTS),
                None,
                draw(st.none() | AMOUNTS),
                (
                    (sex,) if (sex := draw(st.sampled_from(SEXES))) else (),
                    tuple(draw(st.lists(st.sampled_from(TOPICS), unique=True, max_size=2))),
                ),
            )
        )
    return rows


PAIRS = st.lists(st.tuples(st.sampled_from(SUBJECTS), st.sampled_from(SUBJECTS)), max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), contributions(), st.integers(0, 3)),
        st.tuples(st.just("edit"), st.integers(0, 9), contributions()),
        st.tuples(st.just("reject"), st.integers(0, 9)),
        st.tuples(st.just("merge"), st.sampled_from(SUBJECTS), st.sampled_from(SUBJECTS)),
        st.tuples(st.just("unmerge"), st.sampled_from(SUBJECTS)),
        st.tuples(st.just("stand"), st.sampled_from(["merged", "unmerged", "trained"]), PAIRS, PAIRS, PAIRS),
        st.tuples(st.just("move"), st.sampled_from(["R", None])),
        st.tuples(st.just("redefine"), st.sampled_from([None, Keep(">", Decimal(1)), Keep("<", Decimal(2))])),
    ),
    min_size=1,
    max_size=9,
)


def live_through(world: World, indicator: Indicator, steps: list[Any]) -> dict[int, State]:
    """Let the steps happen, in the product and in the independent count; the state after each event."""
    state = State()
    history: dict[int, State] = {world.event: State()}

    def keep() -> None:
        history[world.event] = replace(state, facts=list(state.facts))

    place(world, state.inside)
    keep()
    world.publish(indicator)
    state.indicator = indicator
    keep()
    submissions: list[int] = []
    for step in steps:
        match step:
            case ("submit", rows, late):
                recorded = world.now - dt.timedelta(minutes=late)
                number = world.submit(*rows_of(indicator, rows), recorded_at=recorded)
                submissions.append(number)
                state.facts += [Fact(number, recorded, world.event, row) for row in rows_of(indicator, rows)]
            case ("edit", position, rows) if submissions:
                number = submissions[position % len(submissions)]
                recorded = world.now
                world.submit(*rows_of(indicator, rows), submission_id=number, recorded_at=recorded)
                state.facts = [fact for fact in state.facts if fact.submission != number]
                state.facts += [Fact(number, recorded, world.event, row) for row in rows_of(indicator, rows)]
            case ("reject", position) if submissions:
                number = submissions[position % len(submissions)]
                world.reject(number)
                state.facts = [fact for fact in state.facts if fact.submission != number]
            case ("merge", one, other) if one != other and not {one, other} & state.persons.keys():
                world.merge(one, other, person=min(one, other))
                merged = {one: min(one, other), other: min(one, other)}
                state.persons = state.persons | merged
                state.bounds = state.bounds[0] | merged, state.bounds[1] | merged
            case ("unmerge", one) if one in state.persons:
                person = state.persons[one]
                part(world, person)
                parted = {entity for entity, who in state.persons.items() if who == person}
                state.persons = without(parted, state.persons)
                state.bounds = without(parted, state.bounds[0]), without(parted, state.bounds[1])
            case ("stand", kind, *links):
                person, fewest, most = nested(*links)
                world.stand({who: (person[who], fewest[who], most[who]) for who in SUBJECTS}, kind=kind)
                state.persons, state.bounds = person, (fewest, most)
            case ("move", parent):
                state.inside = {**state.inside, "C1": parent}
                place(world, state.inside)
            case ("redefine", only) if indicator.value:
                state.indicator = replace(indicator, keep=only)
                world.publish(state.indicator)
        keep()
    return history


def without(entities: set[str], persons: dict[str, str]) -> dict[str, str]:
    return {entity: who for entity, who in persons.items() if entity not in entities}


def nested(
    sure: list[tuple[str, str]], probable: list[tuple[str, str]], possible: list[tuple[str, str]]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Who is who in the value, in the low bound and in the high one."""
    return one_of([*sure, *probable]), one_of([*sure, *probable, *possible]), one_of(sure)


def one_of(links: list[tuple[str, str]]) -> dict[str, str]:
    """Who is one person when these pairs are: the smallest of those who hang together."""
    persons = {subject: subject for subject in SUBJECTS}
    for one, other in links:
        both_of = {persons[one], persons[other]}
        persons = {subject: min(both_of) if who in both_of else who for subject, who in persons.items()}
    return persons


def rows_of(indicator: Indicator, rows: list[Contribution]) -> list[Contribution]:
    """As the workbook would have made them: without what the indicator has no column for."""
    return [
        Contribution(
            row.indicator,
            row.ordinal,
            row.subject if indicator.subject else None,
            row.date,
            row.until if indicator.until else None,
            row.place,
            row.value if indicator.value else None,
            None,
            row.baseline if indicator.baseline else None,
            row.by,
        )
        for row in rows
    ]


def place(world: World, inside: dict[str, str | None]) -> None:
    level = {"R": "region"}
    aliases = {"C1": ["Siby"]}
    rows: list[Place] = [
        a_place(code, level.get(code, "cercle"), parent, aliases.get(code, ())) for code, parent in inside.items()
    ]
    world.places(*rows)


def part(world: World, person: str) -> None:
    with world.change("unmerged") as (journal, event):
        journal.session.execute(
            update(Membership)
            .where(
                Membership.project_id == world.project_id, Membership.person_id == person, Membership.closed.is_(None)
            )
            .values(closed=event)
        )


# The independent count


def counted(state: State, period: str, where: str | None, cell: dict[str, str | None]) -> tuple[Any, int, int]:
    """Value, n and without, as indicators.md says, one sentence after the other."""
    it = state.indicator
    assert it is not None
    start, end = PERIODS[period]
    facts = [fact for fact in state.facts if where is None or lies_in(state, fact.row.place, where)]
    inside = [fact for fact in facts if in_period(it, fact, start, end)]
    if it.subject is None:
        rows = [fact for fact in inside if in_cell(fact, cell)]
        amounts = [amount(it, fact, start, end) for fact in rows]
        kept = [value for value in amounts if it.keep is None or it.keep.passes(value)]
        return aggregated(it, kept), len(rows), 0
    if it.value is None:
        rows = [fact for fact in inside if in_cell(fact, cell)]
        return Fraction(len({who(state, fact) for fact in rows})), len(rows), 0
    n, without, amounts = 0, 0, []
    for person in {who(state, fact) for fact in inside}:
        own = sorted((fact for fact in inside if who(state, fact) == person), key=moment)
        if not in_cell(own[-1], cell):
            continue
        n += len(own)
        known = [fact for fact in facts if who(state, fact) == person and (end is None or fact.row.date <= end)]
        found = of_subject(it, own, known, start, end)
        if found is None:
            without += 1
        elif it.keep is None or compare(it.keep, found):
            amounts.append(found)
    return aggregated(it, amounts), n, without


def of_subject(it: Indicator, own: list[Fact], known: list[Fact], start: Any, end: Any) -> Fraction | None:
    parts = [Fraction(amount(it, fact, start, end)) for fact in own]
    match it.per_subject:
        case "latest" | "latest_known":
            return parts[-1]
        case "first":
            first = [part for fact, part in zip(own, parts, strict=True) if fact.row.date == own[0].row.date]
            return first[-1]
        case "sum":
            return sum(parts, Fraction(0))
        case "mean":
            return sum(parts, Fraction(0)) / len(parts)
        case "min":
            return min(parts)
        case "max":
            return max(parts)
    latest = own[-1]
    if it.baseline:
        baseline = latest.row.baseline
    else:
        earliest = min(fact.row.date for fact in known)
        [*_, first_fact] = sorted((fact for fact in known if fact.row.date == earliest), key=moment)
        baseline = None if first_fact.row.date == latest.row.date else first_fact.row.value
    assert latest.row.value is not None
    if baseline is None:
        return None
    if it.per_subject == "gain":
        return Fraction(latest.row.value) - Fraction(baseline)
    return Fraction(latest.row.value) / Fraction(baseline) if baseline else None


def amount(it: Indicator, fact: Fact, start: dt.date | None, end: dt.date | None) -> Decimal:
    """The value, or day by day what it comes to on days of the period."""
    value = fact.row.value or Decimal(0)
    if it.until is None:
        return value
    days = ((fact.row.until or fact.row.date) - fact.row.date).days + 1
    millionths = int(value * 1_000_000)
    come_to = [(2 * millionths * day + days) // (2 * days) for day in range(days + 1)]
    daily = [come_to[day + 1] - come_to[day] for day in range(days)]
    dates = [fact.row.date + dt.timedelta(days=day) for day in range(days)]
    return Decimal(sum(part for date, part in zip(dates, daily, strict=True) if between(date, start, end))) / 1_000_000


def in_period(it: Indicator, fact: Fact, start: dt.date | None, end: dt.date | None) -> bool:
    if it.per_subject == "latest_known" and it.subject and it.value:
        return end is None or fact.row.date <= end
    if it.until is not None:
        last = fact.row.until or fact.row.date
        return (end is None or fact.row.date <= end) and (start is None or last >= start)
    return between(fact.row.date, start, end)


def between(date: dt.date, start: dt.date | None, end: dt.date | None) -> bool:
    return (start is None or start <= date) and (end is None or date <= end)


def lies_in(state: State, written: str | None, where: str) -> bool:
    code = WRITTEN.get(written or "")
    while code is not None and code != where:
        code = state.inside[code]
    return code == where


def in_cell(fact: Fact, cell: dict[str, str | None]) -> bool:
    keys = dict(zip(("sex", "topic"), fact.row.by, strict=True))
    return all((key in keys[name]) if key is not None else not keys[name] for name, key in cell.items())


def who(state: State, fact: Fact) -> str:
    assert fact.row.subject is not None
    return state.persons.get(fact.row.subject, fact.row.subject)


def moment(fact: Fact) -> tuple[Any, ...]:
    return fact.row.date, fact.recorded, fact.event, fact.submission, fact.row.ordinal


def compare(keep: Keep, value: Fraction) -> bool:
    bound = Fraction(keep.bound)
    return {
        "<": value < bound,
        "<=": value <= bound,
        "=": value == bound,
        "!=": value != bound,
        ">=": value >= bound,
        ">": value > bound,
    }[keep.operator]


def aggregated(it: Indicator, amounts: list[Any]) -> Fraction | None:
    values = [Fraction(value) for value in amounts]
    if it.aggregate in ("count", "distinct"):
        return Fraction(len(values))
    if it.aggregate == "sum":
        return sum(values, Fraction(0))
    if not values:
        return None
    if it.aggregate == "mean":
        return sum(values, Fraction(0)) / len(values)
    return {"median": statistics.median, "min": min, "max": max}[it.aggregate](values)


# The laws

both = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
CELLS: list[dict[str, str | None]] = [
    {},
    *({"sex": sex} for sex in SEXES),
    *({"topic": topic} for topic in [*TOPICS, None]),
]


WAYS = [(), ("sex",), ("topic",), ("sex", "topic"), ("place:cercle",), ("place:cercle", "sex")]


def new_world(session: Session) -> World:
    session.rollback()
    return World(session, next(_projects), fiscal_year_start=4)


@both
@given(indicators(), STEPS, st.sampled_from(list(PERIODS)), st.sampled_from(["R", "C1", None]))
def test_every_figure_is_what_an_independent_count_says_now_and_as_of_every_event(
    session: Session, indicator: Indicator, steps: list[Any], period: str, where: str | None
) -> None:
    world = new_world(session)
    history = live_through(world, indicator, steps)

    for event, state in history.items():
        if state.indicator is None:
            continue
        for cell in CELLS:
            [figure] = world.figures("it", as_of=event, period=period, place=where, cells=cell)
            value, n, lacking = counted(state, period, where, cell)
            assert (json_number(figure.value), figure.n, figure.without or 0) == (json_number(value), n, lacking)
            assert (json_number(figure.low), json_number(figure.high)) == span_of(state, period, where, cell)
            assert value is None or figure.low <= figure.value <= figure.high  # type: ignore[operator]


def span_of(state: State, period: str, where: str | None, cell: dict[str, str | None]) -> tuple[Any, Any]:
    """The least and the most, as docs/indicators.md says."""
    readings = [replace(state, persons=persons) for persons in (state.persons, *state.bounds)]
    value, *bounds = (counted(reading, period, where, cell)[0] for reading in readings)
    known = [value, *(bound for bound in bounds if bound is not None)]
    return (None, None) if value is None else (json_number(min(known)), json_number(max(known)))


@both
@given(indicators(), STEPS, st.sampled_from(list(PERIODS)), st.sampled_from(CELLS), PAIRS, PAIRS, PAIRS)
def test_low_and_high_are_what_a_count_says_of_all_who_may_be_one_and_of_those_who_surely_are(
    session: Session,
    indicator: Indicator,
    steps: list[Any],
    period: str,
    cell: dict[str, str | None],
    sure: list[tuple[str, str]],
    probable: list[tuple[str, str]],
    possible: list[tuple[str, str]],
) -> None:
    world = new_world(session)
    state = live_through(world, indicator, steps)[world.event]
    person, fewest, most = nested(sure, probable, possible)
    world.stand({subject: (person[subject], fewest[subject], most[subject]) for subject in SUBJECTS})

    [figure] = world.figures("it", period=period, cells=cell)

    now = replace(state, persons=person, bounds=(fewest, most))
    assert json_number(figure.value) == json_number(counted(now, period, None, cell)[0])
    assert (json_number(figure.low), json_number(figure.high)) == span_of(now, period, None, cell)


@both
@given(indicators(), STEPS, st.sampled_from(list(PERIODS)), st.sampled_from(["R", "C1", None]), st.sampled_from(WAYS))
def test_whichever_way_is_quicker_counts_as_row_after_row_does(
    session: Session, indicator: Indicator, steps: list[Any], period: str, where: str | None, by: tuple[str, ...]
) -> None:
    world = new_world(session)
    history = live_through(world, indicator, steps)

    for event, state in history.items():
        if state.indicator is None:
            continue
        reading = world.reading(event)
        definition, span, code = reading.definition("it"), reading.period(period), reading.place(where)
        by_row = counting.tabulate(
            definition,
            reading.entries(definition, span, code),
            span,
            reading.dimensions(definition, by),
            reading.person_of(definition),
        )
        assert reading.table(definition, span, code, by) == by_row
        assert world.reading(event).total(definition, span, code) == by_row.total


@both
@given(indicators(), STEPS, st.sampled_from(list(PERIODS)))
def test_the_cells_of_a_table_are_those_that_occur_and_each_is_the_figure_that_it_picks(
    session: Session, indicator: Indicator, steps: list[Any], period: str
) -> None:
    world = new_world(session)
    state = live_through(world, indicator, steps)[world.event]

    found = world.figures("it", period=period, by=("sex", "topic"), totals=False)

    occurring = {
        (sex, topic)
        for sex, topic in product(SEXES, [*TOPICS, None])
        if counted(state, period, None, {"sex": sex, "topic": topic})[1]
    }
    assert {(figure.by["sex"], figure.by["topic"]) for figure in found} == occurring
    for figure in found:
        assert json_number(figure.value) == json_number(counted(state, period, None, dict(figure.by))[0])


@both
@given(indicators(), STEPS, st.sampled_from(list(PERIODS)), st.sampled_from(CELLS))
def test_the_counted_parts_of_the_evidence_make_the_figure(
    session: Session, indicator: Indicator, steps: list[Any], period: str, cell: dict[str, str | None]
) -> None:
    world = new_world(session)
    live_through(world, indicator, steps)
    reading = world.reading()

    [figure] = world.figures("it", period=period, cells=cell)
    rows, cursor = [], None
    while True:
        page = evidence(reading, "it", period=period, cells=cell, cursor=cursor, limit=2, sees_small_cells=True)
        rows += page.rows
        if (cursor := page.cursor) is None:
            break

    parts = [Fraction(str(row["counted"])) for row in rows if row["counted"] is not None]
    assert len(rows) == page.count == figure.n
    whole = evidence(reading, "it", period=period, cells=cell, limit=1000, sees_small_cells=True)
    assert rows == list(whole.rows)
    if indicator.aggregate in ("count", "distinct"):
        assert sum(parts) == figure.value
    elif parts or figure.value is not None:
        assert figure.value is not None
        # On the wire they are numbers as JSON has them, of some 15 digits.
        rounding = Fraction(len(rows), 10**6) + sum(map(abs, parts)) / 10**15
        assert abs(aggregated(indicator, parts) - figure.value) <= rounding


@both
@given(indicators(), STEPS, st.sampled_from(list(PERIODS)), st.sampled_from(CELLS))
def test_what_counts_and_what_does_not_are_all_of_the_evidence_first_that_by_which_it_is_counted(
    session: Session, indicator: Indicator, steps: list[Any], period: str, cell: dict[str, str | None]
) -> None:
    world = new_world(session)
    live_through(world, indicator, steps)
    reading = world.reading()
    asked: dict[str, Any] = {"period": period, "cells": cell, "sees_small_cells": True}
    whole = evidence(reading, "it", limit=1000, **asked).rows

    numbers = how_many_apart(reading, "it", **asked)

    for counts, number in zip((True, False), numbers, strict=True):
        rows, cursor = [], None
        while True:
            page = evidence_apart(reading, "it", counts=counts, count=number, cursor=cursor, limit=2, **asked)
            rows += page.rows
            if (cursor := page.cursor) is None:
                break
        assert len(rows) == number
        # Mostly the latest rows count; where it is the first ones, the oldest lead.
        oldest_first = rows if indicator.per_subject == "first" else rows[::-1]
        assert oldest_first == [row for row in whole if (row["counted"] is not None) == counts]


@both
@given(indicators(), STEPS, st.sampled_from(list(PERIODS)), st.sampled_from(["C1", None]), st.data())
def test_the_effects_of_the_causes_add_up_to_the_change(
    session: Session, indicator: Indicator, steps: list[Any], period: str, where: str | None, data: st.DataObject
) -> None:
    world = new_world(session)
    history = live_through(world, indicator, steps)
    first, last = sorted(data.draw(st.lists(st.sampled_from(list(history)), min_size=2, max_size=2)))
    if history[last].indicator is None:
        return

    told = changes(
        world.reading(first), world.reading(last), "it", period=period, place=where, limit=1000, sees_small_cells=True
    )

    assert told.after == world.figures("it", as_of=last, period=period, place=where)[0].value
    effects = [cause.effect for cause in told.causes if cause.effect is not None]
    assert sum(effects) == (told.after or 0) - (told.before or 0)
    assert effects or told.before == told.after
    if all(event["event"] in told.effects for event in told.events):
        assert sum(told.effects.values()) == (told.after or 0) - (told.before or 0)
        running = told.before or Fraction(0)
        for number in (event["event"] for event in told.events):
            running += told.effects[number]
            assert running == world.figures("it", as_of=number, period=period, place=where)[0].value
