"""Laws of deletion: taken back, it was nothing, whatever else happened in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from sync.errors import NotFound
from sync.indicators.recount import verify_portion
from sync.journal import Journal, open_journal
from sync.models import SubmissionVersion
from sync.review.decide import STATES, set_review_state
from sync.review.removing import delete_submission, restore_submission
from tests.property.test_delivery_laws import Item, deliveries, state, years
from tests.support.projects import NOON, Desk, a_desk


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_deleting_and_restoring_is_nothing(desk: Desk, data: st.DataObject) -> None:
    items = data.draw(years())
    untouched, touched = desk.another(), desk.another()
    batches = data.draw(deliveries(items))
    decisions = data.draw(st.dictionaries(st.sampled_from(items).map(id_of), st.sampled_from(STATES), max_size=3))
    removed = data.draw(st.lists(st.sampled_from(items).map(id_of), unique=True, min_size=1, max_size=3))
    moment = data.draw(st.integers(0, len(batches)))

    for project in (untouched, touched):
        for batch in batches[:moment]:
            project.send(batch)
        for name, review_state in decisions.items():
            act(project, name, lambda journal, known, to=review_state: set_review_state(journal, known, to))
    for name in removed:
        act(touched, name, delete_submission)
        assert differences(touched) == []
    for batch in batches[moment:]:
        for project in (untouched, touched):
            project.send(batch)
        assert differences(touched) == []
    for name in reversed(removed):
        act(touched, name, restore_submission)

    assert state(touched) == state(untouched)
    assert differences(touched) == []


def id_of(item: Item) -> str:
    return str(item["instance_id"])


def act(desk: Desk, name: str, deed: Callable[[Journal, int], object]) -> None:
    """Do it to the submission that has this instance, if it is there and is as the deed wants it."""
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, 9, NOON)
        known = session.scalar(
            select(SubmissionVersion.submission_id).where(
                SubmissionVersion.project_id == desk.project_id, SubmissionVersion.instance_id == name
            )
        )
        try:
            if known is not None:
                deed(journal, known)
        except NotFound:
            return
        journal.close()
        session.commit()


def differences(desk: Desk) -> list[str]:
    with desk.sessions() as session:
        return list(verify_portion(session, desk.project_id, 0).differences)
