"""places.csv: the tree of places that a programme works in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from forms.findings import Faulty
from forms.spelling import did_you_mean, folded
from forms.tables import Row, Table, cut, read_table, require_columns

COLUMNS = ("code", "name", "level", "parent", "latitude", "longitude", "aliases")
_CODE = re.compile(r"[^\s,;|]{1,64}")
_BETWEEN_ALIASES = re.compile(r"[|;]")


@dataclass(frozen=True, slots=True)
class Place:
    """A row of places.csv. `parent` is the code of the place around it, None at the top."""

    code: str
    name: str
    level: str
    parent: str | None
    latitude: float | None
    longitude: float | None
    aliases: tuple[str, ...]


def read_places(csv: bytes, place: str = "places.csv") -> tuple[Place, ...]:
    """Every parent before its children, otherwise in the order of the file. Raises Faulty with all that is wrong.

    Aliases are separated by `|`. Latitude and longitude are degrees (WGS 84), both or neither.
    """
    table = read_table(csv, place)
    require_columns(table, COLUMNS[:3], COLUMNS)
    if table.findings and not {"code", "name", "level"} <= set(table.columns):
        raise Faulty(table.findings)
    rows: dict[str, Row] = {}
    for row in table.rows:
        if _well_named(row, rows, table):
            rows[row.cells["code"]] = row
    places = {code: _place(row, table) for code, row in rows.items()}
    _check_parents(places, rows, table)
    _check_levels(places, rows, table)
    _check_aliases(places, rows, table)
    if table.findings:
        raise Faulty(cut(table.findings, place))
    return tuple(_parents_first(places))


def _well_named(row: Row, earlier: Mapping[str, Row], table: Table) -> bool:
    code = row.cells["code"]
    for column in ("code", "name", "level"):
        if not row.cells[column]:
            table.fault(row, column, f"The place has no {column}.", "Fill it in.")
    if not code:
        return False
    if not _CODE.fullmatch(code):
        table.fault(
            row, "code", f"‘{code}’ cannot be a code.", "Use up to 64 characters without spaces, commas or bars."
        )
        return False
    if code in earlier:
        table.fault(row, "code", f"The code ‘{code}’ is taken by row {earlier[code].number}.", "Codes are unique.")
        return False
    return True


def _place(row: Row, table: Table) -> Place:
    cells = row.cells
    latitude = _degrees(row, "latitude", 90, table)
    longitude = _degrees(row, "longitude", 180, table)
    if bool(cells.get("latitude")) != bool(cells.get("longitude")):
        missing = "longitude" if cells.get("latitude") else "latitude"
        table.fault(row, missing, f"The {missing} is missing.", "Give both or neither.")
    aliases = (alias.strip() for alias in _BETWEEN_ALIASES.split(cells.get("aliases", "")))
    return Place(
        code=cells["code"],
        name=cells["name"],
        level=cells["level"],
        parent=cells.get("parent") or None,
        latitude=latitude,
        longitude=longitude,
        aliases=tuple(alias for alias in aliases if alias),
    )


def _degrees(row: Row, column: str, limit: int, table: Table) -> float | None:
    text = row.cells.get(column, "")
    if not text:
        return None
    try:
        degrees = Decimal(text)
    except InvalidOperation:
        table.fault(
            row, column, f"‘{text}’ is not a number of degrees.", "Write it like 12.3714, with a point and no unit."
        )
        return None
    if not degrees.is_finite() or abs(degrees) > limit:
        table.fault(row, column, f"{text} is not between -{limit} and {limit}.", "Look whether the two are swapped.")
        return None
    return float(degrees)


def _check_parents(places: Mapping[str, Place], rows: Mapping[str, Row], table: Table) -> None:
    settled: set[str] = set()
    for code, place in places.items():
        if place.parent is not None and place.parent not in places:
            table.fault(
                rows[code],
                "parent",
                f"‘{place.parent}’ is not the code of a place in this file.",
                did_you_mean(place.parent, places) or "Add it, or leave the cell empty for a place at the top.",
            )
        circle = _circle(places, code, settled)
        if circle:
            table.fault(
                rows[code], "parent", f"The places lie in each other: {' → '.join(circle)}.", "Break the circle."
            )


def _circle(places: Mapping[str, Place], start: str, settled: set[str]) -> list[str]:
    """The codes of a circle of parents that `start` leads to, once; what was looked at goes to `settled`."""
    way: dict[str, None] = {}
    code: str | None = start
    while code is not None and code in places and code not in settled:
        if code in way:
            settled.update(way)
            codes = list(way)
            return [*codes[codes.index(code) :], code]
        way[code] = None
        code = places[code].parent
    settled.update(way)
    return []


def _check_levels(places: Mapping[str, Place], rows: Mapping[str, Row], table: Table) -> None:
    """A level that lies inside another may not contain it elsewhere, nor itself."""
    inside: dict[tuple[str, str], str] = {}
    for code, place in places.items():
        around = places.get(place.parent or "")
        if around is None:
            continue
        if around.level == place.level:
            table.fault(
                rows[code],
                "level",
                f"A {place.level} cannot lie in another {place.level} (‘{around.code}’).",
                "Correct its level or its parent.",
            )
        elif (around.level, place.level) in inside:
            other = inside[around.level, place.level]
            table.fault(
                rows[code],
                "level",
                f"A {place.level} lies in a {around.level} here, but the other way round at ‘{other}’.",
                "Correct one of them.",
            )
        else:
            inside.setdefault((place.level, around.level), code)


def _check_aliases(places: Mapping[str, Place], rows: Mapping[str, Row], table: Table) -> None:
    """What one place is called is no other's alias, whatever its accents and capitals."""
    codes = {folded(code): code for code in places}
    first: dict[str, str] = {}
    for code, place in places.items():
        for alias in place.aliases:
            name = folded(alias)
            taken = codes.get(name, code)
            if taken != code:
                fault = f"‘{alias}’ is the code of the place in row {rows[taken].number}."
                table.fault(rows[code], "aliases", fault, "Take it out here, or give that place another code.")
            elif (other := first.setdefault(name, code)) != code:
                fault = f"‘{alias}’ is also an alias of ‘{other}’ in row {rows[other].number}."
                table.fault(rows[code], "aliases", fault, "Take it out at one of the two: it can mean one place only.")


def _parents_first(places: Mapping[str, Place]) -> Iterable[Place]:
    placed: set[str] = set()
    for place in places.values():
        pending: list[Place] = []
        above: Place | None = place
        while above is not None and above.code not in placed:
            pending.append(above)
            above = places[above.parent] if above.parent else None
        for waiting in reversed(pending):
            placed.add(waiting.code)
            yield waiting
