"""How long devices usually let pass, and which have been silent for longer."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from sync.accounts.habits import Habit, habits, usual_gap
from sync.models import Actor, Submission
from tests.support.projects import NOON, a_desk, a_sale

DAY = dt.timedelta(days=1)
EVENING = NOON + dt.timedelta(hours=6, minutes=7)


def days(*numbers: int) -> list[dt.date]:
    return [dt.date(2026, 1, 1) + DAY * number for number in numbers]


def test_usual_is_the_time_in_which_the_next_day_of_sending_came_nine_times_of_ten() -> None:
    assert usual_gap(days(0, 7, 14, 21)) == 7
    assert usual_gap(days(*range(0, 30, 3), 60)) == 3
    assert usual_gap(days(0, 1)) is None
    assert usual_gap([]) is None


@pytest.mark.parametrize(
    ("usual", "silent", "overdue"), [(7, 10, False), (7, 11, True), (1, 2, False), (1, 3, True), (None, 60, False)]
)
def test_a_device_is_overdue_when_it_is_silent_for_half_as_long_again_as_usual(
    usual: int | None, silent: int, overdue: bool
) -> None:
    assert Habit(1, "Amina", NOON, usual, silent).is_overdue is overdue


def test_a_device_that_was_never_heard_of_is_overdue_after_a_week() -> None:
    assert not Habit(1, "Amina", None, None, 7).is_overdue
    assert Habit(1, "Amina", None, None, 8).is_overdue


def test_what_devices_sent_says_what_is_usual_for_them(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path / "files")
    for week in range(5):
        desk.send([a_sale(week + 1)], now=EVENING - DAY * (60 - 7 * week))
    with desk.sessions() as session:
        session.execute(update(Actor).where(Actor.id == desk.device).values(created_at=NOON - DAY * 90))
        session.commit()
        (found,) = habits(session, desk.project_id, NOON)

        assert session.scalars(select(Submission.id)).all()
    assert (found.usual, found.silent, found.is_overdue) == (7, 32, True)
    assert found.last == EVENING - DAY * 32
