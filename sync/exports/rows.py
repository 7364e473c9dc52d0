"""The rows of a form's tables, newest submissions first, read in portions of constant cost at any depth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, bindparam, case, func, not_, select
from sqlalchemy.orm import Session

from forms.xpath.numbers import LARGEST
from sync.exports.fields import Path, Table, repeats_in, tables_of
from sync.models import ATTACHED, CURRENT, Actor, Attachment, RepeatRow, Submission, SubmissionVersion
from sync.models.database import each_row
from sync.models.probing import streamed_rows_of

_AT_ONCE = 500
Answers = dict[str, Any]


@dataclass(slots=True)
class SubmissionRow:
    """A submission as it stands, with the answers of its current version by the newest names of their questions.

    `meta` in the answers holds instanceID and instanceName too. An encrypted submission has none, and a `status`.
    """

    id: int
    instance_id: str  # of the first version, by which it is named
    current_instance_id: str
    created: dt.datetime
    updated: dt.datetime  # of the last edit, review or deletion; at first it is when it came
    deleted: dt.datetime | None
    submitter_id: int
    submitter: str
    device: str | None
    user_agent: str | None
    review_state: str | None
    edits: int
    form_version: str
    instance_name: str | None
    present: int  # attachments of the current version that are here
    expected: int
    status: str | None  # None | notDecrypted | missingEncryptedFormData
    answers: Answers


@dataclass(slots=True)
class RepeatedRow:
    """One iteration of a repeat. `places` are the positions of each repeat on the way to it, from 0."""

    submission_id: int
    instance_id: str
    number: int  # in document order among those of its submission, from 0
    places: Sequence[int]
    form_version: str
    answers: Answers  # without the repeats inside


def submission_rows(
    session: Session,
    project_id: int,
    form_id: str,
    *,
    before: int | None = None,
    where: ColumnElement[bool] | None = None,
    ascending: bool = False,
    deleted: bool = False,
    undisturbed: bool = False,
) -> Generator[SubmissionRow, None, None]:
    """The newest first, or the oldest; `before` is the id of the last row that one has seen in that order.

    `where` may speak of `Submission` and of its current `SubmissionVersion`. Deleted ones are left out unless
    `deleted`. Every row that was there at the beginning comes once, however many are written meanwhile. They come with
    less work if they are `undisturbed`: if nothing else is asked of the session between the first and the last.
    """
    reader = Reader(session, project_id, form_id, tables_of(session, project_id, form_id))
    query = submissions_by_id(deleted=deleted, ascending=ascending)
    if where is not None:
        query = query.where(where)
    seen = before if before is not None else 0 if ascending else LARGEST
    lacking = 0
    while not lacking:
        lacking = _AT_ONCE
        for row in reader.read(query, streamed=undisturbed and where is None, seen=seen, most=_AT_ONCE):
            lacking -= 1
            seen = row.id
            yield row


def repeat_rows(
    session: Session,
    project_id: int,
    form_id: str,
    table: Table,
    *,
    before: tuple[int, int] | None = None,
    where: ColumnElement[bool] | None = None,
    ascending: bool = False,
    deleted: bool = False,
    undisturbed: bool = False,
) -> Generator[RepeatedRow, None, None]:
    """The rows of a repeat in the order of `submission_rows`, those of one submission in document order.

    `before` is submission and number of the last row that one has seen. `where` may speak of `RepeatRow` too.
    """
    reader = Reader(session, project_id, form_id, tables_of(session, project_id, form_id))
    query = repeats_by_id(deleted=deleted, ascending=ascending)
    if where is not None:
        query = query.join(SubmissionVersion, CURRENT).where(where)
    seen, number = before if before is not None else (0 if ascending else LARGEST, 0)
    lacking = 0
    while not lacking:
        lacking = _AT_ONCE
        streamed = undisturbed and where is None
        for row in reader.read_repeats(query, table, streamed=streamed, seen=seen, number=number, most=_AT_ONCE):
            lacking -= 1
            seen, number = row.submission_id, row.number
            yield row


@cache
def submissions_of(*, deleted: bool = False) -> Select[Any]:
    """The query for submissions, to be narrowed, ordered and given to a `Reader`, which knows of which form."""
    return (
        select(*_COLUMNS)
        .join(SubmissionVersion, CURRENT)
        .outerjoin(Actor, Actor.id == Submission.actor_id)
        .where(*_of_form(bindparam("project"), bindparam("form"), deleted=deleted))
    )


@cache
def submissions_by_id(*, deleted: bool = False, ascending: bool = False) -> Select[Any]:
    """The same, at `most` so many after the one that was `seen` last, by its id, in that order. It is made once: to put
    it together takes longer than to find the rows."""
    seen = bindparam("seen", type_=Submission.id.type)
    after = Submission.id > seen if ascending else Submission.id < seen
    order = Submission.id.asc() if ascending else Submission.id.desc()
    return submissions_of(deleted=deleted).where(after).order_by(order).limit(bindparam("most"))


@cache
def repeats_of(*, deleted: bool) -> Select[Any]:
    """The query for rows of a repeat, as `submissions_of`."""
    of_repeat = _of_repeat(bindparam("project"), bindparam("form"), bindparam("path"))
    of_form = _of_form(bindparam("project"), bindparam("form"), deleted=deleted)
    return select(*_REPEAT_COLUMNS).join(Submission, WHOSE).where(*of_repeat, *of_form)


@cache
def repeats_by_id(*, deleted: bool = False, ascending: bool = False) -> Select[Any]:
    """The same as `submissions_by_id`; the last one is known by its submission and its `number`."""
    after = after_repeat(
        bindparam("seen", type_=Submission.id.type), bindparam("number", type_=Submission.id.type), ascending=ascending
    )
    order = RepeatRow.submission_id.asc() if ascending else RepeatRow.submission_id.desc()
    return repeats_of(deleted=deleted).where(after).order_by(order, RepeatRow.number).limit(bindparam("most"))


def after_repeat(submission_id: Any, number: Any, *, ascending: bool = False) -> ColumnElement[bool]:
    """The rows of a repeat that follow this one, said so that an index leads there."""
    seen = and_(RepeatRow.submission_id == submission_id, RepeatRow.number <= number)
    # Said of both tables: a join that merges them would read one of them from its beginning otherwise.
    columns = (RepeatRow.submission_id, Submission.id)
    begun = (column >= submission_id if ascending else column <= submission_id for column in columns)
    return and_(*begun, not_(seen))


def count_submissions(
    session: Session,
    project_id: int,
    form_id: str,
    *,
    where: ColumnElement[bool] | None = None,
    deleted: bool = False,
) -> int:
    """How many rows `submission_rows` would give."""
    query = select(func.count()).where(*_of_form(project_id, form_id, deleted=deleted))
    if where is not None:
        query = query.select_from(Submission).join(SubmissionVersion, CURRENT).where(where)
    return session.scalar(query) or 0


def count_repeats(
    session: Session,
    project_id: int,
    form_id: str,
    table: Table,
    *,
    where: ColumnElement[bool] | None = None,
    deleted: bool = False,
    join: Callable[[Select[Any]], Select[Any]] | None = None,
) -> int:
    """How many rows `repeat_rows` would give. `join` adds what `where` speaks of beside."""
    query = select(func.count()).select_from(RepeatRow).join(Submission, WHOSE)
    query = query.where(
        *_of_repeat(project_id, form_id, table.identity), *_of_form(project_id, form_id, deleted=deleted)
    )
    if where is not None:
        query = query.join(SubmissionVersion, CURRENT).where(where)
    return session.scalar(join(query) if join else query) or 0


class Reader:
    """Makes rows of what is stored; renamed questions are called by their newest names."""

    def __init__(self, session: Session, project_id: int, form_id: str, tables: Sequence[Table]) -> None:
        self._session = session
        self._form = {"project": project_id, "form": form_id}
        self._tables = tables
        self._renamings: dict[tuple[str, str], Callable[[Answers], Answers] | None] = {}
        self._has_meta = frozenset(column.path[1] for column in tables[0].columns if column.path[0] == "meta")

    def read(self, query: Select[Any], *, streamed: bool = False, **given: Any) -> Generator[SubmissionRow, None, None]:
        """What a query made by `submissions_of` finds, given its other values. It may be `streamed` if it was made once
        and nothing else is asked of the database meanwhile."""
        each = streamed_rows_of if streamed else each_row
        for row in each(self._session.connection(), query, {**self._form, **given}):
            yield self._row(*row)

    def read_repeats(
        self, query: Select[Any], table: Table, *, streamed: bool = False, **given: Any
    ) -> Generator[RepeatedRow, None, None]:
        """What a query made by `repeats_of` finds of a repeat, as `read`."""
        given = {**self._form, "path": table.identity, **given}
        each = streamed_rows_of if streamed else each_row
        for id_, instance_id, number, places, version, answers in each(self._session.connection(), query, given):
            yield RepeatedRow(id_, instance_id, number, places, version, self.renamed(table, version, answers))

    def renamed(self, table: Table, version: str, answers: Answers) -> Answers:
        """The answers in a row of a table by their newest names; the very same where nothing was renamed."""
        key = (table.identity, version)
        if key not in self._renamings:
            self._renamings[key] = renaming(self._tables, table, version)
        rename = self._renamings[key]
        return rename(answers) if rename else answers

    def _row(
        self,
        id_: int,
        instance_id: str,
        current: str,
        created: dt.datetime,
        updated: dt.datetime,
        deleted: dt.datetime | None,
        submitter_id: int,
        submitter: str | None,
        device: str | None,
        agent: str | None,
        review_state: str | None,
        versions: int,
        form_version: str,
        instance_name: str | None,
        expected: int,
        missing: int,
        more_to_come: bool,
        answers: Answers | None,
    ) -> SubmissionRow:
        """Of the columns in their order."""
        status = None
        if answers is None:
            status, answers = "missingEncryptedFormData" if missing else "notDecrypted", {}
        else:
            answers = self.renamed(self._tables[0], form_version, answers)
        if self._has_meta:
            self._complete(answers, current, instance_name)
        return SubmissionRow(
            id_,
            instance_id,
            current,
            created,
            updated,
            deleted,
            submitter_id,
            submitter or "",
            device,
            agent,
            review_state,
            versions - 1,
            form_version,
            instance_name,
            expected - missing + more_to_come,  # which is counted as one that is missing
            expected,
            status,
            answers,
        )

    def _complete(self, answers: Answers, instance_id: str, instance_name: str | None) -> None:
        """What stands beside the answers in our store, and among them in a form."""
        meta = answers.get("meta")
        if not isinstance(meta, dict):
            meta = answers["meta"] = {}
        if "instanceID" in self._has_meta:
            meta["instanceID"] = instance_id
        if "instanceName" in self._has_meta:
            meta["instanceName"] = instance_name


def renaming(tables: Sequence[Table], table: Table, version: str) -> Callable[[Answers], Answers] | None:
    """Calls the answers of a version as the newest ones are called, repeats inside too; None if they are already."""
    leaves = [(column.versions[version], column.path) for column in table.columns if version in column.versions]
    inner = [
        (repeat.versions[version], repeat.within, renaming(tables, repeat, version))
        for repeat in repeats_in(tables, table)
        if version in repeat.versions
    ]
    if all(old == new for old, new in leaves) and all(old == new and deep is None for old, new, deep in inner):
        return None

    def rename(answers: Answers) -> Answers:
        found: Answers = {}
        if isinstance(answers.get("meta"), dict):
            found["meta"] = dict(answers["meta"])
        for old, new in leaves:
            value = value_at(answers, old, _ABSENT)
            if value is not _ABSENT:
                put(found, new, value)
        for old, new, deep in inner:
            value = value_at(answers, old, _ABSENT)
            if isinstance(value, list):
                put(found, new, [deep(one) for one in value] if deep else value)
        return found

    return rename


def value_at(answers: Mapping[str, Any], path: Path, absent: Any = None) -> Any:
    """The answer at a path; `absent` where there is none."""
    found: Any = answers
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return absent
        found = found[name]
    return found


def put(answers: Answers, path: Path, value: Any) -> None:
    """Place an answer at a path, making the groups on the way."""
    for name in path[:-1]:
        inner = answers.get(name)
        if not isinstance(inner, dict):
            inner = answers[name] = {}
        answers = inner
    answers[path[-1]] = value


_ABSENT = object()


def _attachments(counted: Any) -> ScalarSelect[int]:
    """How many attachments of the current version there are."""
    return select(func.count(counted)).where(ATTACHED).correlate(Submission).scalar_subquery()


PRESENT, EXPECTED = _attachments(case((Attachment.present, 1))), _attachments(Attachment.name)
WHOSE = and_(Submission.project_id == RepeatRow.project_id, Submission.id == RepeatRow.submission_id)
_COLUMNS = (
    Submission.id,
    Submission.instance_id,
    Submission.current_instance_id,
    Submission.received_at,
    Submission.updated_at,
    Submission.deleted_at,
    Submission.actor_id,
    Actor.name,
    Submission.device,
    Submission.user_agent,
    Submission.review_state,
    Submission.versions,
    Submission.form_version,
    Submission.instance_name,
    EXPECTED,
    Submission.missing,
    Submission.more_to_come,
    SubmissionVersion.answers,
)
_REPEAT_COLUMNS = (
    RepeatRow.submission_id,
    Submission.instance_id,
    RepeatRow.number,
    RepeatRow.places,
    Submission.form_version,
    RepeatRow.answers,
)


def _of_form(project_id: Any, form_id: Any, *, deleted: bool) -> list[ColumnElement[bool]]:
    where = [Submission.project_id == project_id, Submission.form_id == form_id]
    return where if deleted else [*where, Submission.deleted_at.is_(None)]


def _of_repeat(project_id: Any, form_id: Any, path: Any) -> list[ColumnElement[bool]]:
    return [RepeatRow.project_id == project_id, RepeatRow.form_id == form_id, RepeatRow.path == path]
