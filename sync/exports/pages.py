"""A page of rows for OData: filtered, searched and ordered by any question, and where the next one begins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    Numeric,
    Select,
    String,
    UnaryExpression,
    and_,
    cast,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session

from forms.xpath.numbers import LARGEST
from sync.errors import Unexpected
from sync.exports.among import Order, plain_key
from sync.exports.fields import SUBMISSIONS, Table
from sync.exports.filters import compile_filter, compile_order, compile_search, names_in, texts_of
from sync.exports.naming import DELETED, among_of, parent_key
from sync.exports.row_ids import RowIds, Wanted
from sync.exports.rows import (
    WHOSE,
    Reader,
    RepeatedRow,
    SubmissionRow,
    after_repeat,
    count_repeats,
    count_submissions,
    repeats_by_id,
    repeats_of,
    submissions_by_id,
    submissions_of,
)
from sync.models import CURRENT, RepeatRow, Submission, SubmissionVersion
from sync.models.base import UtcDateTime
from sync.models.probing import rows_of_ids

Row = TypeVar("Row")
Made = TypeVar("Made")
Place = dict[str, Any]
_LARGEST_POWER = 10_000  # of ten, in a number to order by


@dataclass(frozen=True, slots=True)
class Sought:
    """What rows are wanted. `after` is the place of the last row that one has seen, `of` keeps to one submission."""

    limit: int
    now: dt.datetime
    filter: str | None = None
    search: str | None = None
    orderby: str | None = None
    skip: int = 0
    after: Place | None = None
    count: bool = False
    identifying: bool = True
    of: int | None = None


@dataclass(frozen=True, slots=True)
class RowsPage(Generic[Row]):
    """`next` is the place after which the next page begins, None on the last; `count` is of all pages, if wanted."""

    rows: Sequence[Row]
    next: Place | None
    count: int | None


def submission_page(
    session: Session,
    project_id: int,
    form_id: str,
    tables: Sequence[Table],
    sought: Sought,
    make: Callable[[SubmissionRow], Made],
) -> RowsPage[Made]:
    """What `make` makes of each row, the newest first unless an order is wanted.

    Raises BadFilter for what cannot be asked, Unexpected for a place that is none of this listing.
    """
    where, orders = _asked(session, tables, tables[0], sought)
    meant = _meant(session, project_id, form_id, sought, "__id")
    if meant is not None:
        where.append(Submission.id.in_(meant))
    deleted = _asks_for_deleted(sought)
    reader = Reader(session, project_id, form_id, tables)
    if where or orders or sought.skip:
        query = submissions_of(deleted=deleted).where(*where).order_by(*sorted_by(orders), Submission.id.desc())
        if sought.after is not None:
            query = query.where(after_place(orders, sought.after, Submission.id < _number(sought.after, "id")))
        found = reader.read(query.offset(sought.skip or None).limit(sought.limit + 1))
    else:
        (seen,) = _seen(sought, "id")
        found = reader.read(submissions_by_id(), streamed=True, seen=seen, most=sought.limit + 1)
    rows, lasts = _cut(found, sought.limit, make)
    following = None
    for last in lasts:
        following = {"id": last.id} | _values(session, project_id, orders, last.id, None)
    count = None
    if sought.count:
        count = count_submissions(session, project_id, form_id, where=_all(where), deleted=deleted)
    return RowsPage(rows, following, count)


def repeat_page(
    session: Session,
    project_id: int,
    form_id: str,
    tables: Sequence[Table],
    table: Table,
    sought: Sought,
    make: Callable[[RepeatedRow], Made],
) -> RowsPage[Made]:
    """The rows of a repeat by the order of their submissions, as `submission_page`."""
    around = plain_key(parent_key(tables, table))
    outermost = table.parent is tables[0]
    meant = _meant(session, project_id, form_id, sought, f"$root/{SUBMISSIONS}/__id", *([around] if outermost else []))
    wanted = Wanted(meant, _texts(sought, "__id"), None if outermost else _texts(sought, around))
    ids = RowIds(session, project_id, form_id, tables, table, wanted)
    where, orders = _asked(session, tables, table, sought, ids)
    if meant is not None:
        where.append(RepeatRow.submission_id.in_(meant))
    deleted = _asks_for_deleted(sought)
    reader = Reader(session, project_id, form_id, tables)
    if where or orders or sought.skip:
        query = repeats_of(deleted=deleted).where(*where)
        if sought.filter or sought.orderby or sought.search:
            query = ids.joined(query.join(SubmissionVersion, CURRENT))
        query = query.order_by(*sorted_by(orders), RepeatRow.submission_id.desc(), RepeatRow.number)
        if sought.after is not None:
            rest = after_repeat(_number(sought.after, "id"), _number(sought.after, "number"))
            query = query.where(after_place(orders, sought.after, rest))
        found = reader.read_repeats(query.offset(sought.skip or None).limit(sought.limit + 1), table)
    else:
        seen, number = _seen(sought, "id", "number")
        given = {"seen": seen, "number": number, "most": sought.limit + 1}
        found = reader.read_repeats(repeats_by_id(), table, streamed=True, **given)
    rows, lasts = _cut(found, sought.limit, make)
    following = None
    for last in lasts:
        following = {"id": last.submission_id, "number": last.number}
        following |= _values(session, project_id, orders, last.submission_id, (form_id, table, last.number, ids))
    count = None
    if sought.count:
        count = count_repeats(session, project_id, form_id, table, where=_all(where), deleted=deleted, join=ids.joined)
    return RowsPage(rows, following, count)


def _cut(found: Generator[Row, None, None], limit: int, make: Callable[[Row], Made]) -> tuple[list[Made], list[Row]]:
    """So many rows, and if one more follows, which is looked for at most, the last of them."""
    rows: list[Made] = []
    last, follows = [], False
    with closing(found):  # until then nothing else may be asked
        for row in found:
            if follows := len(rows) == limit:
                continue
            rows.append(make(row))
            last = [row]
    return rows, last if follows else []


def _asked(
    session: Session, tables: Sequence[Table], table: Table, sought: Sought, ids: RowIds | None = None
) -> tuple[list[ColumnElement[bool]], list[Order]]:
    """Which rows are wanted, and in which order; mostly all of them, as they come."""
    if not (sought.filter or sought.search or sought.orderby):
        return [], []
    among = among_of(session, tables, table, now=sought.now, identifying=sought.identifying, ids=ids)
    where = []
    if sought.filter:
        where.append(compile_filter(sought.filter, among))
    if sought.search:
        where.append(compile_search(sought.search, among))
    return where, compile_order(sought.orderby, among) if sought.orderby else []


def _meant(session: Session, project_id: int, form_id: str, sought: Sought, *names: str) -> list[int] | None:
    """The submissions that alone can be meant, where the filter says that one of the names, which stand for ids of
    instances, is equal to some: an index leads to them, and no others are looked at."""
    if sought.of is not None:
        return [sought.of]
    said = [texts for name in names if (texts := _texts(sought, name)) is not None]
    if not said:
        return None
    version = SubmissionVersion
    fixed = [(version.project_id, project_id), (version.form_id, form_id)]
    ids = sorted(frozenset.intersection(*said))
    found = rows_of_ids(session.connection(), [version.submission_id], fixed, version.instance_id, ids)
    return [submission_id for (submission_id,) in found]


def _texts(sought: Sought, name: str) -> frozenset[str] | None:
    return texts_of(sought.filter, name) if sought.filter else None


def _seen(sought: Sought, *names: str) -> list[int]:
    """Where rows in their own order go on; before the first one, an id that is larger than all."""
    if sought.after is None:
        return [LARGEST, *(0 for _ in names[1:])]
    _require_place([], sought.after)
    return [_number(sought.after, name) for name in names]


def _all(where: Sequence[ColumnElement[bool]]) -> ColumnElement[bool] | None:
    return and_(*where) if where else None


def _asks_for_deleted(sought: Sought) -> bool:
    """Deleted ones are left out unless the filter speaks of deletion."""
    return sought.filter is not None and any(name.endswith(DELETED) for name in names_in(sought.filter))


def sorted_by(orders: Sequence[Order]) -> list[UnaryExpression[Any]]:
    """Null is less than everything, as OData has it."""
    return [
        order.value.sql.desc().nulls_last() if order.descending else order.value.sql.asc().nulls_first()
        for order in orders
    ]


def after_place(orders: Sequence[Order], place: Place, rest: ColumnElement[bool]) -> ColumnElement[bool]:
    """What comes after the place in this order; `rest` decides among equals."""
    values = _require_place(orders, place)
    for order, value in reversed(list(zip(orders, values, strict=True))):
        sql = order.value.sql
        if value is None:
            alike = and_(sql.is_(None), rest)
            rest = alike if order.descending else or_(sql.is_not(None), alike)
            continue
        bound = _bound(order.value.kind, value)
        alike = and_(sql == bound, rest)
        rest = or_(sql < bound, sql.is_(None), alike) if order.descending else or_(sql > bound, alike)
    return rest


def _require_place(orders: Sequence[Order], place: Place) -> Sequence[Any]:
    """The values of a place in this order. Raises Unexpected where it is one of another order."""
    values: Sequence[Any] = place.get("by", [])
    if len(values) != len(orders):
        raise Unexpected("$skiptoken: this is no token of this feed in this order. Begin again without it.")
    return values


def _bound(kind: str, value: Any) -> ColumnElement[Any]:
    try:
        match kind:
            case "null":
                raise ValueError
            case "moment":
                moment = dt.datetime.fromisoformat(value)
                if moment.tzinfo is None:
                    raise ValueError
                return literal(moment.astimezone(dt.UTC), UtcDateTime())
            case "boolean":
                return literal(bool(value), Boolean())
            case "number" | "number_or_text":
                if isinstance(value, int) and abs(value) <= LARGEST:
                    return literal(int(value), BigInteger())
                return _decimal(value)
            case _:
                if "\0" in str(value):
                    raise ValueError
                return literal(str(value), String())
    except (TypeError, ValueError, ArithmeticError) as error:
        raise Unexpected("$skiptoken: this is no token of this feed. Begin again without it.") from error


def _decimal(value: Any) -> ColumnElement[Any]:
    if isinstance(value, float):
        return literal(value, Float())
    number = Decimal(value)
    if number.is_finite() and abs(number.adjusted()) > _LARGEST_POWER:
        raise ValueError
    return cast(literal(str(number), String()), Numeric())


def _values(
    session: Session,
    project_id: int,
    orders: Sequence[Order],
    submission_id: int,
    repeated: tuple[str, Table, int, RowIds] | None,
) -> Place:
    """By what the last row of a page stands where it does."""
    if not orders:
        return {}
    query: Select[Any] = select(*(order.value.sql.label(f"o{place}") for place, order in enumerate(orders)))
    if repeated is None:
        query = query.select_from(Submission)
    else:
        form_id, table, number, ids = repeated
        query = ids.joined(query.select_from(RepeatRow).join(Submission, WHOSE))
        query = query.where(
            RepeatRow.project_id == project_id,
            RepeatRow.form_id == form_id,
            RepeatRow.path == table.identity,
            RepeatRow.submission_id == submission_id,
            RepeatRow.number == number,
        )
    query = query.join(SubmissionVersion, CURRENT)
    query = query.where(Submission.project_id == project_id, Submission.id == submission_id)
    return {"by": [plain(value) for value in session.execute(query).one()]}


def plain(value: Any) -> Any:
    """A value to order by, as a token holds it."""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _number(place: Place, name: str) -> int:
    found = place.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        raise Unexpected("$skiptoken: this is no token of this feed. Begin again without it.")
    return found
