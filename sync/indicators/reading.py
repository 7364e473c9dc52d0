"""What figures are read from: a project as it stood at one event, each part fetched once and remembered."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from forms.findings import Finding
from forms.spelling import did_you_mean
from sync.entities.reach import tree_of
from sync.errors import Unexpected
from sync.indicators import counting
from sync.indicators.amounts import MILLION
from sync.indicators.changed import Changed, last_changes
from sync.indicators.contributions import read_keys
from sync.indicators.counting import Dimension, Entry, Heads, Tally
from sync.indicators.days import heads_between
from sync.indicators.definitions import Definition, Planned, Way, definitions_at, targets_at
from sync.indicators.hiding import Family
from sync.indicators.moments import AsOf, settings_at
from sync.indicators.periods import Period, is_fiscal, read_period
from sync.indicators.persons import FEWEST, MOST, STANDINGS, VALUE, Lists, Persons, persons_about, persons_at
from sync.indicators.rows import ROWS, Rows, Slot, heads_of, needed_columns
from sync.models.indicators import Contribution
from sync.models.projects import Project
from sync.projects.places import PlaceTree, places_at

PLACE = "place:"
# Of so many subjects it is looked up who they are; of more, who all are is fetched.
_FEW = 500
# So many rows at least are kept for other figures that go over them.
_MOST_ROWS = 50_000
# So many codes of places at most are named in a statement.
_MOST_CODES = 5_000


@dataclass(frozen=True, slots=True)
class Breaking:
    """One dimension that a figure is broken down by: a breakdown of the indicator, or the places of one level."""

    name: str
    way: Way | None
    level: str | None

    @property
    def multiple(self) -> bool:
        return self.way is not None and self.way.multiple


class Reading:
    """A project as of an event. Use one for all figures of an answer: what they share is fetched once."""

    def __init__(self, session: Session, project_id: int, as_of: AsOf) -> None:
        self.session = session
        self.project_id = project_id
        self.as_of = as_of
        self.rows = Rows(session, project_id, as_of.event)
        self._tables: dict[tuple[str, str, Period, str | None, tuple[str, ...], int], counting.Table] = {}
        self._entries: dict[tuple[Any, ...], Sequence[Entry]] = {}
        self._heads: dict[tuple[Any, ...], tuple[Set[str], Sequence[Heads]]] = {}
        self._persons: dict[Lists, Persons] = {}
        self._about: dict[tuple[Lists, str], tuple[Set[str], Reading]] = {}
        self._standing = VALUE
        self._codes: dict[str | None, str | None] = {}
        self.families: dict[tuple[Any, ...], Family] = {}

    @cached_property
    def definitions(self) -> Mapping[str, Definition]:
        """Those of which there is a figure: a ratio is none while a workbook that defined a part of it is gone."""
        found = self._defined
        while lacking := {name for name, one in found.items() if not _parts_of(one) <= found.keys()}:
            found = {name: one for name, one in found.items() if name not in lacking}
        return found

    @cached_property
    def _defined(self) -> Mapping[str, Definition]:
        return definitions_at(self.session, self.project_id, self.as_of.event, self.changed)

    @cached_property
    def changed(self) -> Changed:
        """When what is kept of other readings was last changed."""
        return last_changes(self.session, self.project_id)

    @cached_property
    def tree(self) -> PlaceTree:
        if (newest := self.changed.places) <= self.as_of.event:
            return tree_of(self.session, self.project_id, newest=newest)
        return places_at(self.session, self.project_id, self.as_of.event)

    @cached_property
    def targets(self) -> Sequence[Planned]:
        return targets_at(self.session, self.project_id, self.as_of.event, self.changed)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """`name`, `time_zone`, `languages`, `fiscal_year_start` and `counts`."""
        return settings_at(self.session, self.project_id, self.as_of.event, self.changed)

    def definition(self, name: str) -> Definition:
        """Raises Unexpected for a name that no workbook defined at the time, and for a ratio without its parts."""
        found = self.definitions.get(name)
        if found is None:
            raise Unexpected(findings=[self._undefined(name)])
        return found

    def period(self, text: str) -> Period:
        """Raises Unexpected for what is no period."""
        return read_period(text, self.settings["fiscal_year_start"] if is_fiscal(text) else 1)

    def has_any(self, period: Period) -> bool:
        """Whether any visit of the period contributes to any indicator, as things stand now."""
        rows = ROWS.c
        held = [rows.project_id == self.project_id, rows.closed.is_(None)]
        held.append(rows.indicator_id.in_([definition.id for definition in self.definitions.values()]))
        held += [rows.day >= period.start] if period.start else []
        held += [rows.day <= period.end] if period.end else []
        query = select(literal_column("1", Integer)).where(*held).limit(1)
        return any(self.session.scalar(query.where(which)) is not None for which in (~rows.wide, rows.wide))

    def place(self, written: str | None) -> str | None:
        """The code of a place given by code or alias. Raises Unexpected for one that was not known at the time."""
        if written is None:
            return None
        code = self.tree.code_of(written)
        if code is None:
            remedy = did_you_mean(written, self.tree.places)
            raise Unexpected(findings=[Finding(f"‘{written}’ is not a place.", remedy, place="place")])
        return code

    def breakings(self, definition: Definition) -> dict[str, Way]:
        """The breakdowns that a figure of this indicator may have; a ratio's are those of both its indicators."""
        if definition.aggregate != "ratio":
            return {way.name: way for way in definition.ways}
        above, below = (self.breakings(part) for part in self.parts(definition))
        return {name: way for name, way in below.items() if name in above}

    def breaking(self, definition: Definition, name: str) -> Breaking:
        """Raises Unexpected for a breakdown that the indicator has not."""
        if name.startswith(PLACE):
            return Breaking(name, None, self._level(name.removeprefix(PLACE)))
        ways = self.breakings(definition)
        if name not in ways:
            known = [*ways, *(f"{PLACE}{level}" for level in self.tree.levels)]
            fault = f"‘{definition.name}’ is not broken down by ‘{name}’."
            raise Unexpected(findings=[Finding(fault, did_you_mean(name, known), place="by")])
        return Breaking(name, ways[name], None)

    def parts(self, ratio: Definition) -> tuple[Definition, Definition]:
        """Numerator and denominator."""
        return self.definition(ratio.row.numerator or ""), self.definition(ratio.row.denominator or "")

    def table(
        self, definition: Definition, period: Period, place: str | None, by: tuple[str, ...] = (), depth: int = 0
    ) -> counting.Table:
        """The figure in each combination of keys that occurs, and in total, for a place (by its code) and all below.
        With a `depth`, a first key is the place that lies so many steps down in the tree."""
        key = (self._standing, definition.name, period, place, by, depth)
        if key not in self._tables:
            self._tables[key] = self._table(definition, period, place, by, depth)
        return self._tables[key]

    def total(self, definition: Definition, period: Period, place: str | None) -> Tally:
        """As `table` gives it; any table that is there already will do."""
        for known, table in self._tables.items():
            if known[:4] == (self._standing, definition.name, period, place):
                return table.total
        return self.table(definition, period, place).total

    def totals(self, definition: Definition, period: Period) -> tuple[Tally, ...]:
        """The total of the whole, by each of `STANDINGS`."""
        if not self.doubts(definition):
            return (self.total(definition, period, None),) * len(STANDINGS)
        return tuple(reading.total(definition, period, None) for reading in (self, *self.bounds))

    def know_totals(self, definition: Definition, period: Period, totals: Sequence[Tally]) -> None:
        """Take these for what `totals` would find by counting."""
        for standing, total in zip(STANDINGS, totals, strict=True):
            self._tables[standing, definition.name, period, None, (), 0] = counting.Table({}, total)

    @cached_property
    def bounds(self) -> tuple[Reading, Reading]:
        """The same with all who may be one person counted as one, and with only those who surely are."""
        return self._under(FEWEST), self._under(MOST)

    def doubts(self, definition: Definition) -> bool:
        """Whether a figure may be another one in its bounds: whether anybody stands for somebody else there."""
        if definition.aggregate == "ratio":
            return any(self.doubts(part) for part in self.parts(definition))
        if not counting.by_subject(definition):
            return False
        return self.persons(definition).doubtful

    @cached_property
    def is_current(self) -> bool:
        """Whether nothing has happened since the moment of the reading."""
        last = self.session.scalar(select(Project.last_event).where(Project.id == self.project_id))
        return last == self.as_of.event

    def persons(self, definition: Definition) -> Persons:
        """Who the indicator's subjects are."""
        lists = definition.subject_lists
        if lists not in self._persons:
            self._persons[lists] = persons_at(self.session, self.project_id, self.as_of.event, lists, self.changed)
        return self._persons[lists]

    def same(self, definition: Definition, subjects: Iterable[str]) -> set[str]:
        """The subjects with all who are one person with one of them."""
        return self.persons(definition).same(self._standing, subjects)

    def about(self, definition: Definition, subjects: Set[str]) -> Reading:
        """The same for `persons`, `same` and `person_of` of a few subjects: who all the others are is not fetched."""
        lists = definition.subject_lists
        if not 0 < len(subjects) <= _FEW or lists in self._persons:
            return self
        asked, reading = self._about.get((lists, self._standing), (subjects, None))
        if reading is None or not subjects <= asked:
            reading = copy.copy(self)
            event = self.as_of.event
            known = persons_about(self.session, self.project_id, event, lists, self.changed, subjects)
            reading._persons = {lists: known}
            self._about[lists, self._standing] = subjects, reading
        return reading

    def subjects(
        self, definition: Definition, period: Period, place: str | None, cells: Mapping[str, str | None]
    ) -> set[str]:
        """The subjects that have a row in a cell."""
        dimensions = self.dimensions(definition, tuple(cells))
        inside = [
            heads.subjects
            for heads in self._heads_in(definition, period, place, dimensions)
            if all(
                key in one.keys(heads.texts[one.column]) for one, key in zip(dimensions, cells.values(), strict=True)
            )
        ]
        return set().union(*inside)

    def entries(self, definition: Definition, period: Period, place: str | None) -> list[Entry]:
        """The rows that have a say in a figure for the period, in no order; some may lie before it."""
        return self._inside(self._fetched(definition, period), place)

    def entries_after(
        self,
        definition: Definition,
        period: Period,
        after: Slot,
        limit: int,
        where: Sequence[ColumnElement[bool]],
        *,
        newest_first: bool,
    ) -> list[Entry]:
        """So many of the rows that a figure's `n` counts, wherever they are, in the order of `Slot` or, with the
        `newest_first`, against it. `where` says which of them, as `roughly` does."""
        conditions = [*self._inside_of(definition, period), *where]
        return self.rows.following(definition, conditions, after, limit, newest_first=newest_first)

    def roughly(
        self, definition: Definition, place: str | None, cells: Mapping[str, str | None]
    ) -> list[ColumnElement[bool]]:
        """What all rows in a place and in cells satisfy, and of the others few: so that most of them stay in the
        database. That cannot tell which place an alias means, but which codes are those of other places."""
        conditions: list[ColumnElement[bool]] = []
        inside = [] if place is None else [place]
        for name, key in cells.items():
            way = self.breaking(definition, name).way
            if way is not None:
                column = ROWS.c[f"by{way.position}"]
                conditions.append(column.is_(None) if key is None else column.contains(key, autoescape=True))
            elif key is not None:
                inside.append(key)
        for code in inside:
            others = self.tree.places.keys() - {*self.tree.below(code)}
            if len(others) <= _MOST_CODES:
                conditions.append(ROWS.c.place.not_in(others))
        return conditions

    def entries_of(self, definition: Definition, period: Period, subjects: Iterable[str]) -> list[Entry]:
        """As `entries`, of these subjects and of whoever is the same person as one of them."""
        conditions = self._conditions(definition, period, None)
        return self.rows.of_keys(Contribution.subject, sorted(self.same(definition, subjects)), definition, conditions)

    def entries_from(self, definition: Definition, period: Period, submission_ids: Iterable[int]) -> list[Entry]:
        """As `entries`, of these submissions."""
        conditions = self._conditions(definition, period, None)
        return self.rows.of_keys(Contribution.submission_id, sorted(submission_ids), definition, conditions)

    def count(self, definition: Definition, period: Period, place: str | None) -> int:
        """A figure's `n`: how many rows it goes over."""
        conditions = self._inside_of(definition, period)
        if place is not None:
            conditions.append(ROWS.c.place.in_(self._spellings(definition, conditions, place)))
        query = union_all(*self.rows.each(definition, ["opened"], conditions)).subquery()
        return self.session.scalars(select(func.count()).select_from(query)).one()

    def lies_in(self, place: str | None) -> Callable[[Entry], bool]:
        """Whether a row lies in the place (by its code) or below it; every row lies in the whole."""
        if place is None:
            return lambda entry: True
        below = set(self.tree.below(place))
        return lambda entry: self.code_of(entry.place) in below

    def entries_since(self, definition: Definition, period: Period, place: str | None, event: int) -> list[Entry]:
        """As `entries`, but with those that were open at any time from `event` on, each with its `closed`."""
        names = [*needed_columns(definition), "closed"]
        query = self.rows.visible(definition, names, self._conditions(definition, period, None), event)
        return self._inside(self.rows.read(query, names), place)

    def dimensions(self, definition: Definition, by: Sequence[str]) -> list[Dimension]:
        """How rows of the indicator are sorted into cells."""
        return [self._dimension(self.breaking(definition, name)) for name in by]

    def code_of(self, written: str | None) -> str | None:
        """The place that a row names, None if nobody knows it."""
        if written not in self._codes:
            self._codes[written] = self.tree.code_of(written)
        return self._codes[written]

    def person_of(self, definition: Definition) -> Callable[[str], str]:
        """Who a subject of the indicator is: the person behind an entity, else the subject itself."""
        return self.persons(definition).of(self._standing)

    def _undefined(self, name: str) -> Finding:
        if name not in self._defined:
            return Finding(f"‘{name}’ is not an indicator.", did_you_mean(name, self.definitions), place="indicator")
        missing = min(_parts_of(self._defined[name]) - self.definitions.keys())
        fault = f"There is no figure of ‘{name}’, because there is none of ‘{missing}’, of which it is made."
        remedy = f"Restore the form that defined ‘{missing}’, or make the ratio of another indicator."
        return Finding(fault, remedy, place="indicator")

    def _level(self, written: str) -> str:
        if written in self.tree.levels:
            return written
        remedy = did_you_mean(written, self.tree.levels)
        raise Unexpected(findings=[Finding(f"‘{written}’ is not a level of places.", remedy, place="by")])

    def _dimension(self, breaking: Breaking) -> Dimension:
        if breaking.way is not None:
            return Dimension(f"by{breaking.way.position}", read_keys)
        level = breaking.level or ""
        return Dimension("place", lambda written: (self.tree.at_level(self.code_of(written), level),))

    # Counting: by the database where it can, else here.

    def _table(
        self, definition: Definition, period: Period, place: str | None, by: tuple[str, ...], depth: int
    ) -> counting.Table:
        if definition.aggregate == "ratio":
            return self._ratio(definition, period, place, by)
        dimensions = self.dimensions(definition, by)
        if depth:
            dimensions.insert(
                0, Dimension("place", lambda written: (self.tree.at_depth(self.code_of(written), depth),))
            )
        if definition.counts_subjects and not definition.has_value:
            heads = self._heads_in(definition, period, place, dimensions)
            return self._of_all_standings(
                (definition.name, period, place, by, depth),
                counting.distinct_each(heads, dimensions, self.persons(definition).standings),
            )
        if _adds_in_sql(definition):
            return self._summed(definition, period, place, dimensions)
        entries = self.entries(definition, period, place)
        if not self.doubts(definition):
            return counting.tabulate(definition, entries, period, dimensions, self.person_of(definition))
        known = self.persons(definition)
        tables = counting.tabulate_each(
            definition, entries, period, dimensions, [known.of(standing) for standing in STANDINGS], known.unsure
        )
        return self._of_all_standings((definition.name, period, place, by, depth), tables)

    def _of_all_standings(self, asked: tuple[Any, ...], tables: Sequence[counting.Table]) -> counting.Table:
        """That of this standing, once all are remembered."""
        for standing, table in zip(STANDINGS, tables, strict=True):
            self._tables[standing, *asked] = table
        return self._tables[self._standing, *asked]

    def _ratio(self, definition: Definition, period: Period, place: str | None, by: tuple[str, ...]) -> counting.Table:
        parts = self.parts(definition)
        above, below = (self.table(part, period, place, by) for part in parts)
        no_above, no_below = (counting.over_nothing(part) for part in parts)
        cells = {
            cell: counting.quotient(above.cells.get(cell, no_above), below.cells.get(cell, no_below))
            for cell in {**below.cells, **above.cells}
        }
        return counting.Table(cells, counting.quotient(above.total, below.total))

    def _summed(
        self, definition: Definition, period: Period, place: str | None, dimensions: Sequence[Dimension]
    ) -> counting.Table:
        names = list(dict.fromkeys(dimension.column for dimension in dimensions))
        needed = ["opened", *names, *(["value"] if definition.has_value else [])]
        rows = self.rows.visible(definition, needed, self._conditions(definition, period, place)).subquery()
        texts = [rows.c[name] for name in names]
        # Millionths of a million large amounts pass 64 bits, which SQLite's sums have: wholes and rests go apart.
        amounts: list[ColumnElement[Any]] = []
        if definition.aggregate == "sum":
            amounts = [func.sum(rows.c.value // MILLION), func.sum(rows.c.value % MILLION)]
        found: Iterable[Any] = self.session.execute(
            select(func.count(), *amounts, *texts).select_from(rows).group_by(*texts)
        )
        parts: list[tuple[Mapping[str, str | None], Tally]] = []
        for n, *others in found:
            if n:
                value = Fraction(int(others[0]) * MILLION + int(others[1]), MILLION) if amounts else Fraction(n)
                parts.append((dict(zip(names, others[len(amounts) :], strict=True)), Tally(value, n, n)))
        return counting.added(definition, parts, dimensions)

    # Fetching

    def _under(self, standing: str) -> Reading:
        """What was fetched is shared, and what was counted of all three at once."""
        other = copy.copy(self)
        other._standing = standing
        return other

    def _heads_in(
        self, definition: Definition, period: Period, place: str | None, dimensions: Sequence[Dimension]
    ) -> Sequence[Heads]:
        """Who has rows in the period, put together by no more columns than are asked for. Who asks for the total alone
        is likely to ask for cells next."""
        cells = [dimension.column for dimension in dimensions] or [f"by{way.position}" for way in definition.ways]
        needed = {*cells, *(["place"] if place is not None else [])}
        key = (definition.id, period.start, period.end)
        if key not in self._heads or not needed <= self._heads[key][0]:
            start = None if counting.looks_back(definition) else period.start
            fetched = self._entries.get((definition.id, start, period.end))
            names = sorted(needed)
            if fetched is None:
                self._make_room()
                heads = heads_between(self.rows, self.changed.epoch, definition, names, start, period.end)
            else:
                rows = ([entry.subject, *(getattr(entry, name) for name in names)] for entry in fetched)
                heads = heads_of(rows, names)
            self._heads[key] = needed, heads
        found = self._heads[key][1]
        if place is None:
            return found
        inside = self._written_in((heads.texts["place"] for heads in found), place)
        return [heads for heads in found if heads.texts["place"] in inside]

    def _fetched(self, definition: Definition, period: Period) -> Sequence[Entry]:
        start = None if counting.looks_back(definition) else period.start
        key = (definition.id, start, period.end)
        if key not in self._entries:
            self._make_room()
            names = needed_columns(definition)
            query = self.rows.visible(definition, names, self._conditions(definition, period, None))
            self._entries[key] = self.rows.read(query, names)
        return self._entries[key]

    def _make_room(self) -> None:
        """Drop what was fetched for other figures where it is much: it fills the memory, and is seldom read again."""
        subjects = (heads.subjects for _, some in self._heads.values() for heads in some)
        if sum(map(len, [*self._entries.values(), *subjects])) > _MOST_ROWS:
            self._entries.clear()
            self._heads.clear()

    def _inside(self, found: Sequence[Entry], place: str | None) -> list[Entry]:
        if place is None:
            return list(found)
        inside = self._written_in((entry.place for entry in found), place)
        return [entry for entry in found if entry.place in inside]

    def _written_in(self, written: Iterable[str | None], place: str) -> set[str | None]:
        """Those of the spellings that mean the place or one below it."""
        below = set(self.tree.below(place))
        return {spelling for spelling in set(written) if self.code_of(spelling) in below}

    def _inside_of(self, definition: Definition, period: Period) -> list[ColumnElement[bool]]:
        """What `counting.within` says of a row, to the database."""
        return self.rows.between(definition, None if counting.knows_latest(definition) else period.start, period.end)

    def _conditions(self, definition: Definition, period: Period, place: str | None) -> list[ColumnElement[bool]]:
        start = None if counting.looks_back(definition) else period.start
        conditions = self.rows.between(definition, start, period.end)
        if place is not None:
            conditions.append(ROWS.c.place.in_(self._spellings(definition, conditions, place)))
        return conditions

    def _spellings(self, definition: Definition, conditions: list[ColumnElement[bool]], place: str) -> list[str]:
        """How rows of the indicator write the places in and below this one: as codes, or as any of their aliases."""
        rows = self.rows.visible(definition, ["place"], conditions).subquery()
        found = self._written_in(self.session.scalars(select(rows.c.place).distinct()), place)
        return [spelling for spelling in found if spelling is not None]


def _parts_of(definition: Definition) -> set[str]:
    """The names of what a ratio is made of; of others, none."""
    row = definition.row
    return {row.numerator or "", row.denominator or ""} if definition.aggregate == "ratio" else set()


def _adds_in_sql(definition: Definition) -> bool:
    plain = definition.keep is None and not definition.spreads and not definition.counts_subjects
    return plain and definition.aggregate in ("count", "sum")
