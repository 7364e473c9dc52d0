"""What a process keeps of an indicator's days says what reading them anew says, whatever happens between two looks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as happening
from sqlalchemy import update
from sqlalchemy.orm import Session

from forms.indicators.contributing import Contribution
from forms.indicators.sheets import Indicator
from sync.indicators.contributions import Wanted, replace_contributions
from sync.indicators.counting import Heads
from sync.indicators.days import heads_between
from sync.indicators.figures import figures
from sync.indicators.moments import AsOf
from sync.indicators.reading import Reading
from sync.journal import open_journal
from sync.models import Server
from tests.property.test_figures_laws import SEXES, TOPICS, new_world
from tests.support.figures import World, keep_all
from tests.support.figures import a_contribution as row

FIRST = dt.date(2026, 1, 1)
DAYS = st.integers(0, 9)
TRAINED = Indicator("it", aggregate="distinct", subject="people", by=("sex", "topic"))
ROWS = st.lists(
    st.builds(
        lambda day, subject, place, sex, topic: row(
            "it", str(FIRST + dt.timedelta(days=day)), subject=subject, place=place, by=(sex, topic)
        ),
        DAYS,
        st.sampled_from(["a", "b", "c", "d\x1f", "e" * 700, None]),
        st.sampled_from(["R", "C1", None]),
        st.sampled_from(SEXES),
        st.sampled_from([*TOPICS, None]),
    ),
    max_size=3,
)
# Two days, the columns, and how many events back.
LOOKS = st.tuples(
    st.just("look"), DAYS, DAYS, st.sampled_from([("by1",), ("by1", "by2"), ("place",)]), st.sampled_from([0, 0, 0, 2])
)
STEPS = st.lists(
    st.one_of(
        LOOKS,
        LOOKS,
        st.tuples(st.just("submit"), ROWS),
        st.tuples(st.just("edit"), st.integers(0, 9), ROWS),
        st.tuples(st.just("reject"), st.integers(0, 9)),
    ),
    min_size=2,
    max_size=20,
)


@pytest.mark.parametrize(("events", "kept"), [(5_000, 120_000), (1, 120_000), (5_000, 0), (5_000, 20)])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(STEPS)
def test_what_is_kept_of_days_is_what_is_read_anew(
    session: Session, monkeypatch: pytest.MonkeyPatch, events: int, kept: int, steps: list[Any]
) -> None:
    monkeypatch.setattr("sync.indicators.days._MOST_EVENTS", events)
    monkeypatch.setattr("sync.indicators.days._MOST_KEPT", kept)
    keep_all(monkeypatch)
    world = new_world(session)
    world.publish(TRAINED)
    submissions: list[int] = []
    for step in steps:
        match step:
            case ("look", one, other, columns, back):
                assert_same(world, sorted([one, other]), columns, max(world.event - back, 1))
            case ("submit", rows):
                submissions.append(world.submit(*numbered(rows)))
            case ("edit", position, rows) if submissions:
                world.submit(*numbered(rows), submission_id=submissions[position % len(submissions)])
            case ("reject", position) if submissions:
                world.reject(submissions[position % len(submissions)])
    assert_same(world, [0, 9], ("by1",), world.event)


def numbered(rows: Sequence[Contribution]) -> list[Contribution]:
    return [replace(one, ordinal=number) for number, one in enumerate(rows)]


def assert_same(world: World, days: Sequence[int], columns: tuple[str, ...], event: int) -> None:
    reading = world.reading(event)
    definition, rows = reading.definition("it"), reading.rows
    start, end = (FIRST + dt.timedelta(days=day) for day in days)

    found = heads_between(rows, None, definition, columns, start, end)

    assert sorted_out(found) == sorted_out(rows.heads(definition, columns, rows.days(definition, start, end)))


def sorted_out(heads: Sequence[Heads]) -> list[Any]:
    return sorted((str(one.texts), one.rows, sorted(one.subjects)) for one in together(heads))


def together(heads: Sequence[Heads]) -> list[Heads]:
    """Each combination of texts once."""
    by: dict[str, Heads] = {}
    for one in heads:
        before = by.get(str(one.texts), Heads(one.texts, 0, set()))
        by[str(one.texts)] = Heads(one.texts, before.rows + one.rows, before.subjects | one.subjects)
    return [*by.values()]


def test_days_on_which_nobody_was_there_take_room_too_and_too_many_drive_out_no_others(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.indicators.days._MOST_KEPT", 100)
    keep_all(monkeypatch)
    world = new_world(session)
    world.publish(TRAINED)
    world.submit(row("it", str(FIRST), subject="a", by=("female",)))
    reading, asked = world.reading(), list[str]()
    definition = reading.definition("it")

    def reads(days: int, *columns: str, since: int = 0) -> bool:
        asked.clear()
        first = FIRST + dt.timedelta(days=since)
        heads_between(reading.rows, None, definition, columns, first, first + dt.timedelta(days=days - 1))
        return any("contributions" in statement for statement in asked)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    happening.listen(session.get_bind(), "before_cursor_execute", note)
    told = [reads(5, "by1") for _ in range(3)]
    too_many = [reads(300, "by2"), reads(300, "by2"), reads(300, "by2"), reads(5, "by1")]
    next_ones = [reads(99, "by1", since=40), reads(99, "by1", since=40), reads(5, "by1")]
    happening.remove(session.get_bind(), "before_cursor_execute", note)

    assert told == [True, True, False]  # at first all together, then day by day
    assert too_many == [True, True, True, False]
    assert next_ones == [True, False, True]


def test_nothing_is_kept_of_what_is_tried_out(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_all(monkeypatch)
    world = new_world(session)
    world.publish(TRAINED)
    world.submit(row("it", subject="a", by=("female",)))
    world.value("it", period="2026-Q2")
    before = world.value("it", period="2026-Q2")

    journal = open_journal(session, world.project_id, None, world.now)
    event, number = journal.record("submitted"), journal.new_id()
    tried = numbered([row("it", subject="b", by=("female",)), row("it", "2026-06-01", subject="c", by=("male",))])
    replace_contributions(journal, [Wanted(number, event, world.now, tried, new=True)])
    [while_tried] = figures(
        Reading(session, world.project_id, AsOf(event, world.now)), ["it"], period="2026-Q2", sees_small_cells=True
    )
    session.rollback()
    world.submit(row("it", "2026-08-01", subject="d", by=("male",)))

    assert [before, while_tried.value, world.value("it", period="2026-Q2")] == [1, 3, 1]
    assert world.event == event


def test_after_a_restore_what_was_kept_is_worth_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_all(monkeypatch)
    world = new_world(session)
    session.add(Server(id=1, epoch="one", secret=b"s" * 32, created_at=world.now))
    session.commit()
    world.publish(TRAINED)
    gone = world.submit(row("it", subject="a", by=("female",)))
    assert [world.value("it", period="2026-Q2") for _ in range(3)] == [1, 1, 1]

    session.execute(update(Server).values(epoch="two"))
    session.connection().exec_driver_sql(f"DELETE FROM contributions WHERE submission_id = {gone}")
    session.commit()

    assert world.value("it", period="2026-Q2") == 0
