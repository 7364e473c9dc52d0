"""The pairs that a coordinator goes through: first those on which most figures hang, then those most in doubt."""

from __future__ import annotations

import heapq
import math
import threading
import weakref
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, func, select, tuple_
from sqlalchemy.orm import Session

from sync.dedup.pairs import OPEN
from sync.entities.reach import writes
from sync.errors import Unexpected
from sync.indicators.definitions import Definition
from sync.indicators.figures import Figure, figure
from sync.indicators.reading import Reading
from sync.models import Contribution, Entity, Match, Membership
from sync.models.database import fetch_rows
from sync.models.probing import rows_of_ids, rows_of_keys
from sync.review.matches import COLUMNS, DECISIONS, Pair
from sync.review.paging import PAGE, Page, not_a_cursor

_ENDS: list[Any] = [Match.id, Match.a, Match.b, Match.probability]
_STANDING: list[Any] = [Membership.entity_id, Membership.fewest_id, Membership.most_id]
_LARGEST = 2**63 - 1
_REMEMBERED_FROM = 2000  # pairs
_REMEMBERED_AFTER = 20_000  # events: in so large a project it takes a second to look through all contributions
# Figures on which a pair hangs (less than nothing, so that many come first), how far it is from ½, its id.
_Rank = tuple[int, float, int]


@dataclass(frozen=True, slots=True)
class Queued:
    """A pair of the queue. `effect` is the number of indicators in which both have a part, if they are one person in
    the low bound: so many figures, or what they may be, hang on what is decided."""

    pair: Pair
    effect: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pairs: those from `least` up to below `most`, which is 1 for no limit, and of which a record lies in one of
    the places."""

    least: float = 0.0
    most: float = 1.0
    places: Collection[str] | None = None

    def holds(self, probability: float) -> bool:
        return self.least <= probability and (probability < self.most or self.most >= 1)


ALL = Wanted()


@dataclass(frozen=True, slots=True)
class Doubt:
    """A figure that hangs on so many open pairs: its total for all time."""

    figure: Figure
    pairs: int

    @property
    def span(self) -> Fraction:
        """The most that they can change."""
        return (self.figure.high or Fraction(0)) - (self.figure.low or Fraction(0))


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many pairs are open in all, on how many of them some figure hangs, and which figures those are."""

    pairs: int
    deciding: int
    doubts: Sequence[Doubt]


def matches(
    reading: Reading,
    list_name: str,
    state: str = OPEN,
    cursor: str | None = None,
    limit: int = PAGE,
    wanted: Wanted = ALL,
) -> Page[Queued]:
    """A page of the pairs of a list as they are now: the open ones by what they change, others by what came last.

    Of more than some thousand pairs on which figures hang, and in projects of more than some ten thousand events, the
    order may be that of up to 500 events ago.

    Raises Unexpected for what is no state, and for what was never a cursor.
    """
    if state not in DECISIONS:
        raise Unexpected(f"{state!r} is not a state; it is one of {', '.join(DECISIONS)}.")
    if state != OPEN:
        return _decided(reading, list_name, state, cursor, limit, wanted)
    after = _rank_at(cursor)
    hanging = _Hanging(reading, list_name)
    ranks = (
        (-hanging.effect(match_id), abs(probability - 0.5), match_id)
        for match_id, probability in hanging.wanted(wanted).items()
    )
    found = heapq.nsmallest(limit + 1, (rank for rank in ranks if after is None or rank > after))
    pairs = _pairs(reading.session, reading.project_id, [match_id for _, _, match_id in found[:limit]])
    items = [Queued(pairs[match_id], -effect) for effect, _, match_id in found[:limit]]
    return Page(items, _cursor_to(found[limit - 1]) if len(found) > limit else None)


def cursor_after(queued: Queued) -> str:
    """The cursor of whoever has seen the open pairs up to this one."""
    pair = queued.pair
    return _cursor_to((-queued.effect, abs((pair.probability or 0) - 0.5), pair.id))


def count_pairs(reading: Reading, list_name: str, state: str = OPEN, wanted: Wanted = ALL) -> int:
    """How many there are on all pages of them."""
    query = select(func.count()).where(*_in_state(reading, list_name, state, wanted))
    return reading.session.scalars(query).one()


def figures_on(reading: Reading, list_name: str, match_id: int) -> list[Definition]:
    """The indicators that hang on an open pair, as its `effect` counts them."""
    return _Hanging(reading, list_name).indicators(match_id)


