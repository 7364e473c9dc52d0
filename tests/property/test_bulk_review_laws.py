"""Laws of deciding about many at once: it is what single decisions are, and undone it was nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from sync.indicators.figures import Figure, figures
from sync.indicators.moments import resolve_as_of
from sync.indicators.moving import Totals, write_totals
from sync.indicators.reading import Reading
from sync.journal import open_journal
from sync.models import Submission
from sync.review.bulk import Reviewed, Undone, preview_review, review_many, undo_review
from sync.review.decide import STATES, set_review_state
from sync.review.shifts import shifts_between
from tests.property.test_delivery_laws import deliveries, state, years
from tests.property.test_removing_laws import act, differences
from tests.support.projects import NOON, Desk, a_desk


@pytest.fixture(params=["received", "approved"])
def desk(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    return a_desk(engine, tmp_path / "files", counts=request.param)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_deciding_about_many_is_deciding_about_each_and_undone_it_was_nothing(desk: Desk, data: st.DataObject) -> None:
    with desk.sessions() as session:
        counts = open_journal(session, desk.project_id, None, NOON).project.counts
    items = data.draw(years())
    singly, together = desk.another(counts=counts), desk.another(counts=counts)
    for batch in data.draw(deliveries(items)):
        for project in (singly, together):
            project.send(batch)
    names = sorted(one.instance_id for one in together.submissions() if one.project_id == together.project_id)
    for name, decided in data.draw(
        st.dictionaries(st.sampled_from(names), st.sampled_from(STATES), max_size=3)
    ).items():
        for project in (singly, together):
            act(project, name, lambda journal, known, to=decided: set_review_state(journal, known, to))
    meant = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    wanted = data.draw(st.sampled_from(STATES))
    before = state(together)

    seen = review(together, meant, wanted, preview=True, known=data.draw(st.booleans()))
    assert state(together) == before
    assert differences(together) == []

    done = review(together, meant, wanted)
    for name in meant:
        act(singly, name, lambda journal, known: set_review_state(journal, known, wanted))
    assert (done.moved, done.shifts) == (seen.moved, seen.shifts)
    was, became = figures_at(together, done.seen), figures_at(together, None)
    moved = [name for name in became if span(was[name]) != span(became[name])]
    assert [(one.before, one.after) for one in done.shifts] == [(was[name], became[name]) for name in moved]
    assert state(together) == state(singly)
    assert differences(together) == []

    if done.bulk is not None:
        undone = undo(together, done.bulk)
        assert undone.left_out == []
        with together.sessions() as session:
            shifts = shifts_between(session, together.project_id, undone.span)
        assert [(one.after.value, one.before.value) for one in shifts] == [
            (one.before.value, one.after.value) for one in done.shifts
        ]
    assert state(together) == before
    assert differences(together) == []


def review(desk: Desk, names: list[str], wanted: str | None, preview: bool = False, known: bool = False) -> Reviewed:
    """With what there was before `known`, as it is written down, or counted."""
    with desk.sessions() as session:
        as_of = resolve_as_of(session, desk.project_id, None, NOON)
        written = orjson.loads(orjson.dumps(write_totals(Reading(session, desk.project_id, as_of))))
        totals = Totals(as_of.event, written) if known else None
        of_these = select(Submission.id).where(
            Submission.project_id == desk.project_id, Submission.instance_id.in_(names)
        )
        ids = list(session.scalars(of_these))
        if preview:
            return preview_review(lambda: open_journal(session, desk.project_id, 9, NOON), ids, wanted, known=totals)
        journal = open_journal(session, desk.project_id, 9, NOON)
        found = review_many(journal, ids, wanted)
        journal.close()
        session.commit()
        return replace(found, shifts=shifts_between(session, desk.project_id, found.span, totals))


def figures_at(desk: Desk, event: int | None) -> dict[str, Figure]:
    """Every total, counted from all contributions."""
    with desk.sessions() as session:
        as_of = resolve_as_of(session, desk.project_id, None if event is None else str(event), NOON)
        reading = Reading(session, desk.project_id, as_of)
        names = sorted(reading.definitions)
        return dict(zip(names, figures(reading, names, sees_small_cells=True), strict=True))


def span(one: Figure) -> tuple[object, ...]:
    return one.value, one.low, one.high


def undo(desk: Desk, bulk: int) -> Undone:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, 9, NOON)
        found = undo_review(journal, bulk)
        journal.close()
        session.commit()
    return found
