"""A form in the bin and out of it again: what derives from its submissions goes, and comes back the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from sync.errors import NotFound
from sync.indicators.recount import verify_portion
from sync.journal import Journal, open_journal
from sync.models import Contribution, Form
from sync.projects.lifecycle import delete_form, restore_form
from tests.support.projects import NOON, Desk, a_desk, a_sale


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    desk = a_desk(engine, tmp_path / "files")
    desk.send([a_sale(1), a_sale(2), a_sale(3, edits=2, sacks=9)])
    return desk


def change(desk: Desk, act: object) -> None:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        act(journal)  # type: ignore[operator]
        journal.close()
        session.commit()


def counted(desk: Desk) -> int:
    with desk.sessions() as session:
        return session.scalar(select(func.count()).select_from(Contribution).where(Contribution.closed.is_(None))) or 0


def differences(desk: Desk) -> list[str]:
    with desk.sessions() as session:
        return list(verify_portion(session, desk.project_id, 0).differences)


def number_of(desk: Desk) -> int:
    with desk.sessions() as session:
        return session.scalars(select(Form.number)).one() or 0


def test_a_deleted_form_contributes_nothing_and_a_rebuild_agrees(desk: Desk) -> None:
    before = counted(desk)

    change(desk, lambda journal: delete_form(journal, "sale"))
    deleted = counted(desk)
    desk.rebuild()

    assert (before, deleted, counted(desk)) == (4, 0, 0)
    assert differences(desk) == []


def test_a_restored_form_has_everything_that_it_had_and_what_waited(desk: Desk) -> None:
    change(desk, lambda journal: delete_form(journal, "sale"))
    waiting = desk.outcomes(a_sale(4))

    change(desk, lambda journal: restore_form(journal, number_of(desk)))

    assert waiting == ["quarantined"]
    assert counted(desk) == 6
    assert differences(desk) == []
    assert desk.outcomes(a_sale(4)) == ["duplicate"]


def test_a_form_that_is_not_in_the_bin_cannot_be_taken_out_of_it(desk: Desk) -> None:
    def act(journal: Journal) -> None:
        with pytest.raises(NotFound):
            restore_form(journal, number_of(desk))
        with pytest.raises(NotFound):
            delete_form(journal, "sale") or delete_form(journal, "sale")

    change(desk, act)
