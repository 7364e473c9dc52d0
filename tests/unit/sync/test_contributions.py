"""Contribution rows: what stays open, what is closed, and what nobody ever saw."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.indicators.contributing import Contribution as Wish
from forms.indicators.sheets import Indicator
from sync.indicators.contributions import (
    Wanted,
    decimal_of,
    differing,
    millionths,
    read_keys,
    replace_contributions,
    written_keys,
)
from sync.models import Contribution
from tests.support.figures import START, World
from tests.support.figures import a_contribution as row


@pytest.fixture
def world(session: Session) -> World:
    world = World(session)
    world.publish(Indicator("visits"), Indicator("sold", aggregate="sum", value="${v}", by=("sex", "topic")))
    return world


def replace(world: World, *wishes: Wish, submission_id: int = 7, new: bool = False) -> tuple[int, int]:
    """How many rows changed, and at which event."""
    with world.change("edited") as (journal, event):
        return replace_contributions(journal, [Wanted(submission_id, event, START, wishes, new)]), event


def rows(world: World) -> list[Any]:
    found = world.session.scalars(select(Contribution).order_by(Contribution.opened, Contribution.ordinal))
    return [(one.ordinal, one.value, one.opened, one.closed) for one in found]


def test_what_is_the_same_stays_open_and_what_is_not_is_closed_and_opened(world: World) -> None:
    _, first = replace(world, row("sold", value=1), row("sold", value=2, ordinal=1), new=True)
    changed, second = replace(world, row("sold", value=1), row("sold", value=3, ordinal=1))

    assert changed == 2
    assert rows(world) == [(0, 1_000_000, first, None), (1, 2_000_000, first, second), (1, 3_000_000, second, None)]


def test_the_same_again_changes_nothing(world: World) -> None:
    wish = row("sold", value="2.5", by=("female", ("governance", "marketing")), place="ML-2", baseline=1)
    replace(world, wish, new=True)

    assert replace(world, wish)[0] == 0
    assert differing(world.session, 1, [Wanted(7, 0, START, [wish], False)]) == set()
    assert differing(world.session, 1, [Wanted(7, 0, START, [], False)]) == {7}


def test_a_later_time_of_recording_is_another_row(world: World) -> None:
    replace(world, row("visits"), new=True)

    later = Wanted(7, 0, START + dt.timedelta(microseconds=1), [row("visits")], False)
    assert differing(world.session, 1, [later]) == {7}


def test_rows_opened_and_replaced_at_one_event_leave_no_trace(world: World) -> None:
    with world.change("submitted") as (journal, event):
        replace_contributions(journal, [Wanted(7, event, START, [row("sold", value=1)], True)])
        replace_contributions(journal, [Wanted(7, event, START, [row("sold", value=2)], False)])

    assert rows(world) == [(0, 2_000_000, event, None)]


def test_what_does_not_count_any_more_is_closed(world: World) -> None:
    _, first = replace(world, row("visits"), new=True)
    changed, second = replace(world)

    assert changed == 1
    assert rows(world) == [(0, None, first, second)]


def test_an_amount_that_cannot_be_stored_makes_no_contribution(world: World) -> None:
    wishes = [row("sold", value=value, ordinal=at) for at, value in enumerate(["1e13", "-1e13", "1e400", "NaN", "5"])]

    replace(world, *wishes, new=True)

    assert [value for _, value, _, _ in rows(world)] == [5_000_000]


@pytest.mark.parametrize(
    ("keys", "written"),
    [((), None), (("female",), "female"), (("Siby Nord",), "Siby Nord"), (("a", "b"), " a b "), ((" a",), "a")],
)
def test_keys_are_written_and_read_back(keys: tuple[str, ...], written: str | None) -> None:
    assert written_keys(keys) == written
    assert read_keys(written) == (tuple(key.strip() for key in keys) or (None,))


def test_millionths_round_half_to_even() -> None:
    amounts = [Decimal(text) for text in ("0.0000005", "0.0000015", "-2.5", "999999999999.9999994")]

    assert [millionths(amount) for amount in amounts] == [0, 2, -2_500_000, 999_999_999_999_999_999]
    assert decimal_of(-2_500_000) == Decimal("-2.5")
