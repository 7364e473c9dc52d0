"""What neighbours say of each other does not depend on who came first: neither flags nor which copy counts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.property.test_delivery_laws import deliveries
from tests.support.projects import NOON, Desk, a_desk, instance_id

MEETING = """
    | survey  |          |          |             |           |
    | type    | name     | label    | constraint  |           |
    | date    | day      | Day      |             |           |
    | text    | group    | Group    |             |           |
    | integer | present  | Present  | . < 3       |           |
    | text    | topic    | Topic    |             |           |
    | text    | remark   | Remark   |             |           |
    | indicators |       |          |             |           |
    | name    | label    | aggregate | date       | subject   |
    | groups  | Groups   | distinct  | ${day}     | ${group}  |
"""
Item = dict[str, Any]


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


@st.composite
def meetings(draw: st.DrawFn) -> list[Item]:
    """Meetings of few groups on few days, so that many are neighbours; some corrected, some saved twice."""
    items: list[Item] = []
    for number in range(1, draw(st.integers(2, 6)) + 1):
        name = number * 100
        original = a_meeting(draw, name)
        items.append(original)
        for step in range(draw(st.integers(0, 2))):
            edit = a_meeting(draw, name + step + 1)
            items.append({**edit, "edits": instance_id(name + step)})
        if draw(st.booleans()):
            moment = dt.datetime.fromisoformat(original["recorded_at"]) + dt.timedelta(hours=draw(st.integers(0, 30)))
            items.append({**original, "instance_id": instance_id(name + 50), "recorded_at": moment.isoformat()})
    return items


def a_meeting(draw: st.DrawFn, number: int) -> Item:
    moment = NOON - dt.timedelta(days=9) + dt.timedelta(hours=draw(st.integers(0, 40)))
    return {
        "instance_id": instance_id(number),
        "form": "meeting",
        "version": "1",
        "recorded_at": moment.isoformat(),
        "answers": {
            "day": draw(st.sampled_from(["2026-11-01", "2026-11-02"])),
            "group": draw(st.sampled_from(["Benkadi", "Sabugnuma"])),
            "present": draw(st.integers(1, 3)),
            "topic": "shea",
            "remark": "dry",
        },
    }


def told(desk: Desk) -> list[tuple[Any, ...]]:
    rows = [row for row in desk.submissions() if row.project_id == desk.project_id]
    names = {row.id: row.instance_id for row in rows}
    return [
        (
            row.instance_id,
            row.current_instance_id,
            names.get(row.double_of or 0),
            row.counts,
            sorted(map(tuple, row.flags)),
        )
        for row in rows
    ]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_of_arrival_gives_the_same_flags(desk: Desk, data: st.DataObject) -> None:
    items = data.draw(meetings())
    one_by_one, shuffled = desk.another(), desk.another()
    for project in (one_by_one, shuffled):
        project.publish("meeting", "1", MEETING)
    for item in items:
        one_by_one.send([item])

    for batch in data.draw(deliveries(items)):
        shuffled.send(batch)

    assert told(shuffled) == told(one_by_one)
