"""Laws of deciding about many at once: it is what single decisions are, and undone it was nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from sync.journal import open_journal
from sync.models import Submission
from sync.review.bulk import Reviewed, Undone, review_many, undo_review
from sync.review.decide import STATES, set_review_state
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

    seen = review(together, meant, wanted, preview=True)
    assert state(together) == before
    assert differences(together) == []

    done = review(together, meant, wanted)
    for name in meant:
        act(singly, name, lambda journal, known: set_review_state(journal, known, wanted))
    assert (done.moved, done.shifts) == (seen.moved, seen.shifts)
    assert state(together) == state(singly)
    assert differences(together) == []

    if done.bulk is not None:
        undone = undo(together, done.bulk)
        assert undone.left_out == []
        assert [(one.after.value, one.before.value) for one in undone.shifts] == [
            (one.before.value, one.after.value) for one in done.shifts
        ]
    assert state(together) == before
    assert differences(together) == []


def review(desk: Desk, names: list[str], wanted: str | None, preview: bool = False) -> Reviewed:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, 9, NOON)
        of_these = select(Submission.id).where(
            Submission.project_id == desk.project_id, Submission.instance_id.in_(names)
        )
        found = review_many(journal, list(session.scalars(of_these)), wanted, preview=preview)
        journal.close()
        session.commit()
    return found


def undo(desk: Desk, bulk: int) -> Undone:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, 9, NOON)
        found = undo_review(journal, bulk)
        journal.close()
        session.commit()
    return found
