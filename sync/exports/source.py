"""What an export reads: one form's tables and rows as all stood at one moment, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, func, select, true
from sqlalchemy.orm import Session

from sync.exports.disguise import disguised
from sync.exports.fields import Table
from sync.exports.flat import Outlet, Take, Words, outlets_of
from sync.exports.opening import Opener
from sync.exports.options import Options
from sync.exports.rows import RepeatedRow, SubmissionRow, repeat_rows, submission_rows
from sync.models import CURRENT, Actor, FormVersion, RepeatRow, Submission, SubmissionVersion


@dataclass(frozen=True)
class State:
    """What an export depends on beside its options; equal states make equal files."""

    rows: int
    said: str


@dataclass
class Source:
    """One form's data for one export, with the columns that it is to have."""

    session: Session
    project_id: int
    form_id: str
    options: Options
    tables: Sequence[Table]
    where: ColumnElement[bool] | None = None
    opener: Opener | None = None
    pseudonym: Take | None = None
    deleted: bool = False  # those that were deleted too
    _begun: list[Generator[Any, None, None]] = field(default_factory=list)

    def close(self) -> None:
        """Let go of the session, and before that of rows that were not read to the end, whoever holds on to them."""
        for rows in self._begun:
            rows.close()
        self.session.close()

    @cached_property
    def meant(self) -> ColumnElement[bool] | None:
        """Which submissions are in it: those of `where`, and of these the newest up to the limit."""
        if self._last is None:
            return self.where
        within = Submission.id >= self._last
        return within if self.where is None else and_(within, self.where)

    def outlets(self, table: Table) -> list[Outlet]:
        """The columns of a file for a table."""
        # SPSS has the labels beside the values, not in their place.
        language = None if self.options.format.startswith("sav") else self.options.labels
        words = Words(self.options.group_paths, language)
        found = outlets_of(table.columns, words, split=self.options.split)
        return found if self.pseudonym is None else disguised(found, self.pseudonym)

    def submissions(self) -> Iterator[SubmissionRow]:
        """The newest first; encrypted ones opened where their key was given.

        Who sent them is said only where what identifies people is.
        """
        found = self.sent()
        opened = found if self.opener is None else map(self.opener.open, found)
        return opened if self.options.identifying else map(_without_sender, opened)

    def sent(self) -> Iterator[SubmissionRow]:
        """The same as they came."""
        rows = submission_rows(
            self.session,
            self.project_id,
            self.form_id,
            where=self.meant,
            deleted=self.deleted,
            undisturbed=self.opener is None,
        )
        self._begun.append(rows)
        return rows

    def repeats(self, table: Table) -> Iterator[RepeatedRow]:
        """The rows of a repeat: those that are stored, then those of opened submissions."""
        form = self.session, self.project_id, self.form_id
        where = self.meant
        if where is not None and self._last is not None:  # said of both tables, so that an index ends there
            where = and_(where, RepeatRow.submission_id >= self._last)
        rows = repeat_rows(*form, table, where=where, deleted=self.deleted, undisturbed=True)
        self._begun.append(rows)
        yield from rows
        if self.opener is None:
            return
        encrypted = SubmissionVersion.encrypted_key.is_not(None)
        where = encrypted if self.meant is None else and_(encrypted, self.meant)
        for row in submission_rows(*form, where=where, deleted=self.deleted):
            yield from rows_in(self.opener.open(row), table)

    def state(self) -> State:
        """How many submissions there are, and what tells this state from another one."""
        query = (
            select(
                func.count(), func.max(Submission.event), func.sum(Submission.missing), func.max(Submission.updated_at)
            )
            .where(*self._of_form())
            .select_from(Submission)
        )
        if self.where is not None:
            query = query.join(SubmissionVersion, CURRENT).where(self.where)
        rows, *rest = self.session.execute(query).one()
        versions = self.session.execute(
            select(FormVersion.version, FormVersion.sha256)
            .where(FormVersion.project_id == self.project_id, FormVersion.form_id == self.form_id)
            .order_by(FormVersion.number)
        ).all()
        people = self.session.execute(select(func.count(), func.max(Actor.updated_at))).one()
        said = repr((rows, rest, [tuple(version) for version in versions], tuple(people)))
        limit = self.options.limit
        return State(rows if limit is None else min(rows, limit), said)

    @cached_property
    def _last(self) -> int | None:
        """The id of the last submission within the limit; None where all are."""
        if self.options.limit is None:
            return None
        query = select(Submission.id).where(*self._of_form()).order_by(Submission.id.desc())
        if self.where is not None:
            query = query.join(SubmissionVersion, CURRENT).where(self.where)
        return self.session.scalar(query.offset(self.options.limit - 1).limit(1))

    def _of_form(self) -> list[ColumnElement[bool]]:
        return [
            Submission.project_id == self.project_id,
            Submission.form_id == self.form_id,
            true() if self.deleted else Submission.deleted_at.is_(None),
        ]


def open_snapshot(engine: Engine, info: Mapping[Any, Any]) -> Session:
    """A session that sees one state of the database to its end, and only reads. Whoever opens it closes it."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    session = Session(engine, info=dict(info))
    session.connection()  # begins the transaction, by which single looks go too
    return session


def _without_sender(row: SubmissionRow) -> SubmissionRow:
    """Who sent it, and from which device, tells who somebody is, like any answer that does."""
    row.submitter, row.device = "", None
    return row


def rows_in(row: SubmissionRow, table: Table) -> Iterator[RepeatedRow]:
    """The rows of a repeat inside the answers of one submission, in document order."""
    for number, (places, answers) in enumerate(_within(row.answers, table)):
        yield RepeatedRow(row.id, row.instance_id, number, places, row.form_version, answers)


def _within(answers: dict[str, Any], table: Table) -> Iterator[tuple[list[int], dict[str, Any]]]:
    if table.parent is None:
        yield [], answers
        return
    for places, outer in _within(answers, table.parent):
        found: Any = outer
        for name in table.within:
            found = found.get(name) if isinstance(found, dict) else None
        for position, one in enumerate(found if isinstance(found, list) else ()):
            if isinstance(one, dict):
                yield [*places, position], one
