"""Rows as OData has them: nested groups, every missing answer null, typed, with links to repeats."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from forms.spelling import did_you_mean
from forms.xpath.numbers import LARGEST
from server.odata.metadata import OF_SUBMISSIONS
from server.odata.options import Chosen
from sync.errors import Unexpected
from sync.exports.fields import SUBMISSIONS, Column, Path, Table, repeats_in
from sync.exports.flat import moment_text
from sync.exports.naming import WireNames, parent_key, wire_path
from sync.exports.row_ids import parent_id, row_id, steps
from sync.exports.rows import RepeatedRow, SubmissionRow
from sync.exports.values import DATE, MOMENT

_DATE = re.compile(f"{DATE}(?:T|$)")
_MOMENT = re.compile(MOMENT)
_FINER = re.compile(r"(?<=\.[0-9]{6})[0-9]+")  # than the schema says that moments are
Row = dict[str, Any]
Convert = Callable[[Any], Any]
# Path on the wire and among the answers; columns with the type that needs no converting; columns of files.
_Block = tuple[Path, Path, list[tuple[str, str, type | None, Convert]], list[tuple[str, str]]]
# Values of these types go out as they are; what is None here is always converted.
_EXACT: Mapping[str, type] = {
    "int": int,
    "boolean": bool,
    **dict.fromkeys(("string", "select_one", "time"), str),
}
_EMPTY: Row = {}
_UUID = re.compile(r"uuid:[0-9A-Za-z-]+")
_EVERYTHING = Chosen()
_WITH_REPEATS = Chosen(expand={"*": _EVERYTHING})
# What `__system` says about people and devices is for those who may see who is who.
_WHO = ("submitterName", "deviceId")


@dataclass(frozen=True, slots=True)
class Shown:
    """How rows are shown to this visitor. `link` makes the address under which a file is shown; None for its name."""

    identifying: bool
    wkt: bool = False
    chosen: Chosen = _EVERYTHING
    link: Callable[[str, str], str] | None = None  # of the instance's first id and the file's name


class Feed:
    """The rows of one table of a form, made by a plan that was worked out once for the answer."""

    def __init__(self, tables: Sequence[Table], table: Table, shown: Shown) -> None:
        self.tables = tables
        self.table = table
        self.shown = shown
        self.repeats = repeats_in(tables, table)
        self.names = WireNames(table, self.repeats)
        self.columns = [column for column in table.columns if shown.identifying or not column.identifying]
        self._selected = _selection(shown.chosen.select, self)
        self._blocks = self._planned()
        self._inner = self._expanded()
        links = ((self.names.of(repeat.within), repeat) for repeat in self.repeats)
        self._links = [
            (wire, repeat) for wire, repeat in links if repeat.identity in self._inner or self._wants("/".join(wire))
        ]
        self._parent_key = parent_key(tables, table)
        self._steps = steps(tables, table)

    def submission(self, row: SubmissionRow) -> Row:
        """One row of Submissions."""
        found: Row = {}
        if self._wants("__id"):
            found["__id"] = row.instance_id
        if self._wants("__system"):
            system = _system(row, who=self.shown.identifying)
            found["__system"] = system if self._selected is None else self._chosen(system)
        self._fill(found, row.answers, row.instance_id)
        if self._links:
            self._connect(found, row.answers, row.instance_id, ())
        return found

    def iteration(self, row: RepeatedRow) -> Row:
        """One row of a repeat."""
        return self._iterated(row.answers, row.instance_id, tuple(row.places))

    def _iterated(self, answers: Mapping[str, Any], instance_id: str, places: tuple[int, ...]) -> Row:
        found: Row = {}
        own = row_id(instance_id, self._steps, places)
        if self._wants("__id"):
            found["__id"] = own
        if self._wants(self._parent_key):
            found[self._parent_key] = parent_id(instance_id, self.tables, self.table, places)
        self._fill(found, answers, instance_id)
        if self._links:
            self._connect(found, answers, instance_id, places)
        return found

    def _fill(self, found: Row, answers: Mapping[str, Any], instance_id: str) -> None:
        link = self.shown.link
        for wire, path, columns, files in self._blocks:
            inner: Any = answers
            for name in path:
                inner = inner.get(name) if isinstance(inner, dict) else None
            target = found
            for name in wire:
                target = target.setdefault(name, {})
            get = inner.get if isinstance(inner, dict) else _EMPTY.get
            for called, name, exact, convert in columns:
                value = get(name)
                # Nearly all answers are just what their column holds.
                target[called] = value if value is None or type(value) is exact else convert(value)
            for called, name in files:
                value = get(name)
                target[called] = link(instance_id, str(value)) if link and value is not None else value

    def _connect(self, found: Row, answers: Mapping[str, Any], instance_id: str, places: tuple[int, ...]) -> None:
        """The links to the repeats in the row, or the repeats themselves."""
        own = address_of(instance_id, self.tables, self.table, places)
        for wire, repeat in self._links:
            target = found
            for name in wire[:-1]:
                target = target.setdefault(name, {})
            target[f"{wire[-1]}@odata.navigationLink"] = f"{own}/{'/'.join(wire)}"
            if (feed := self._inner.get(repeat.identity)) is not None:
                rows = _at(answers, repeat.within)
                target[wire[-1]] = [
                    feed._iterated(inner, instance_id, (*places, place))
                    for place, inner in enumerate(rows if isinstance(rows, list) else ())
                ]

    def _planned(self) -> list[_Block]:
        """The columns block by block: what lies in one group is fetched from it at once."""
        blocks: dict[Path, _Block] = {}
        for column in self.columns:
            wire = self.names.of(column.path)
            if not self._wants("/".join(wire)):
                continue
            group = column.path[:-1]
            block = blocks.setdefault(group, (wire[:-1], group, [], []))
            if column.kind == "binary":
                block[3].append((wire[-1], column.path[-1]))
            else:
                convert = _converter(column, wkt=self.shown.wkt)
                block[2].append((wire[-1], column.path[-1], _EXACT.get(column.kind), convert))
        return list(blocks.values())

    def _expanded(self) -> dict[str, Feed]:
        """The repeats that come inside; those in them too, if all do. Raises Unexpected for one that there is not."""
        wanted = self.shown.chosen.expand
        named = {"/".join(self.names.of(repeat.within)): repeat for repeat in self.repeats}
        for name in sorted(wanted.keys() - named.keys() - {"*"}):
            remedy = did_you_mean(name, named)
            raise Unexpected(f"$expand: there is no repeat ‘{name[:100]}’ directly in this table. {remedy}".strip())
        others = _WITH_REPEATS if "*" in wanted else None
        inside = ((repeat, wanted.get(name, others)) for name, repeat in named.items())
        return {
            repeat.identity: Feed(self.tables, repeat, replace(self.shown, chosen=chosen))
            for repeat, chosen in inside
            if chosen is not None
        }

    def _wants(self, name: str) -> bool:
        if self._selected is None:
            return True
        return any(
            name == chosen or name.startswith(f"{chosen}/") or (chosen.startswith(f"{name}/") and name == "__system")
            for chosen in self._selected
        )

    def _chosen(self, system: Row) -> Row:
        assert self._selected is not None
        if "__system" in self._selected:
            return system
        return {name: value for name, value in system.items() if f"__system/{name}" in self._selected}


def key_of(text: str) -> str:
    """A key in an address, with its quotes."""
    if _UUID.fullmatch(text):
        return f"'uuid%3A{text[5:]}'"
    return f"'{quote(text.replace(chr(39), chr(39) * 2), safe='')}'"


def address_of(instance_id: str, tables: Sequence[Table], table: Table, places: Sequence[int]) -> str:
    """The address of a row below the service root."""
    if table.parent is None:
        return f"{SUBMISSIONS}({key_of(instance_id)})"
    around = address_of(instance_id, tables, table.parent, places[:-1])
    within = wire_path(tables, table)[len(wire_path(tables, table.parent)) :]
    return f"{around}/{'/'.join(within)}('{row_id(instance_id, steps(tables, table), places)}')"


def moment(value: dt.datetime | None) -> str | None:
    """A time of our own, in UTC to the millisecond."""
    return None if value is None else moment_text(value)


def _system(row: SubmissionRow, *, who: bool) -> Row:
    created = moment_text(row.created)
    return {
        "submissionDate": created,
        "updatedAt": created if row.updated == row.created else moment_text(row.updated),
        "deletedAt": moment(row.deleted),
        "submitterId": str(row.submitter_id),
        "submitterName": row.submitter if who else None,
        "attachmentsPresent": row.present,
        "attachmentsExpected": row.expected,
        "status": row.status,
        "reviewState": row.review_state,
        "deviceId": row.device if who else None,
        "edits": row.edits,
        "formVersion": row.form_version,
    }


def _selection(select: tuple[str, ...] | None, feed: Feed) -> frozenset[str] | None:
    """The names chosen. Raises Unexpected for one that there is not."""
    if select is None:
        return None
    system = ("__system", *(f"__system/{name}" for name in OF_SUBMISSIONS))
    known = {"__id", *(system if feed.table.parent is None else [parent_key(feed.tables, feed.table)])}
    for path in [*(column.path for column in feed.columns), *(repeat.within for repeat in feed.repeats)]:
        wire = feed.names.of(path)
        known |= {"/".join(wire[:length]) for length in range(1, len(wire) + 1)}
    for name in select:
        if name not in known:
            raise Unexpected(f"$select: there is no field ‘{name[:100]}’ here. {did_you_mean(name, known)}".strip())
    return frozenset(select)


def _at(answers: Mapping[str, Any], path: Path) -> Any:
    found: Any = answers
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


# Answers that are not of their question's type are null: one of them would make a client give up the whole table.


def _converter(column: Column, *, wkt: bool) -> Convert:
    shape = _SHAPES.get(column.kind)
    if shape is not None:
        if not wkt:
            return shape
        return lambda value: _wkt(shape(value))
    found: Convert = _CONVERTERS.get(column.kind, _text)
    return found


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> Any:
    """3.0 is 3, as filters have it."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _boolean(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def _date(value: Any) -> Any:
    return _day(value) if isinstance(value, str) else None