def waiting(reading: Reading, list_name: str) -> Waiting:
    """What hangs on the open pairs of a list; the figures with the widest range come first."""
    hanging = _Hanging(reading, list_name)
    doubts = [
        Doubt(figure(reading, definition.name, sees_small_cells=True), pairs)
        for definition, pairs in hanging.by_indicator()
        if pairs
    ]
    doubts.sort(key=lambda doubt: (-doubt.span, doubt.figure.definition.name))
    return Waiting(len(hanging.pairs), sum(1 for match_id in hanging.pairs if hanging.effect(match_id)), doubts)


def counting_persons(reading: Reading, list_name: str) -> list[Definition]:
    """The indicators whose figures depend on who is one person in the list, by name. What is built of them does too."""
    found = [
        definition
        for definition in reading.definitions.values()
        if definition.counts_subjects and (definition.subject_lists is None or list_name in definition.subject_lists)
    ]
    return sorted(found, key=lambda definition: definition.name)


class _Hanging:
    """Which figures hang on which open pair of a list. `pairs` is the probability of each by its id."""

    def __init__(self, reading: Reading, list_name: str) -> None:
        self._session, self._project_id, self._list = reading.session, reading.project_id, list_name
        self._event = reading.as_of.event
        self._definitions = counting_persons(reading, list_name)
        query = select(*_ENDS).where(*self._likely(), Match.state == OPEN)
        rows = fetch_rows(self._session.connection(), query)
        self.pairs: Mapping[int, float] = {match_id: probability for match_id, _, _, probability in rows}
        self._ends = {match_id: (a, b) for match_id, a, b, _ in rows}
        standing = self._persons()
        together = [(match_id, a, b) for match_id, a, b, _ in rows if _together(standing, a, b)]
        long = len(together) > _REMEMBERED_FROM or self._event > _REMEMBERED_AFTER
        ends = {end for _, a, b in together for end in (a, b)}
        parts = self._remembered_parts(ends) if long else self._parts(ends)
        self._of_pair = {match_id: both for match_id, a, b in together if (both := parts.get(a, 0) & parts.get(b, 0))}
        self._doubted = {match_id for match_id, a, b in together if _doubted(standing, a, b)}

    def effect(self, match_id: int) -> int:
        return self._of_pair.get(match_id, 0).bit_count()

    def indicators(self, match_id: int) -> list[Definition]:
        parts = self._of_pair.get(match_id, 0)
        return [definition for position, definition in enumerate(self._definitions) if parts >> position & 1]

    def wanted(self, wanted: Wanted) -> Mapping[int, float]:
        """The pairs that are wanted, with the probability of each."""
        pairs = {match_id: one for match_id, one in self.pairs.items() if wanted.holds(one)}
        if wanted.places is None:
            return pairs
        query = _lying_in(self._project_id, self._list, wanted.places)
        there = set(self._session.scalars(query))
        return {match_id: one for match_id, one in pairs.items() if not there.isdisjoint(self._ends[match_id])}

    def by_indicator(self) -> Iterable[tuple[Definition, int]]:
        """Each indicator with the number of pairs on which it hangs."""
        for position, definition in enumerate(self._definitions):
            doubted = (parts for match_id, parts in self._of_pair.items() if match_id in self._doubted)
            yield definition, sum(parts >> position & 1 for parts in doubted)

    def _likely(self) -> tuple[ColumnElement[bool], ...]:
        return (
            Match.project_id == self._project_id,
            Match.list_name == self._list,
            Match.probability.is_not(None),
        )

    def _persons(self) -> Mapping[str, tuple[str, str]]:
        """Who an entity is in the low and in the high bound, where it is not simply itself."""
        query = select(*_STANDING).where(
            Membership.project_id == self._project_id, Membership.list_name == self._list, Membership.closed.is_(None)
        )
        return {entity_id: (fewest, most) for entity_id, fewest, most in fetch_rows(self._session.connection(), query)}

    def _remembered_parts(self, ends: Collection[str]) -> Mapping[str, int]:
        """In a long queue the order may be some events old."""
        key = self._project_id, self._list, tuple((one.id, one.opened) for one in self._definitions)
        event, known = _remembered.get(self._session, key, self._event) or (self._event, {})
        if missing := [end for end in ends if end not in known]:
            known = {**known, **self._parts(missing)}
            _remembered.put(self._session, key, event, known)
        return known

    def _parts(self, ends: Collection[str]) -> Mapping[str, int]:
        """The indicators that each of these entities has a part in, a bit for each."""
        bits = {definition.id: 1 << position for position, definition in enumerate(self._definitions)}
        found = dict.fromkeys(ends, 0)
        rows = rows_of_keys(
            self._session.connection(),
            [Contribution.indicator_id, Contribution.subject],
            [Contribution.subject],
            [(end,) for end in sorted(ends)],
            Contribution.project_id == self._project_id,
            Contribution.closed.is_(None),
        )
        for indicator_id, subject in rows:
            found[subject] |= bits.get(indicator_id, 0)
        return found


