"""The rows of a draft: what people filled in to try a form out. They are few, and go with the draft."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from sqlalchemy import ColumnElement, and_, func, literal, null, select
from sqlalchemy.orm import Session

from forms.xforms.repeated import iterations_of
from sync.errors import NotImplementedHere
from sync.exports.among import Among
from sync.exports.disguise import pseudonym_of, without_identity
from sync.exports.exporting import require_possible
from sync.exports.fields import Table, tables_of_draft
from sync.exports.filters import compile_filter, compile_search
from sync.exports.naming import WireNames
from sync.exports.options import Options
from sync.exports.pages import RowsPage, Sought
from sync.exports.rows import RepeatedRow, SubmissionRow
from sync.exports.source import Source
from sync.exports.values import Value, answer_value, moment_value, number_value, text_value
from sync.models import Actor, DraftSubmission, FormDraft
from sync.models.database import is_sqlite
from sync.projects.catalogue import compiled_draft
from sync.projects.drafts import draft_of

_AT_ONCE = 500


def trial_page(
    session: Session, project_id: int, form_id: str, tables: Sequence[Table], sought: Sought
) -> RowsPage[SubmissionRow]:
    """The newest first, as `submission_page`; they have no other order."""
    where = _where(session, project_id, form_id, tables, sought)
    query = select(DraftSubmission).where(*where).order_by(DraftSubmission.number.desc())
    if sought.after is not None:
        query = query.where(DraftSubmission.number < sought.after.get("id", 0))
    found = list(session.scalars(query.offset(sought.skip or None).limit(sought.limit + 1)))
    count = session.scalar(select(func.count()).select_from(DraftSubmission).where(*where)) if sought.count else None
    shown = _shown(session, draft_of(session, project_id, form_id))
    rows = [shown(trial) for trial in found[: sought.limit]]
    more = len(found) > sought.limit and bool(rows)
    return RowsPage(rows, {"id": rows[-1].id} if more else None, count)


def trial_repeat_page(
    session: Session, project_id: int, form_id: str, tables: Sequence[Table], table: Table, sought: Sought
) -> RowsPage[RepeatedRow]:
    """The rows of a repeat, as `repeat_page`. What is asked of them is asked of their submissions alone."""
    if sought.filter and "$root" not in sought.filter:
        raise NotImplementedHere("A draft's repeats are filtered by their submissions only: $root/Submissions/…")
    rows = list(_repeated(session, project_id, form_id, tables, table, sought))
    count = len(rows) if sought.count else None
    if sought.after is not None:
        seen = (-sought.after.get("id", 0), sought.after.get("number", 0))
        rows = [row for row in rows if (-row.submission_id, row.number) > seen]
    rows = rows[sought.skip :]
    page = rows[: sought.limit]
    following = {"id": page[-1].submission_id, "number": page[-1].number} if len(rows) > len(page) and page else None
    return RowsPage(page, following, count)


class Trials(Source):
    """The same for a file of rows, which holds none of the files that were sent along."""

    def sent(self) -> Iterator[SubmissionRow]:
        """The newest first."""
        yield from map(_shown(self.session, draft_of(self.session, self.project_id, self.form_id)), self._meant())

    def repeats(self, table: Table) -> Iterator[RepeatedRow]:
        """The rows of a repeat."""
        draft = draft_of(self.session, self.project_id, self.form_id)
        yield from _iterations(draft, self._meant(), table)

    def _meant(self) -> Iterable[DraftSubmission]:
        return _trials(self.session, () if self.where is None else (self.where,), self.options.limit)


def trials_for(session: Session, project_id: int, form_id: str, options: Options, now: dt.datetime) -> Trials:
    """Those that the filter of the options lets through, with the columns that the options leave.

    Raises NotFound without a draft, Unexpected for what it does not have, BadFilter.
    """
    whole = tables_of_draft(session, project_id, form_id)
    tables = whole if options.identifying else without_identity(whole, pseudonyms=options.pseudonyms)
    seen = whole if options.identifying else without_identity(whole, pseudonyms=False)
    sought = Sought(limit=0, now=now, filter=options.filter, identifying=options.identifying)
    where = and_(*_where(session, project_id, form_id, seen, sought))
    pseudonym = pseudonym_of(session, project_id) if options.pseudonyms else None
    source = Trials(session, project_id, form_id, options, tables, where=where, pseudonym=pseudonym)
    require_possible(source, whole)
    return source


def _repeated(
    session: Session, project_id: int, form_id: str, tables: Sequence[Table], table: Table, sought: Sought
) -> Iterator[RepeatedRow]:
    where = _where(session, project_id, form_id, tables, sought)
    return _iterations(draft_of(session, project_id, form_id), _trials(session, where), table)


def _trials(
    session: Session, where: Sequence[ColumnElement[bool]], limit: int | None = None
) -> Iterable[DraftSubmission]:
    query = select(DraftSubmission).where(*where).order_by(DraftSubmission.number.desc()).limit(limit)
    return session.scalars(query.execution_options(yield_per=_AT_ONCE))


def _iterations(draft: FormDraft, trials: Iterable[DraftSubmission], table: Table) -> Iterator[RepeatedRow]:
    form, _ = compiled_draft(draft)
    for trial in trials:
        for one in iterations_of(form, trial.answers):
            if one.repeat == table.identity:
                yield RepeatedRow(trial.number, trial.instance_id, one.number, one.places, draft.version, one.answers)


def _where(
    session: Session, project_id: int, form_id: str, tables: Sequence[Table], sought: Sought
) -> list[ColumnElement[bool]]:
    if sought.orderby:
        raise NotImplementedHere("A draft's rows come newest first, and in no other order.")
    where = [DraftSubmission.project_id == project_id, DraftSubmission.form_id == form_id]
    among = _among(session, tables, sought)
    if sought.filter:
        where.append(compile_filter(sought.filter, among))
    if sought.search:
        where.append(compile_search(sought.search, among))
    if sought.of is not None:
        where.append(DraftSubmission.number == sought.of)
    return [and_(*where)]


def _among(session: Session, tables: Sequence[Table], sought: Sought) -> Among:
    top, sqlite = tables[0], is_sqlite(session)
    names = WireNames(top, [table for table in tables if table.parent is top])
    version = literal(next(iter(top.versions)))
    values: dict[str, Value] = {
        "/".join(names.of(column.path)): answer_value(column, top, DraftSubmission.answers, version, sqlite=sqlite)
        for column in top.columns
        if sought.identifying or not column.identifying
    }
    values |= {
        "__id": text_value(DraftSubmission.instance_id),
        "__system/submissionDate": moment_value(DraftSubmission.received_at),
        "__system/updatedAt": moment_value(DraftSubmission.received_at),
        "__system/deletedAt": moment_value(null()),
        "__system/reviewState": text_value(null()),
        "__system/edits": number_value(literal(0)),
    }
    if sought.identifying:
        values["__system/deviceId"] = text_value(DraftSubmission.device)
    values |= {f"$root/Submissions/{name}": value for name, value in values.items()}
    return Among(values, sought.now, sqlite)


def _shown(session: Session, draft: FormDraft) -> Callable[[DraftSubmission], SubmissionRow]:
    """As rows; whoever tried the draft out is not known, so its maker stands for them."""
    maker = session.get(Actor, draft.actor_id) if draft.actor_id else None
    return partial(_row, draft.version, maker)


def _row(version: str, maker: Actor | None, trial: DraftSubmission) -> SubmissionRow:
    answers = dict(trial.answers or {})
    meta = answers.get("meta")
    answers["meta"] = {**(meta if isinstance(meta, dict) else {}), "instanceID": trial.instance_id}
    return SubmissionRow(
        id=trial.number,
        instance_id=trial.instance_id,
        current_instance_id=trial.instance_id,
        created=trial.received_at,
        updated=trial.received_at,
        deleted=None,
        submitter_id=maker.id if maker else 0,
        submitter=maker.name if maker else "",
        device=trial.device,
        user_agent=trial.user_agent,
        review_state=None,
        edits=0,
        form_version=version,
        instance_name=None,
        present=len(trial.files),
        expected=len(trial.files),
        status=None if trial.answers is not None else "notDecrypted",
        answers=answers,
    )