@lru_cache(maxsize=1000)
def _day(text: str) -> str | None:
    """The same few days come again and again."""
    return text[:10] if _DATE.match(text) else None


def _dated(value: Any) -> Any:
    return _FINER.sub("", value) if isinstance(value, str) and _MOMENT.fullmatch(value) else None


_CONVERTERS: Mapping[str, Convert] = {
    "int": _whole,
    "decimal": _number,
    "boolean": _boolean,
    "date": _date,
    "dateTime": _dated,
}


def _point(value: Any) -> Row | None:
    """Longitude first, and the altitude third."""
    if not isinstance(value, list) or len(value) < 2:
        return None
    found: Row = {"type": "Point", "coordinates": [value[1], value[0], *value[2:3]]}
    if len(value) > 3:
        found["properties"] = {"accuracy": value[3]}
    return found


def _line(value: Any) -> Row | None:
    points = _points(value)
    return {"type": "LineString", "coordinates": points} if points and len(points) > 1 else None


def _area(value: Any) -> Row | None:
    points = _points(value)
    if not points or len(points) < 3:
        return None
    closed = points if points[0] == points[-1] else [*points, points[0]]
    return {"type": "Polygon", "coordinates": [closed]} if len(closed) > 3 else None


def _points(value: Any) -> list[list[float]] | None:
    """Of `lat lon alt acc; lat lon …`; None if any of it is no point."""
    if not isinstance(value, str):
        return None
    points = []
    for part in value.split(";"):
        if not part.strip():
            continue
        try:
            numbers = [float(number) for number in part.split()]
        except ValueError:
            return None
        if len(numbers) < 2 or not all(abs(number) < 1e9 for number in numbers):
            return None
        points.append([numbers[1], numbers[0], *numbers[2:3]])
    return points


def _wkt(shape: Row | None) -> str | None:
    if shape is None:
        return None
    inner = shape["coordinates"]
    match shape["type"]:
        case "Point":
            return f"POINT ({_spaced(inner)})"
        case "LineString":
            return f"LINESTRING ({','.join(map(_spaced, inner))})"
        case _:
            return f"POLYGON (({','.join(map(_spaced, inner[0]))}))"


def _spaced(point: Sequence[float]) -> str:
    return " ".join(f"{number:.15g}" for number in point)


_SHAPES: Mapping[str, Callable[[Any], Row | None]] = {"geopoint": _point, "geotrace": _line, "geoshape": _area}