class _Remembered:
    """Who has a part in which indicators, as this process last found it for a few long queues, by database."""

    def __init__(self, lists: int, events: int) -> None:
        self._lists, self._events = lists, events
        self._kept: weakref.WeakKeyDictionary[Engine, OrderedDict[Any, tuple[int, Mapping[str, int]]]]
        self._kept = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def get(self, session: Session, key: Any, event: int) -> tuple[int, Mapping[str, int]] | None:
        with self._lock:
            found = self._kept.get(session.get_bind().engine, OrderedDict()).get(key)
        return found if found is not None and 0 <= event - found[0] <= self._events else None

    def put(self, session: Session, key: Any, event: int, parts: Mapping[str, int]) -> None:
        if writes(session):
            return  # what was read may be taken back
        with self._lock:
            kept = self._kept.setdefault(session.get_bind().engine, OrderedDict())
            kept[key] = event, parts
            kept.move_to_end(key)
            while len(kept) > self._lists:
                kept.popitem(last=False)


_remembered = _Remembered(lists=4, events=500)


def _together(standing: Mapping[str, tuple[str, str]], a: str, b: str) -> bool:
    """Whether the two are one person at the fewest."""
    return standing.get(a, (a, a))[0] == standing.get(b, (b, b))[0]


def _doubted(standing: Mapping[str, tuple[str, str]], a: str, b: str) -> bool:
    """Whether the two are two persons at the most."""
    return standing.get(a, (a, a))[1] != standing.get(b, (b, b))[1]


def _decided(
    reading: Reading, list_name: str, state: str, cursor: str | None, limit: int, wanted: Wanted
) -> Page[Queued]:
    query = select(*COLUMNS).where(*_in_state(reading, list_name, state, wanted))
    if (before := _event_at(cursor)) is not None:
        query = query.where(tuple_(Match.event, Match.id) < before)
    rows = reading.session.execute(query.order_by(Match.event.desc(), Match.id.desc()).limit(limit + 1)).all()
    items = [Queued(Pair(*row), 0) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, f"{items[-1].pair.event}-{items[-1].pair.id}" if more else None)


def _in_state(reading: Reading, list_name: str, state: str, wanted: Wanted) -> list[ColumnElement[bool]]:
    where = [Match.project_id == reading.project_id, Match.list_name == list_name, Match.state == state]
    if state == OPEN:
        where.append(Match.probability.is_not(None))
    if wanted.least > 0:
        where.append(Match.probability >= wanted.least)
    if wanted.most < 1:
        where.append(Match.probability < wanted.most)
    if wanted.places is not None:
        there = _lying_in(reading.project_id, list_name, wanted.places)
        where.append(Match.a.in_(there) | Match.b.in_(there))
    return where


def _lying_in(project_id: int, list_name: str, places: Collection[str]) -> Select[str]:
    return select(Entity.id).where(
        Entity.project_id == project_id, Entity.list_name == list_name, Entity.place.in_(sorted(places))
    )


def _pairs(session: Session, project_id: int, ids: Sequence[int]) -> Mapping[int, Pair]:
    rows = rows_of_ids(session.connection(), COLUMNS, [(Match.project_id, project_id)], Match.id, ids)
    return {pair.id: pair for pair in (Pair(*row) for row in rows)}


def _cursor_to(rank: _Rank) -> str:
    effect, distance, match_id = rank
    return f"{-effect}_{distance.hex()}_{match_id}"


def _rank_at(cursor: str | None) -> _Rank | None:
    if not cursor:
        return None
    try:
        effect, distance, match_id = cursor.split("_")
        rank = -int(effect), float.fromhex(distance), int(match_id)
    except (ValueError, OverflowError):
        raise not_a_cursor(cursor) from None
    if not math.isfinite(rank[1]):
        raise not_a_cursor(cursor)
    return rank


def _event_at(cursor: str | None) -> tuple[int, int] | None:
    if not cursor:
        return None
    event, _, match_id = cursor.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in (event, match_id)):
        raise not_a_cursor(cursor)
    return min(int(event), _LARGEST), min(int(match_id), _LARGEST)
