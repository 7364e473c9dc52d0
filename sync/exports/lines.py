"""JSON lines: a submission on each, its answers nested as in the form, repeats as lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from sync.exports.csvfiles import Tally
from sync.exports.fields import Table, repeats_in
from sync.exports.flat import moment_text
from sync.exports.growing import Sink
from sync.exports.rows import SubmissionRow
from sync.exports.source import Source

_AT_ONCE = 64
# What we know of a submission beside its answers, by OData's names.
SYSTEM: Mapping[str, Callable[[SubmissionRow], Any]] = {
    "submissionDate": lambda row: moment_text(row.created),
    "updatedAt": lambda row: moment_text(row.updated),
    "deletedAt": lambda row: moment_text(row.deleted) if row.deleted else None,
    "submitterId": lambda row: str(row.submitter_id),
    "submitterName": lambda row: row.submitter,
    "attachmentsPresent": lambda row: row.present,
    "attachmentsExpected": lambda row: row.expected,
    "status": lambda row: row.status,
    "reviewState": lambda row: row.review_state,
    "deviceId": lambda row: row.device,
    "edits": lambda row: row.edits,
    "formVersion": lambda row: row.form_version,
}

# name → what becomes of the answer under it: None keeps it, a function changes it.
Shape = dict[str, "Callable[[Any], Any] | None"]


def write_lines(source: Source, sink: Sink) -> int:
    """The submissions, the newest first; gives how many. Answers are as the batch interface takes them."""
    tally = Tally()
    keep = _keeper(source, source.tables[0])
    lines: list[bytes] = []
    for row in tally(source.submissions()):
        lines.append(_line({"__id": row.instance_id, "__system": system_of(row), **keep(row.answers)}))
        if len(lines) == _AT_ONCE:
            sink.write(b"".join(lines))
            lines.clear()
    sink.write(b"".join(lines))
    return tally.rows


def system_of(row: SubmissionRow) -> dict[str, Any]:
    """What stands under the names of SYSTEM."""
    return {name: get(row) for name, get in SYSTEM.items()}


def _line(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _keeper(source: Source, table: Table) -> Callable[[Any], Any]:
    """A function that keeps, of the answers in a row of the table, those that it has columns for."""
    leaves: list[tuple[Sequence[str], Any]] = []
    for column in table.columns:
        disguise = source.pseudonym if source.pseudonym is not None and column.identifying else None
        leaves.append((column.path, disguise))
    for repeat in repeats_in(source.tables, table):
        leaves.append((repeat.within, _each(_keeper(source, repeat))))
    return _shaped(leaves)


def _shaped(leaves: Sequence[tuple[Sequence[str], Any]]) -> Callable[[Any], Any]:
    here: Shape = {path[0]: change for path, change in leaves if len(path) == 1}
    inner: dict[str, list[tuple[Sequence[str], Any]]] = {}
    for path, change in leaves:
        if len(path) > 1:
            inner.setdefault(path[0], []).append((path[1:], change))
    for name, below in inner.items():
        here[name] = _shaped(below)

    def keep(answers: Any) -> Any:
        if not isinstance(answers, Mapping):
            return None
        found = {}
        for name, value in answers.items():
            if name in here:
                change = here[name]
                found[name] = value if change is None or value is None else change(value)
        return found

    return keep


def _each(keep: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda rows: [keep(row) for row in rows] if isinstance(rows, list) else None
