"""Delivery is hostile: however batches are split, repeated and shuffled, the project ends the same."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from sync.indicators.recount import verify_portion
from sync.models import Contribution, Entity, Indicator, Quarantined, Submission
from tests.support.projects import NOON, Desk, a_desk, a_sale, instance_id

Item = dict[str, Any]
FULL = {"price": 900, "remark": "dry"}


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


@st.composite
def years(draw: st.DrawFn) -> list[Item]:
    """Visits, chains of edits (at most one edit of each), and visits saved twice: a year without conflicts."""
    items: list[Item] = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        base = number * 100
        seller = draw(st.sampled_from(["Awa", "Fanta"]))
        original = a_sale(base, seller=seller, sacks=draw(st.integers(0, 3)), **FULL)
        items.append(original)
        for step in range(draw(st.integers(0, 3))):
            parent = base + step
            items.append(a_sale(base + step + 1, edits=parent, sacks=draw(st.integers(0, 9)), seller=seller, **FULL))
        if draw(st.booleans()):
            hours = draw(st.integers(1, 40))
            moment = dt.datetime.fromisoformat(original["recorded_at"]) + dt.timedelta(hours=hours)
            copy = {**original, "instance_id": instance_id(base + 50), "recorded_at": moment.isoformat()}
            items.append(copy)
    return items


@st.composite
def deliveries(draw: st.DrawFn, items: list[Item]) -> list[list[Item]]:
    """The items in some order, some of them again, cut into batches."""
    again = draw(st.lists(st.sampled_from(items), max_size=4))
    order = draw(st.permutations(items + again))
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=4)))
    edges = [0, *cuts, len(order)]
    return [list(order[start:end]) for start, end in pairwise(edges) if start < end]


def state(desk: Desk) -> dict[str, Any]:
    """Everything that a person could see of the project, without the numbers that only tell the order of arrival."""
    with desk.sessions() as session:
        names = {
            row.id: row.name
            for row in session.scalars(select(Indicator).where(Indicator.project_id == desk.project_id))
        }
        submissions = {
            row.id: row for row in session.scalars(select(Submission).where(Submission.project_id == desk.project_id))
        }
        contributions = session.scalars(
            select(Contribution).where(Contribution.project_id == desk.project_id, Contribution.closed.is_(None))
        )
        entities = session.scalars(select(Entity).where(Entity.project_id == desk.project_id)).all()
        waiting = session.scalars(
            select(Quarantined.instance_id).where(
                Quarantined.project_id == desk.project_id, Quarantined.state == "open"
            )
        )
        return {
            "submissions": sorted(
                (
                    row.instance_id,
                    row.current_instance_id,
                    row.versions,
                    row.review_state,
                    row.counts,
                    submissions[row.double_of].instance_id if row.double_of else None,
                    sorted(flag[0] for flag in row.flags),
                )
                for row in submissions.values()
            ),
            "contributions": sorted(
                (
                    submissions[row.submission_id].instance_id,
                    names[row.indicator_id],
                    row.ordinal,
                    row.day,
                    row.value or 0,
                )
                for row in contributions
            ),
            "entities": sorted((row.id, row.label, sorted(row.data.items())) for row in entities if not row.withdrawn),
            "withdrawn": sorted(row.id for row in entities if row.withdrawn),
            "waiting": sorted(waiting, key=str),
        }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_splitting_repeating_and_reordering_ends_the_same(desk: Desk, data: st.DataObject) -> None:
    items = data.draw(years())
    one_by_one, shuffled = desk.another(), desk.another()
    for item in items:
        one_by_one.send([item])

    for batch in data.draw(deliveries(items)):
        shuffled.send(batch)

    assert state(shuffled) == state(one_by_one)
    assert state(shuffled)["waiting"] == []


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_was_counted_on_arrival_is_what_a_rebuild_would_count(desk: Desk, data: st.DataObject) -> None:
    project = desk.another()
    for batch in data.draw(deliveries(data.draw(years()))):
        project.send(batch)

    with project.sessions() as session:
        portion = verify_portion(session, project.project_id, 0)

    assert portion.differences == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    key=st.sampled_from(["instance_id", "form", "version", "xml", "answers", "recorded_at", "edits", "attachments"]),
)
def test_nothing_that_arrives_costs_a_good_item_its_place(desk: Desk, raw: object, key: str) -> None:
    good = a_sale(1)

    answer = desk.send([raw, {**a_sale(2), key: raw}, good], now=NOON)

    assert answer.receipts[2]["outcome"] in ("stored", "duplicate")
    assert len(answer.receipts) == 3
