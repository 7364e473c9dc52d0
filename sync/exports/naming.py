"""How columns are called on the wire of OData, and what a filter may speak of in each table."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import Session

from sync.exports.among import Among, plain_key
from sync.exports.fields import SUBMISSIONS, Column, Path, Table
from sync.exports.row_ids import RowIds
from sync.exports.rows import EXPECTED, PRESENT
from sync.exports.values import Value, answer_value, moment_value, number_value, text_value
from sync.models import Actor, RepeatRow, Submission, SubmissionVersion
from sync.models.database import is_sqlite
from sync.models.submissions import searched

_ODD = re.compile(r"[^A-Za-z0-9_]")
DELETED = "__system/deletedAt"


def wire_name(name: str) -> str:
    """A name as OData can have it: other signs become `_`, and one that begins with none of its letters gets a `_`."""
    plain = _ODD.sub("_", name)
    return plain if plain[:1].isalpha() or plain[:1] == "_" else f"_{plain}"


class WireNames:
    """The names on the wire of the columns and groups in one table, so that no two are the same, and none is one that
    each table has."""

    def __init__(self, table: Table, repeats: Sequence[Table] = ()) -> None:
        self._paths: dict[Path, Path] = {(): ()}
        self._taken: set[Path] = {("__id",), ("__system",)}
        for path in [*(column.path for column in table.columns), *(repeat.within for repeat in repeats)]:
            for length in range(1, len(path) + 1):
                self._name(path[:length])

    def of(self, path: Path) -> Path:
        """The path on the wire of a column, of a group or of a repeat directly in the table."""
        return self._paths[path]

    def _name(self, path: Path) -> None:
        if path in self._paths:
            return
        around, plain = self._paths[path[:-1]], wire_name(path[-1])
        candidate, number = plain, 1
        while (*around, candidate) in self._taken:
            number += 1
            candidate = f"{plain}_{number}"
        self._paths[path] = (*around, candidate)
        self._taken.add((*around, candidate))


def wire_path(tables: Sequence[Table], table: Table) -> Path:
    """The path of a repeat from the top, as it is called on the wire."""
    if table.parent is None:
        return ()
    beside = [other for other in tables if other.parent is table.parent]
    return wire_path(tables, table.parent) + WireNames(table.parent, beside).of(table.within)


def wire_table(tables: Sequence[Table], table: Table) -> str:
    """`Submissions`, `Submissions.visit.people`: the table as OData's service document names it."""
    return ".".join((SUBMISSIONS, *wire_path(tables, table)))


def parent_key(tables: Sequence[Table], table: Table) -> str:
    """The property of a repeat's row that names the row around it: `__Submissions-visit-id`."""
    around = wire_table(tables, table.parent) if table.parent else ""
    return f"__{around.replace('.', '-')}-id"


def among_of(
    session: Session,
    tables: Sequence[Table],
    table: Table,
    *,
    now: dt.datetime,
    identifying: bool,
    ids: RowIds | None = None,
) -> Among:
    """What a filter on rows of this table may speak of, for `compile_filter`.

    Questions by their names on the wire with `/` between, `__id`, `__system/…`; in a repeat its own questions, and
    those of its submission after `$root/Submissions/`, and where `ids` are given those of the row and of the one around
    it. Without `identifying` the questions that tell who somebody is are left out, so that nobody finds them out by
    asking. The condition is for the queries of `sync.exports.rows`, which the `ids` join.
    """
    sqlite = is_sqlite(session)
    top = tables[0]
    of_top = _system(who=identifying) | _answers(
        tables, top, searched(SubmissionVersion, sqlite=sqlite), sqlite=sqlite, identifying=identifying
    )
    values = {f"$root/{SUBMISSIONS}/{name}": value for name, value in of_top.items()}
    if table.parent is None:
        values |= of_top
    else:
        answers = searched(RepeatRow, sqlite=sqlite)
        values |= _answers(tables, table, answers, sqlite=sqlite, identifying=identifying)
    named = _ids(tables, table, ids) if ids is not None else {}
    return Among(_OnDemand(values | named), now, sqlite, unsearched=named.keys())


def _ids(tables: Sequence[Table], table: Table, ids: RowIds) -> dict[str, Callable[[], Value]]:
    outermost = table.parent is not None and table.parent.parent is None
    return {
        "__id": lambda: text_value(ids.rows.c.own),
        plain_key(parent_key(tables, table)): lambda: text_value(
            Submission.instance_id if outermost else ids.rows.c.around
        ),
    }


class _OnDemand(Mapping[str, Value]):
    """Values that are made when somebody asks: a filter names few of a form's questions."""

    def __init__(self, makers: Mapping[str, Callable[[], Value]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> Value:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _answers(
    tables: Sequence[Table], table: Table, answers: object, *, sqlite: bool, identifying: bool
) -> dict[str, Callable[[], Value]]:
    names = WireNames(table, [other for other in tables if other.parent is table])
    shown = (column for column in table.columns if identifying or not column.identifying)
    return {
        "/".join(names.of(column.path)): partial(_answer, column, table, answers, sqlite=sqlite) for column in shown
    }


def _answer(column: Column, table: Table, answers: object, *, sqlite: bool) -> Value:
    beside: Mapping[str, ColumnElement[str]] = {
        "/data/meta/instanceID": Submission.current_instance_id,  # type: ignore[dict-item]
        "/data/meta/instanceName": Submission.instance_name,  # type: ignore[dict-item]
    }
    if table.parent is None and column.identity in beside:
        return text_value(beside[column.identity])
    return answer_value(column, table, answers, Submission.form_version, sqlite=sqlite)  # type: ignore[arg-type]


def _system(*, who: bool) -> dict[str, Callable[[], Value]]:
    """What `__id` and `__system` hold of a submission; who sent it and from which device only for `who`."""
    return {name: partial(_SYSTEM.__getitem__, name) for name in _SYSTEM if who or name not in _WHO}


def _of_system() -> dict[str, Value]:
    name = select(Actor.name).where(Actor.id == Submission.actor_id).correlate(Submission).scalar_subquery()
    encrypted = case(
        (SubmissionVersion.encrypted_key.is_(None), None),
        (Submission.missing > 0, "missingEncryptedFormData"),
        else_="notDecrypted",
    )
    return {
        "__id": text_value(Submission.instance_id),
        "__system/submissionDate": moment_value(Submission.received_at),
        "__system/updatedAt": moment_value(Submission.updated_at),
        DELETED: moment_value(Submission.deleted_at),
        "__system/submitterId": Value("number_or_text", Submission.actor_id),  # type: ignore[arg-type]
        "__system/submitterName": text_value(name),
        "__system/attachmentsPresent": number_value(PRESENT),
        "__system/attachmentsExpected": number_value(EXPECTED),
        "__system/status": text_value(encrypted),
        "__system/reviewState": text_value(Submission.review_state),
        "__system/deviceId": text_value(Submission.device),
        "__system/edits": number_value(Submission.versions - 1),
        "__system/formVersion": text_value(Submission.form_version),
    }


_SYSTEM = _of_system()
_WHO = frozenset({"__system/submitterName", "__system/deviceId"})
