"""The ids by which OData knows the rows of repeats: hashes over the way to a row, which no database works out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from sqlalchemy import CTE, BigInteger, Select, Text, and_, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from forms.xpath.numbers import LARGEST
from sync.exports.fields import SUBMISSIONS, Table
from sync.exports.rows import WHOSE, after_repeat
from sync.models import RepeatRow, Submission
from sync.models.database import each_row, is_sqlite


def steps(tables: Sequence[Table], table: Table) -> list[tuple[str, bool]]:
    """The groups and repeats on the way to a table, each with whether it is a repeat."""
    if table.parent is None:
        return []
    *groups, last = table.within
    return [*steps(tables, table.parent), *((group, False) for group in groups), (last, True)]


def row_id(instance_id: str, way: Sequence[tuple[str, bool]], places: Sequence[int]) -> str:
    """The id of a repeat's row: SHA-1 over its way from the submission, with the positions of repeats."""
    parts = [f"{SUBMISSIONS}#{instance_id}"]
    position = iter(places)
    parts += [f"{name}#{next(position, 0) if repeated else ''}" for name, repeated in way]
    return hashlib.sha1("%%".join(parts).encode(), usedforsecurity=False).hexdigest()


def parent_id(instance_id: str, tables: Sequence[Table], table: Table, places: Sequence[int]) -> str:
    """The id of the row around a repeat's row: the instance's, or that of another iteration."""
    parent = table.parent
    if parent is None or parent.parent is None:
        return instance_id
    return row_id(instance_id, steps(tables, parent), places[:-1])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a repeat are wanted, as far as one knows: of these submissions, with these ids, inside rows with
    these. Of what is None nothing is known."""

    submissions: Collection[int] | None = None
    own: Collection[str] | None = None
    around: Collection[str] | None = None


class RowIds:
    """The ids of the wanted rows of a repeat, to be joined by queries of `sync.exports.rows` that ask for one of them.

    They are worked out once somebody does: with a repeat's newest name they change, so that none are stored.
    """

    def __init__(
        self,
        session: Session,
        project_id: int,
        form_id: str,
        tables: Sequence[Table],
        table: Table,
        wanted: Wanted,
    ) -> None:
        self._session = session
        self._at = {"project": project_id, "form": form_id, "path": table.identity}
        self._tables = tables
        self._table = table
        self._wanted = wanted

    @cached_property
    def rows(self) -> CTE:
        """The columns `submission_id`, `number`, `own` and `around`."""
        given = orjson.dumps(list(self._found())).decode()
        if is_sqlite(self._session):
            each = func.json_each(literal(given)).table_valued("value")
            parts = [func.json_extract(each.c.value, f"$[{place}]") for place in range(4)]
        else:
            each = func.jsonb_array_elements(cast(literal(given), JSONB)).table_valued("value").render_derived("each")
            parts = [func.jsonb_extract_path_text(each.c.value, str(place)) for place in range(4)]
        types = (BigInteger, BigInteger, Text, Text)
        named = zip(parts, types, ("submission_id", "number", "own", "around"), strict=True)
        listed: Select[Any] = select()
        for part, kind, name in named:
            listed = listed.add_columns(cast(part, kind).label(name))
        return listed.cte("row_ids").prefix_with("MATERIALIZED")  # or it would be read anew for each row

    def joined(self, query: Select[Any]) -> Select[Any]:
        """With the ids, if anybody has asked for them."""
        if "rows" not in self.__dict__:
            return query
        ids = self.rows.c
        return query.join(self.rows, and_(ids.submission_id == RepeatRow.submission_id, ids.number == RepeatRow.number))

    def _found(self) -> Iterator[tuple[int, int, str, str]]:
        tables, table, wanted = self._tables, self._table, self._wanted
        way, query = steps(tables, table), _PLACES
        left = None if wanted.own is None else set(wanted.own)
        if wanted.submissions is not None:
            query = query.where(RepeatRow.submission_id.in_(wanted.submissions))
        for id_, number, instance_id, places in self._each(query):
            if left is not None and not left:
                return
            own = row_id(instance_id, way, places)
            if left is not None:
                if own not in left:
                    continue
                left.remove(own)
            around = parent_id(instance_id, tables, table, places)
            if wanted.around is None or around in wanted.around:
                yield id_, number, own, around

    def _each(self, query: Select[Any]) -> Iterator[tuple[Any, ...]]:
        """What `_PLACES` finds, portion by portion: whoever has found what they seek reads no further."""
        seen, number, lacking = LARGEST, 0, 0
        while not lacking:
            lacking = _AT_ONCE
            given = {**self._at, "seen": seen, "number": number, "most": _AT_ONCE}
            for row in each_row(self._session.connection(), query, given):
                seen, number, lacking = row[0], row[1], lacking - 1
                yield row


_AT_ONCE = 5_000
# The newest first: what somebody asks for is new, as a rule.
_PLACES = (
    select(RepeatRow.submission_id, RepeatRow.number, Submission.instance_id, RepeatRow.places)
    .join(Submission, WHOSE)
    .where(
        RepeatRow.project_id == bindparam("project"),
        RepeatRow.form_id == bindparam("form"),
        RepeatRow.path == bindparam("path"),
        after_repeat(bindparam("seen", type_=Submission.id.type), bindparam("number", type_=Submission.id.type)),
    )
    .order_by(RepeatRow.submission_id.desc(), RepeatRow.number)
    .limit(bindparam("most"))
)
