"""Why a figure is not what it was: before and after, and what each kind of event did to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from sqlalchemy import literal_column, or_, select

from forms.findings import Finding
from forms.spelling import did_you_mean
from sync.errors import Unexpected
from sync.indicators import counting
from sync.indicators.amounts import MILLION, json_number
from sync.indicators.causes import CAUSES, cause_of, told_as
from sync.indicators.counting import Cell, Entry, Tally
from sync.indicators.definitions import Definition
from sync.indicators.evidence import family, forbid_small_cells, stands
from sync.indicators.figures import Cells, figure
from sync.indicators.moments import AsOf
from sync.indicators.periods import is_fiscal
from sync.indicators.reading import PLACE, Reading
from sync.models.entities import Membership
from sync.models.indicators import IndicatorVersion
from sync.models.projects import Event, Place

_AT_ONCE = 5000  # event numbers in one statement


@dataclass(slots=True)
class Cause:
    """What one kind of event did: to so many contributions, and to the figure. No value is nought beside a value; where
    the figure had none before and none after, there is no effect."""

    cause: str
    contributions: int = 0
    effect: Fraction | None = None

    def add(self, contributions: int, before: Fraction | None, after: Fraction | None) -> None:
        """One more step that is due to it."""
        self.contributions += contributions
        if before is not None or after is not None:
            self.effect = (self.effect or 0) + (after or Fraction(0)) - (before or 0)

    def to_json(self) -> dict[str, Any]:
        return {"cause": self.cause, "contributions": self.contributions, "effect": json_number(self.effect)}


class Became(NamedTuple):
    """A record that stood for another one's person from an event on, or from then on for itself."""

    list_name: str
    entity_id: str
    person_id: str
    joined: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """The effects add up to `after` less `before`, of which one that is not there is nought. `events` had a part in
    it, `effects` is what one did where that can be told of it alone, and `people` who turned out to be whom by it;
    `count` is how many there are in all, and `cursor` leads to more of them."""

    before_at: AsOf
    after_at: AsOf
    before: Fraction | None
    after: Fraction | None
    causes: tuple[Cause, ...]
    events: tuple[dict[str, Any], ...]
    count: int
    cursor: str | None
    effects: Mapping[int, Fraction]
    people: Mapping[int, Sequence[Became]]

    def to_json(self) -> dict[str, Any]:
        """As the API answers it."""
        return {
            "from": self.before_at.to_json(),
            "to": self.after_at.to_json(),
            "before": json_number(self.before),
            "after": json_number(self.after),
            "causes": [cause.to_json() for cause in _as_told(self.causes)],
            "events": [one | {"effect": json_number(self.effects.get(one["event"]))} for one in self.events],
            "cursor": self.cursor,
        }


def _as_told(causes: Sequence[Cause]) -> list[Cause]:
    found: dict[str, Cause] = {}
    for one in causes:
        told = found.setdefault(told_as(one.cause), Cause(told_as(one.cause)))
        told.add(one.contributions, None if one.effect is None else Fraction(0), one.effect)
    return [*found.values()]


