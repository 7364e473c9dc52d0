"""What derives from submissions is worked out anew from the raw instances, and comes out the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select, update

from sync.indicators.recount import rebuild_portion, verify_portion
from sync.journal import open_journal
from sync.models import Contribution, Entity, EntityStep, Project, Submission, SubmissionVersion
from sync.models.database import begin_writing
from sync.review.decide import set_review_state
from tests.property.test_delivery_laws import state
from tests.support.projects import NOON, Desk, a_desk, a_sale


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    """A project with an edit, a second copy and a rejected visit in it."""
    desk = a_desk(engine, tmp_path / "files")
    full = {"price": 900, "remark": "dry"}
    first = a_sale(1, seller="Awa", **full)
    copy = {**a_sale(2, seller="Awa", **full), "recorded_at": first["recorded_at"]}
    desk.send([first, copy, a_sale(3), a_sale(4, edits=3, sacks=9), a_sale(5, sacks=-1), a_sale(6)])
    rejected = next(row for row in desk.submissions() if row.instance_id.endswith("6"))
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        set_review_state(journal, rejected.id, "rejected")
        journal.close()
        session.commit()
    return desk


def rebuild(desk: Desk) -> list[str]:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        portion = rebuild_portion(journal, 0)
        journal.close()
        session.commit()
    return list(portion.differences)


def last_event(desk: Desk) -> int:
    with desk.sessions() as session:
        return session.scalars(select(Project.last_event).where(Project.id == desk.project_id)).one()


def test_a_rebuild_of_what_is_right_changes_nothing_and_records_nothing(desk: Desk) -> None:
    before, event = state(desk), last_event(desk)

    differences = rebuild(desk)

    assert differences == []
    assert (state(desk), last_event(desk)) == (before, event)


def test_derived_rows_that_were_damaged_or_lost_come_back(desk: Desk) -> None:
    before = state(desk)
    with desk.sessions() as session:
        begin_writing(session)
        session.execute(delete(Contribution))
        session.execute(delete(EntityStep))
        session.execute(update(Entity).values(label="?", data={}))
        session.execute(update(SubmissionVersion).values(answers=None))
        session.execute(
            update(Submission).values(flags=[], fingerprint=None, subject=None, double_of=None, counts=True)
        )
        session.execute(update(Submission).where(Submission.review_state == "rejected").values(counts=False))
        session.commit()

    differences = rebuild(desk)

    assert differences != []
    assert state(desk) == before
    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []
        current = select(SubmissionVersion.answers).where(
            SubmissionVersion.instance_id == Submission.current_instance_id
        )
        assert all(session.scalars(current))
