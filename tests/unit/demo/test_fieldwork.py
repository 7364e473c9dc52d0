"""How a year is cut into the times at which tablets send, and who keeps what back."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from demo.fieldwork import Fieldwork, item_of, rounds_of
from demo.visits import Visit

FIRST_DAY = dt.datetime(2025, 4, 1, 8, tzinfo=dt.UTC)


def a_visit(number: int, **more: Any) -> Visit:
    told = {"tablet": number % 60, "form": "sale", "version": "1", "instance_id": f"uuid:{uuid.UUID(int=number)}"}
    return Visit(
        **{**told, "answers": {"sacks": number}, "recorded_at": FIRST_DAY + dt.timedelta(hours=number), **more}
    )


def test_every_visit_is_sent_once_in_the_order_in_which_it_was_made() -> None:
    visits = [a_visit(number) for number in range(500)]

    parts, contradicting = rounds_of(visits, {"sale": "1"})

    assert [visit for part in parts for visit in part] == visits
    assert contradicting == []


def test_the_first_part_ends_when_an_unpublished_version_has_been_in_use_for_a_while() -> None:
    visits = [a_visit(number, version="2" if number % 4 == 0 else "1") for number in range(500)]

    parts, _ = rounds_of(visits, {"sale": "1"})

    assert sum(visit.version == "2" for visit in parts[0]) == 25
    assert len(parts[0]) < 110


def test_every_month_is_sent_by_itself_and_each_tablet_in_its_week() -> None:
    visits = [a_visit(number * 12) for number in range(150)]
    field = Fieldwork(project=1, port=1, tokens=["token"] * 60, seed=7)

    parts, _ = rounds_of(visits, {"sale": "1"})

    months = [{visit.recorded_at.month for visit in part} for part in parts if part]
    assert months == [{4}, {5}, {6}]
    first, second = field.weeks
    assert sorted([*first, *second], key=lambda tablet: tablet.name) == field.tablets


def test_what_contradicts_an_earlier_visit_comes_last() -> None:
    first = a_visit(1)
    edit = a_visit(2, edits=first.instance_id)
    other_edit = a_visit(3, edits=first.instance_id)
    same_id = a_visit(4, instance_id=first.instance_id)

    parts, contradicting = rounds_of([first, edit, other_edit, same_id], {})

    assert [visit for part in parts for visit in part] == [first, edit]
    assert contradicting == [other_edit, same_id]


def test_the_late_tablet_brings_its_visits_one_time_later_and_all_of_them_in_the_end() -> None:
    field = Fieldwork(project=1, port=1, tokens=["token"] * 60, seed=7)
    first, second = a_visit(1, tablet=field.late), a_visit(2, tablet=field.late)

    held: list[int] = []
    for visits in ([first], [second]):
        field.collect(visits)
        held.append(len(field.tablets[field.late].records))
    field.come_in()
    held.append(len(field.tablets[field.late].records))

    assert held == [0, 1, 2]


def test_a_wrong_clock_dates_the_visit_and_nothing_else() -> None:
    item = item_of(a_visit(1), dt.timedelta(days=-400))

    assert item["recorded_at"] == (FIRST_DAY + dt.timedelta(hours=1, days=-400)).isoformat()
    assert item["answers"] == {"sacks": 1}


def test_the_same_seed_gives_the_same_tablets_their_troubles() -> None:
    one, same, other = (Fieldwork(project=1, port=1, tokens=["token"] * 60, seed=seed) for seed in (7, 7, 8))

    assert (one.late, one.backwards, one.clock_errors) == (same.late, same.backwards, same.clock_errors)
    assert one.clock_errors != other.clock_errors
