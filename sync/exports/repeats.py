"""The table of repeat rows: kept beside the submissions, and made anew from their answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from forms.xforms.repeated import Iteration
from sync.journal import Journal
from sync.models import RepeatRow
from sync.models.database import insert_rows
from sync.models.probing import rows_of_keys


@dataclass(frozen=True, slots=True)
class Repeated:
    """What the current version of a submission has in its repeats."""

    submission_id: int
    form_id: str
    iterations: Sequence[Iteration]
    new: bool  # there are no rows of it yet


def replace_repeat_rows(journal: Journal, repeated: Collection[Repeated]) -> None:
    """Put the rows of these submissions in place of those that they have. The submissions are there already."""
    connection, project_id = journal.connection, journal.project_id
    stale = sorted(each.submission_id for each in repeated if not each.new)
    if stale:
        connection.execute(
            delete(RepeatRow).where(RepeatRow.project_id == project_id, RepeatRow.submission_id.in_(stale))
        )
    rows = [_row(project_id, each, iteration) for each in repeated for iteration in each.iterations]
    insert_rows(connection, RepeatRow.__table__, rows)  # type: ignore[arg-type]


def differing_repeats(session: Session, project_id: int, repeated: Collection[Repeated]) -> set[int]:
    """The submissions whose rows are not as they should be."""
    ids = [(each.submission_id,) for each in repeated]
    at = (RepeatRow.project_id, project_id)
    rows = rows_of_keys(session.connection(), _COMPARED, [RepeatRow.submission_id], ids, at)
    found: dict[int, dict[tuple[str, int], Any]] = {}
    for row in rows:
        found.setdefault(row.submission_id, {})[(row.path, row.number)] = [row.form_id, row.places, row.answers]
    return {each.submission_id for each in repeated if found.get(each.submission_id, {}) != _wanted(each)}


_COMPARED = (
    RepeatRow.submission_id,
    RepeatRow.form_id,
    RepeatRow.path,
    RepeatRow.number,
    RepeatRow.places,
    RepeatRow.answers,
)


def _wanted(repeated: Repeated) -> Mapping[tuple[str, int], Any]:
    return {(one.repeat, one.number): [repeated.form_id, list(one.places), one.answers] for one in repeated.iterations}


def _row(project_id: int, repeated: Repeated, iteration: Iteration) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "form_id": repeated.form_id,
        "path": iteration.repeat,
        "submission_id": repeated.submission_id,
        "number": iteration.number,
        "places": list(iteration.places),
        "answers": iteration.answers,
    }
