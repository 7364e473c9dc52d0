"""Answers as typed SQL expressions, for filters and orders on any question, on both databases.

An answer that is not of its question's kind is NULL here, as it is in the feed: no cast ever raises.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Numeric,
    String,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from sync.exports.fields import Column, Path, Table
from sync.models.base import UtcDateTime

# Of texts that PostgreSQL is sure to take as a date, and as a moment.
DATE = (
    r"(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
# With its zone a moment may lie outside of the years that all can reckon with: it stands at their end, then. SQLite
# would take what is later than this for the year 10000.
_EARLIEST = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_LATEST = dt.datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=dt.UTC)
MOMENT = rf"{DATE}T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?{_ZONE}"

Attribute = InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class Value:
    """Something that a filter may speak of. `kind` is number, text, boolean, date, moment, number_or_text or geo.

    A date is its ISO text, a moment a UTC time. Of geo only whether there is any can be asked.
    """

    kind: str
    sql: ColumnElement[Any]


def text_value(sql: Any) -> Value:
    return Value("text", sql)


def number_value(sql: Any) -> Value:
    return Value("number", sql)


def moment_value(sql: Any) -> Value:
    return Value("moment", sql)


def answer_value(column: Column, table: Table, answers: Attribute, version: Any, *, sqlite: bool) -> Value:
    """The answer to a question in the JSON `answers` of a row of the table; `version` is the row's form version.

    A question that was renamed or moved within its table is found at its place in each version.
    """
    kind, typed = _typed(column.kind, sqlite=sqlite)
    places: dict[Path, list[str]] = {}
    for name, path in column.versions.items():
        places.setdefault(path, []).append(name)
    if len(places) == 1 and not _shared(column, table):
        return Value(kind, typed(answers, next(iter(places))))
    found = case(*((version.in_(names), typed(answers, path)) for path, names in places.items()))
    return Value(kind, found)


def _shared(column: Column, table: Table) -> bool:
    """Whether another question stands at one of its places in some version."""
    places = set(column.versions.values())
    return any(
        other.identity != column.identity and not places.isdisjoint(other.versions.values()) for other in table.columns
    )


Typed = Callable[[Attribute, Path], ColumnElement[Any]]


def _typed(kind: str, *, sqlite: bool) -> tuple[str, Typed]:
    makers: Mapping[str, tuple[str, Typed]] = _SQLITE if sqlite else _POSTGRES
    return makers.get(kind, makers["string"])


# PostgreSQL: `#>` and `#>>` with the path as an array.


def _pg_path(path: Path) -> ColumnElement[Any]:
    return literal(list(path), ARRAY(Text()))


def _pg_json(answers: Attribute, path: Path) -> ColumnElement[Any]:
    return answers.op("#>")(_pg_path(path))


def _pg_text(answers: Attribute, path: Path) -> ColumnElement[Any]:
    return type_coerce(answers.op("#>>")(_pg_path(path)), String()).collate("C")


def _pg_is(answers: Attribute, path: Path, kind: str) -> ColumnElement[bool]:
    return func.jsonb_typeof(_pg_json(answers, path)) == kind


def _pg_number(answers: Attribute, path: Path) -> ColumnElement[Any]:
    return case((_pg_is(answers, path, "number"), cast(_pg_json(answers, path), Numeric())))


def _pg_boolean(answers: Attribute, path: Path) -> ColumnElement[Any]:
    return case((_pg_is(answers, path, "boolean"), _pg_text(answers, path) == "true"))


def _pg_date(answers: Attribute, path: Path) -> ColumnElement[Any]:
    found = _pg_text(answers, path)
    return case((found.op("~")(f"^{DATE}(T|$)"), func.left(found, 10))).collate("C")


def _pg_moment(answers: Attribute, path: Path) -> ColumnElement[Any]:
    found = _pg_text(answers, path)
    earliest, latest = (literal(end, UtcDateTime()) for end in (_EARLIEST, _LATEST))
    within = func.least(func.greatest(cast(found, UtcDateTime()), earliest), latest)
    return case((found.op("~")(f"^{MOMENT}$"), within))


def _pg_list(answers: Attribute, path: Path) -> ColumnElement[Any]:
    listed = case((_pg_is(answers, path, "array"), _pg_json(answers, path)))
    items = func.jsonb_array_elements_text(listed).table_valued("value", with_ordinality="place").render_derived()
    joined = func.string_agg(items.c.value, " ").aggregate_order_by(items.c.place)
    return select(joined).select_from(items).scalar_subquery().collate("C")


# SQLite: the JSON functions, with the path as JSONPath text.


def _lite_path(path: Path) -> str:
    return "$" + "".join(f'."{name}"' for name in path)


def _lite(answers: Attribute, path: Path) -> ColumnElement[Any]:
    return type_coerce(func.json_extract(answers, _lite_path(path)), String())


def _lite_is(answers: Attribute, path: Path, *kinds: str) -> ColumnElement[bool]:
    return func.json_type(answers, _lite_path(path)).in_(kinds)


def _lite_number(answers: Attribute, path: Path) -> ColumnElement[Any]:
    return case(
        (_lite_is(answers, path, "integer", "real"), type_coerce(_lite(answers, path), Numeric(asdecimal=False)))
    )


def _lite_boolean(answers: Attribute, path: Path) -> ColumnElement[Any]:
    return case((_lite_is(answers, path, "true", "false"), _lite(answers, path) == literal_column("1")))


def _lite_text(answers: Attribute, path: Path) -> ColumnElement[Any]:
    """As PostgreSQL writes it: true for true."""
    found = _lite(answers, path)
    return case(
        (_lite_is(answers, path, "true"), "true"),
        (_lite_is(answers, path, "false"), "false"),
        else_=cast(found, Text()),
    )


def _lite_date(answers: Attribute, path: Path) -> ColumnElement[Any]:
    found = _lite(answers, path)
    day = func.substr(found, 1, 10)
    shaped = or_(func.length(found) == 10, found.op("GLOB")("????-??-??T*"))
    return case((and_(shaped, func.date(day) == day, day >= "0001"), day))


def _lite_moment(answers: Attribute, path: Path) -> ColumnElement[Any]:
    found = _lite(answers, path)
    day = func.substr(found, 1, 10)
    zoned = or_(found.op("GLOB")("*Z"), found.op("GLOB")("*[+-][0-9][0-9]:[0-9][0-9]"))
    hour = func.substr(found, 12, 2) < "24"  # SQLite takes 24:00 for the day after
    sound = and_(found.op("GLOB")("????-??-??T??:??*"), zoned, hour, func.date(day) == day)
    earliest, latest = (literal(end, UtcDateTime()) for end in (_EARLIEST, _LATEST))
    # As the column type stores moments; SQLite reckons in milliseconds, and not beyond the year 9999.
    moment = func.max(func.strftime("%Y-%m-%d %H:%M:%f", found).op("||")("000"), earliest)
    unzoned = func.strftime("%Y", func.substr(found, 1, func.length(found) - 6))
    too_late = and_(day == "9999-12-31", found.op("GLOB")("*-[0-9][0-9]:[0-9][0-9]"), unzoned.is_not(None))
    within = case((too_late, func.coalesce(moment, latest)), else_=moment)
    return type_coerce(case((sound, within)), UtcDateTime())


def _lite_list(answers: Attribute, path: Path) -> ColumnElement[Any]:
    items = func.json_each(answers, _lite_path(path)).table_valued("value", "key")
    joined = func.group_concat(items.c.value, " ").aggregate_order_by(items.c.key)
    return case((_lite_is(answers, path, "array"), select(joined).select_from(items).scalar_subquery()))


_POSTGRES: Mapping[str, tuple[str, Typed]] = {
    "string": ("text", _pg_text),
    "int": ("number", _pg_number),
    "decimal": ("number", _pg_number),
    "boolean": ("boolean", _pg_boolean),
    "date": ("date", _pg_date),
    "dateTime": ("moment", _pg_moment),
    "select": ("text", _pg_list),
    "rank": ("text", _pg_list),
    **dict.fromkeys(("geopoint", "geotrace", "geoshape"), ("geo", _pg_text)),
}
_SQLITE: Mapping[str, tuple[str, Typed]] = {
    "string": ("text", _lite_text),
    "int": ("number", _lite_number),
    "decimal": ("number", _lite_number),
    "boolean": ("boolean", _lite_boolean),
    "date": ("date", _lite_date),
    "dateTime": ("moment", _lite_moment),
    "select": ("text", _lite_list),
    "rank": ("text", _lite_list),
    **dict.fromkeys(("geopoint", "geotrace", "geoshape"), ("geo", _lite_text)),
}


def texts_among(values: Sequence[Value]) -> list[ColumnElement[Any]]:
    """The SQL of those values that a search may look into."""
    return [value.sql for value in values if value.kind == "text"]