def changes(
    before: Reading,
    after: Reading,
    name: str,
    *,
    period: str = "all",
    place: str | None = None,
    cells: Cells | None = None,
    cause: str | None = None,
    finer: bool = False,
    cursor: str | None = None,
    limit: int = 100,
    sees_small_cells: bool,
) -> Changes:
    """What happened to a figure between two readings of one project.

    Definitions, places and fiscal years change at single events: each is a step of its own, whose effect is that of
    `definition`. Between two such steps, a figure that adds up rows or counts heads is followed from event to event:
    the effect of one is the figure after it less the figure before it, and a cause did what its events did. Of others,
    what each kind of event opened and closed is applied kind after kind, in the order of `CAUSES`, and the figure is
    worked out after each. With a `cause`, only its events are told of: it is one that other programs are told, or with
    `finer` one of all. Raises Unexpected for one that there is not, and Forbidden for figures with small cells that the
    caller may not see.
    """
    if after.as_of.event < before.as_of.event:
        raise Unexpected(findings=[Finding("The changes end before they begin.", "Swap from and to.", place="from")])
    for reading in (before, after):
        if reading is after or name in reading.definitions:
            forbid_small_cells(reading, reading.definition(name), sees_small_cells)
    told = _tell(before, after, _Asked(name, period, place, dict(cells or {})))
    called = {one: one if finer else told_as(one) for one in CAUSES}
    if cause is not None and cause not in called.values():
        remedy = did_you_mean(cause, called.values())
        raise Unexpected(findings=[Finding(f"‘{cause}’ is not a cause.", remedy, place="cause")])
    kinds = _kinds(after, told.events) if cause is not None else {}
    numbers = sorted(number for number in told.events if cause is None or called[kinds[number]] == cause)
    first = _first(cursor)
    page = [number for number in numbers if number > first][:limit]
    return Changes(
        before.as_of,
        after.as_of,
        told.before,
        told.after,
        tuple(cause for cause in sorted(told.causes.values(), key=lambda one: CAUSES.index(one.cause))),
        tuple(_described(after, page)),
        len(numbers),
        str(page[-1]) if page and page[-1] < numbers[-1] else None,
        {number: told.effects[number] for number in page if number in told.effects},
        {number: told.people[number] for number in page if number in told.people},
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The figure. The period stays a text, as a fiscal year may come to mean other days."""

    name: str
    period: str
    place: str | None
    cells: Cells


@dataclass(slots=True)
class _Told:
    """What was found out so far."""

    before: Fraction | None
    after: Fraction | None
    causes: dict[str, Cause] = field(default_factory=dict)
    events: set[int] = field(default_factory=set)
    effects: dict[int, Fraction] = field(default_factory=dict)
    people: dict[int, list[Became]] = field(default_factory=dict)

    def add(self, cause: str, contributions: int, before: Fraction | None, after: Fraction | None) -> None:
        self.causes.setdefault(cause, Cause(cause)).add(contributions, before, after)


def _tell(before: Reading, after: Reading, asked: _Asked) -> _Told:
    told = _Told(_value(before, asked), _value(after, asked))
    reading = before
    for number in _turning_points(before, after, asked):
        eve, point = _reading_at(after, number - 1), _reading_at(after, number)
        _tell_stretch(reading, eve, asked, told)
        turned = _Stretch(eve, point, asked)
        told.add("definition", turned.touched(None), _value(eve, asked), _value(point, asked))
        told.events |= {number, *turned.kinds}
        told.people |= turned.people()
        reading = point
    _tell_stretch(reading, after, asked, told)
    return told


def _tell_stretch(before: Reading, after: Reading, asked: _Asked, told: _Told) -> None:
    if before.as_of.event >= after.as_of.event:
        return
    stretch = _Stretch(before, after, asked)
    effects = stretch.effects()
    for cause, was, following in stretch.step_by_step(effects) if effects else stretch.kind_after_kind():
        touched = stretch.touched(cause)
        if touched or following != was:
            told.add(cause, touched, was, following)
    told.effects |= effects
    told.events |= stretch.kinds.keys()
    told.people |= stretch.people()


class _Stretch:
    """The contributions and matches that were opened and closed between two events.

    `kinds` is the cause of each of those events. Of an indicator that could not be asked for yet there is nothing.
    """

    def __init__(self, before: Reading, after: Reading, asked: _Asked) -> None:
        self.reading, self.asked, self.first = after, asked, before.as_of.event
        self.rows: dict[str, list[Entry]] = {}
        self.members: Sequence[Any] = ()
        self.kinds: dict[int, str] = {}
        self.answerable = _answerable(after, asked)
        if not self.answerable:
            return
        self.definition, self.period = after.definition(asked.name), after.period(asked.period)
        place, members = after.place(asked.place), _members_since(after, self.first)
        for one in family(after, self.definition):
            if one.aggregate != "ratio":
                rows = after.entries_since(one, self.period, place, self.first)
                self.rows[one.name] = _near(after, one, asked.cells, rows, members)
        subjects = {row.subject for name in self.rows if after.definition(name).has_subject for row in self.rows[name]}
        self.members = [row for row in members if row.entity_id in subjects]
        self.kinds = _kinds(after, {number for row in self._all() for number in self._numbers(row)})

    def step_by_step(self, effects: Mapping[int, Fraction]) -> Iterator[tuple[str, Fraction, Fraction]]:
        """What the events of each cause did together, as from nought."""
        for cause in self._in_order():
            yield cause, Fraction(0), sum((effects[one] for one in effects if self.kinds[one] == cause), Fraction(0))

    def kind_after_kind(self) -> Iterator[tuple[str, Fraction | None, Fraction | None]]:
        """The figure before and after what each cause did, as if all of it had been done at once."""
        applied: set[str] = set()
        value = self._value(applied)
        for cause in self._in_order():
            applied.add(cause)
            following = self._value(applied)
            yield cause, value, following
            value = following

    def touched(self, cause: str | None) -> int:
        """How many contributions of the cell this cause (any, for None) opened, closed or gave to another person."""
        found = set()
        persons = {row.entity_id: self._causes(row) for row in self.members}
        for name, rows in self.rows.items():
            definition = self.reading.definition(name)
            inside = counting.within(definition, self.period)
            dimensions, chosen = self.reading.dimensions(definition, tuple(self.asked.cells)), self._chosen
            for row in rows:
                causes = self._causes(row) | (persons.get(row.subject, set()) if definition.has_subject else set())
                if causes and (cause is None or cause in causes) and inside(row) and stands(row, dimensions, chosen):
                    found.add((name, row.submission_id, row.ordinal))
        return len(found)

    def effects(self) -> Mapping[int, Fraction]:
        """What each event does to a figure that adds up rows or counts heads, one after the other; nothing for figures
        of which that cannot be told."""
        definition = self.definition if self.answerable else None
        if definition is None or definition.aggregate not in ("count", "sum", "distinct") or definition.keep:
            return {}
        heads = definition.aggregate == "distinct"
        if counting.by_subject(definition) and not (heads and not definition.has_value):
            return {}
        if heads:
            return self._heads()
        found = dict.fromkeys(self.kinds, Fraction(0))
        for number, way, row in self._moves():
            amount = MILLION if definition.aggregate == "count" else counting.part_of(definition, row, self.period) or 0
            found[number] += Fraction(way * amount, MILLION)
        return found

    def people(self) -> dict[int, list[Became]]:
        """By event, the records among the subjects that came to stand for another person; of those that came to stand
        for a third one, only that."""
        found: dict[int, list[Became]] = defaultdict(list)
        came = {(member.entity_id, member.opened) for member in self.members}
        for member in self.members:
            for number in self._numbers(member):
                joined = number == member.opened
                if joined or (member.entity_id, number) not in came:
                    found[number].append(Became(member.list_name, member.entity_id, member.person_id, joined))
        return found

    def _heads(self) -> Mapping[int, Fraction]:
        """How many more persons there are after each event: rows come and go, and who is whom changes."""
        heads = _Heads(row.subject for row in self._inside() if row.opened <= self.first)
        of_entity: dict[str, list[Any]] = defaultdict(list)
        for member in self.members:
            if self.definition.subject_lists is None or member.list_name in self.definition.subject_lists:
                of_entity[member.entity_id].append(member)
        for entity_id, members in of_entity.items():
            heads.name(entity_id, _person(members, self.first))
        moves: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for number, way, row in self._moves():
            moves[number].append((way, row.subject))
        named: dict[int, set[str]] = defaultdict(set)
        for entity_id, members in of_entity.items():
            for number in (number for member in members for number in self._numbers(member)):
                named[number].add(entity_id)
        found: dict[int, Fraction] = {}
        for number in sorted(self.kinds):
            before = heads.count
            for way, subject in moves[number]:
                heads.move(subject, way)
            for entity_id in named[number]:
                heads.name(entity_id, _person(of_entity[entity_id], number))
            found[number] = Fraction(heads.count - before)
        return found

    def _moves(self) -> Iterator[tuple[int, int, Entry]]:
        """By which event which row of the cell comes in (1) or goes (-1)."""
        for row in self._inside():
            if row.opened > self.first:
                yield row.opened, 1, row
            if row.closed is not None and row.closed <= self.reading.as_of.event:
                yield row.closed, -1, row

    def _inside(self) -> Iterator[Entry]:
        """The rows of the indicator that stand in the cell and in the period."""
        dimensions = self.reading.dimensions(self.definition, tuple(self.asked.cells))
        inside = counting.within(self.definition, self.period)
        return (row for row in self.rows[self.definition.name] if inside(row) and stands(row, dimensions, self._chosen))

    @property
    def _chosen(self) -> Cell:
        return tuple(self.asked.cells.values())

    def _in_order(self) -> list[str]:
        return sorted(set(self.kinds.values()), key=CAUSES.index)

    def _value(self, applied: set[str]) -> Fraction | None:
        """The figure after what these causes did."""
        if not self.answerable:
            return None
        return self._tally(self.definition, applied).value

    def _tally(self, definition: Definition, applied: set[str]) -> Tally:
        if definition.aggregate == "ratio":
            above, below = (self._tally(part, applied) for part in self.reading.parts(definition))
            return counting.quotient(above, below)
        persons = {
            row.entity_id: row.person_id
            for row in self.members
            if self._holds(row, applied)
            and (definition.subject_lists is None or row.list_name in definition.subject_lists)
        }
        table = counting.tabulate(
            definition,
            [row for row in self.rows[definition.name] if self._holds(row, applied)],
            self.period,
            self.reading.dimensions(definition, tuple(self.asked.cells)),
            lambda subject: persons.get(subject, subject),
        )
        if not self.asked.cells:
            return table.total
        return table.cells.get(self._chosen) or counting.over_nothing(definition)

    def _holds(self, row: Any, applied: set[str]) -> bool:
        """After what these causes did."""
        if row.opened > self.first and self.kinds[row.opened] not in applied:
            return False
        return row.closed is None or row.closed > self.reading.as_of.event or self.kinds[row.closed] not in applied

    def _all(self) -> Iterator[Any]:
        for rows in self.rows.values():
            yield from rows
        yield from self.members

    def _causes(self, row: Any) -> set[str]:
        return {self.kinds[number] for number in self._numbers(row)}

    def _numbers(self, row: Any) -> Iterator[int]:
        """The events of this stretch that opened or closed the row."""
        if row.opened > self.first:
            yield row.opened
        if row.closed is not None and row.closed <= self.reading.as_of.event:
            yield row.closed


def _person(members: Sequence[Any], number: int) -> str | None:
    """Who an entity is after an event; None for itself."""
    holding = [one for one in members if one.opened <= number and (one.closed is None or one.closed > number)]
    return holding[-1].person_id if holding else None


class _Heads:
    """How many persons there are among subjects that have rows, while rows come and go and subjects change whom they
    stand for."""

    def __init__(self, subjects: Iterable[str]) -> None:
        self.count = 0
        self._rows: Counter[str] = Counter()
        self._persons: dict[str, str] = {}
        self._there: Counter[str] = Counter()
        for subject in subjects:
            self.move(subject, 1)

    def move(self, subject: str, way: int) -> None:
        """A row of the subject comes (1) or goes (-1)."""
        self._rows[subject] += way
        self._add(self._persons.get(subject, subject), way)

    def name(self, subject: str, person: str | None) -> None:
        """The subject is this person from now on, or itself."""
        rows = self._rows[subject]
        self._add(self._persons.pop(subject, subject), -rows)
        if person is not None:
            self._persons[subject] = person
        self._add(person or subject, rows)

    def _add(self, person: str, rows: int) -> None:
        self.count -= self._there[person] > 0
        self._there[person] += rows
        self.count += self._there[person] > 0


class _Member(NamedTuple):
    list_name: str
    entity_id: str
    person_id: str
    opened: int
    closed: int | None


def _near(
    reading: Reading, definition: Definition, cells: Cells, rows: list[Entry], members: Sequence[Any]
) -> list[Entry]:
    """The rows that can have a part in the cell: those that stand in it, and where a subject stands in the cell of its
    latest row alone, all those of whoever has a row in it."""
    if not cells:
        return rows
    dimensions, chosen = reading.dimensions(definition, tuple(cells)), tuple(cells.values())
    inside = [row for row in rows if stands(row, dimensions, chosen)]
    if not (definition.has_subject and definition.has_value):
        return inside
    persons: dict[str, set[str]] = defaultdict(set)
    for member in members:
        persons[member.entity_id].add(member.person_id)
    near = {who for row in inside for who in (row.subject, *persons[row.subject])}
    return [row for row in rows if not near.isdisjoint((row.subject, *persons[row.subject]))]


def _value(reading: Reading, asked: _Asked) -> Fraction | None:
    if not _answerable(reading, asked):
        return None
    return figure(
        reading, asked.name, period=asked.period, place=asked.place, cells=asked.cells, sees_small_cells=True
    ).value


def _answerable(reading: Reading, asked: _Asked) -> bool:
    """Whether the indicator, its breakdowns and the place were there at the time."""
    try:
        definition = reading.definition(asked.name)
        for name in asked.cells:
            reading.breaking(definition, name)
        reading.place(asked.place)
    except Unexpected:
        return False
    return True


def _reading_at(reading: Reading, number: int) -> Reading:
    if number == reading.as_of.event:
        return reading
    return Reading(reading.session, reading.project_id, AsOf(number, reading.as_of.at))


def _turning_points(before: Reading, after: Reading, asked: _Asked) -> list[int]:
    """The events that changed what the figure means: its definitions, and places and fiscal years if it has to do with
    them."""
    ids = {
        one.id
        for reading in (before, after)
        if asked.name in reading.definitions
        for one in family(reading, reading.definitions[asked.name])
    }
    first, last = before.as_of.event, after.as_of.event
    found = _moments(after, IndicatorVersion, first, last, IndicatorVersion.indicator_id.in_(ids))
    if asked.place is not None or any(name.startswith(PLACE) for name in asked.cells):
        found |= _moments(after, Place, first, last, Place.project_id == after.project_id)
    if is_fiscal(asked.period):
        found |= set(
            after.session.scalars(
                select(Event.number).where(
                    Event.project_id == after.project_id,
                    literal_column("kind = 'settings'"),
                    Event.number > first,
                    Event.number <= last,
                )
            )
        )
    return sorted(found)


def _moments(reading: Reading, table: Any, first: int, last: int, condition: Any) -> set[int]:
    """When rows of the table were opened or closed."""
    found: set[int] = set()
    for column in (table.opened, table.closed):
        query = select(column).where(table.project_id == reading.project_id, condition, column > first, column <= last)
        found.update(reading.session.scalars(query.distinct()))
    return found


def _members_since(reading: Reading, event: int) -> list[_Member]:
    """Who stood for whom in the value of figures, at any time from the event on.

    What only moved a bound is passed over, and of those who stood for themselves nothing is said.
    """
    rows = reading.session.execute(
        select(Membership.list_name, Membership.entity_id, Membership.person_id, Membership.opened, Membership.closed)
        .where(
            Membership.project_id == reading.project_id,
            Membership.opened <= reading.as_of.event,
            or_(Membership.closed.is_(None), Membership.closed > event),
        )
        .order_by(Membership.list_name, Membership.entity_id, Membership.opened)
    )
    found: list[_Member] = []
    for row in rows:
        if row.entity_id == row.person_id:
            continue
        last = found[-1] if found else None
        if last and last[:3] == row[:3] and last.closed == row.opened:
            found[-1] = last._replace(closed=row.closed)
        else:
            found.append(_Member(*row))
    return found


def _kinds(reading: Reading, numbers: set[int]) -> dict[int, str]:
    """Event → cause."""
    found: dict[int, str] = {}
    ordered = sorted(numbers)
    for start in range(0, len(ordered), _AT_ONCE):
        rows = reading.session.execute(
            select(Event.number, Event.kind, Event.details).where(
                Event.project_id == reading.project_id, Event.number.in_(ordered[start : start + _AT_ONCE])
            )
        )
        found.update({number: cause_of(kind, details) for number, kind, details in rows})
    return found


def _first(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        finding = Finding("This is not a cursor.", "Use the one of the page before, unchanged.", place="cursor")
        raise Unexpected(findings=[finding])
    return int(cursor)


def _described(reading: Reading, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    rows = reading.session.execute(
        select(Event.number, Event.kind, Event.details, Event.at, Event.submission_id)
        .where(Event.project_id == reading.project_id, Event.number.in_(numbers))
        .order_by(Event.number)
    )
    for number, kind, details, at, submission in rows:
        yield {
            "event": number,
            "kind": kind,
            "cause": cause_of(kind, details),
            "at": at.isoformat(),
            "submission": None if submission is None else str(submission),
        }
