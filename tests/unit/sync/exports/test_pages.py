"""Pages of rows that are made while the database makes the next."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from sync.exports.fields import tables_of
from sync.exports.pages import Sought, submission_page
from sync.exports.rows import SubmissionRow
from tests.support.projects import NOON, a_desk, a_sale, instance_id


def test_a_row_of_which_nothing_can_be_made_leaves_the_database_ready_for_the_next_question(
    engine: Engine, tmp_path: Path
) -> None:
    desk = a_desk(engine, tmp_path / "files")
    desk.send([a_sale(number) for number in range(1, 121)])

    def fail_at_the_third(row: SubmissionRow) -> str:
        if row.instance_id == instance_id(118):
            raise ValueError(row.instance_id)
        return row.instance_id

    with desk.sessions() as session:
        tables = tables_of(session, desk.project_id, "sale")
        sought = Sought(limit=100, now=NOON)
        with pytest.raises(ValueError, match=instance_id(118)):
            submission_page(session, desk.project_id, "sale", tables, sought, fail_at_the_third)
        page = submission_page(session, desk.project_id, "sale", tables, sought, lambda row: row.instance_id)
        session.rollback()

    assert page.rows == [instance_id(number) for number in range(120, 20, -1)]
    assert page.next is not None
