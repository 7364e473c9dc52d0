"""The clock of an installation for practice, as every process of it reads it."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import clock
from server.settings import SettingsFaulty

MARCH = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
A_MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    clock.follow(tmp_path)
    yield tmp_path
    clock.turn(None)


def test_a_clock_that_nobody_has_turned_is_right() -> None:
    assert not clock.is_behind()
    assert abs(clock.now() - clock.true_now()) < A_MINUTE


def test_a_clock_that_was_turned_goes_on_from_there_in_every_process_that_follows_it(folder: Path) -> None:
    clock.turn(MARCH)
    turned = clock.now()
    clock.follow(folder)  # as another process does

    assert clock.is_behind()
    assert MARCH <= turned <= clock.now() < MARCH + A_MINUTE
    assert clock.true_now() - clock.now() > dt.timedelta(days=1)


def test_a_moment_is_one_of_whole_milliseconds_whether_the_clock_was_turned_or_not() -> None:
    right = [clock.now() for _ in range(5)]
    clock.turn(MARCH)

    assert not any(moment.microsecond % 1000 for moment in (*right, clock.now()))


def test_each_turn_is_followed_at_once_and_so_is_the_end_of_it() -> None:
    seen = []
    for days in (0, 30, 60):
        clock.turn(MARCH + dt.timedelta(days=days))
        seen.append((clock.now() - MARCH).days)
    clock.turn(None)

    assert seen == [0, 30, 60]
    assert not clock.is_behind()


def test_a_damaged_clock_stops_no_server_that_runs_and_is_told_to_whoever_starts_one(folder: Path) -> None:
    clock.turn(MARCH)
    assert clock.is_behind()
    (folder / clock.FILE).write_text("half a li")

    assert MARCH <= clock.now() < MARCH + A_MINUTE
    with pytest.raises(SettingsFaulty, match=r"clock says by how many seconds .* Remove it"):
        clock.follow(folder)
