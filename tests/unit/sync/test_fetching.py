"""Rows that are fetched as plain tuples hold what SQLAlchemy's rows hold."""

import datetime as dt

import pytest
from sqlalchemy import Double, literal, select, union_all
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator
from sync.models import Contribution, Submission, database
from sync.models.database import fetch_rows
from tests.support.figures import World
from tests.support.figures import a_contribution as row

ROWS = Contribution.__table__


@pytest.fixture
def world(session: Session) -> World:
    made = World(session)
    made.publish(Indicator("it", aggregate="sum", value="${v}", until="${u}", by=("sex", "topic")))
    made.submit(
        row("it", "2026-05-01", value="0.5", until="2026-06-30", by=("female", ("governance", "marketing"))),
        row("it", "2026-05-01", value=-3, place="C1", ordinal=1),
        row("it", "2024-02-29", value=9_000_000_000_000, until="2024-02-29", ordinal=2, by=("",)),
    )
    return made


def test_dates_numbers_texts_and_blanks_are_the_same(world: World) -> None:
    query = select(*ROWS.c).order_by(ROWS.c.ordinal)

    found = fetch_rows(world.session.connection(), query)

    assert found == [tuple(one) for one in world.session.execute(query)]
    assert {type(one) for one in found} == {tuple}
    assert [one[ROWS.c.keys().index("day")] for one in found] == [dt.date(2026, 5, 1)] * 2 + [dt.date(2024, 2, 29)]


def test_times_json_and_several_queries_in_one_are_the_same(world: World) -> None:
    query = select(Submission.received_at, Submission.flags, Submission.counts, Submission.day)
    twice = union_all(select(ROWS.c.day, ROWS.c.until), select(ROWS.c.until, ROWS.c.day))

    assert fetch_rows(world.session.connection(), query) == [tuple(one) for one in world.session.execute(query)]
    assert sorted(fetch_rows(world.session.connection(), twice), key=str) == sorted(
        (tuple(one) for one in world.session.execute(twice)), key=str
    )


def test_fractions_are_the_same(world: World) -> None:
    query = select(literal(0.25, Double()), ROWS.c.ordinal).order_by(ROWS.c.ordinal)

    assert fetch_rows(world.session.connection(), query) == [(0.25, 0), (0.25, 1), (0.25, 2)]


def test_more_rows_than_are_taken_at_once_are_all_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    query = select(*ROWS.c).order_by(ROWS.c.ordinal)
    monkeypatch.setattr(database, "_PORTION", 2)

    found = fetch_rows(world.session.connection(), query)

    assert found == [tuple(one) for one in world.session.execute(query)]
    assert len(found) == 3


def test_nothing_found_is_no_rows(world: World) -> None:
    assert fetch_rows(world.session.connection(), select(ROWS.c.day).where(ROWS.c.ordinal > 9)) == []
