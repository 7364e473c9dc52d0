"""The pairs that a coordinator goes through: first those on which most figures hang, then those most in doubt."""

from __future__ import annotations

import math
import threading
import time
import weakref
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, func, or_, select, tuple_
from sqlalchemy.orm import Session

from forms.xpath.numbers import LARGEST
from sync.dedup.pairs import OPEN
from sync.entities.reach import writes
from sync.errors import Unexpected
from sync.indicators.definitions import Definition
from sync.indicators.figures import Figure, figure
from sync.indicators.reading import Reading
from sync.models import Contribution, Entity, Match, MatchDecision, Membership, Project
from sync.models.database import fetch_rows
from sync.models.probing import rows_of_ids, rows_of_keys
from sync.review.matches import COLUMNS, DECISIONS, Pair
from sync.review.paging import PAGE, Page, not_a_cursor

_ENDS: list[Any] = [Match.id, Match.a, Match.b, Match.probability]
_STANDING: list[Any] = [Membership.entity_id, Membership.fewest_id, Membership.most_id]
_FEW = 2000  # are fetched one by one
_IN_FORCE = Membership.closed.is_(None)
# The order of a queue of more than so many pairs is kept, until it is so many events or so many seconds old.
_KEPT_FROM, _OLD_EVENTS, _OLD_SECONDS = 200, 500, 60.0
# Figures on which a pair hangs (less than nothing, so that many come first), how far it is from ½, its id.
_Rank = tuple[int, float, int]
_Ranked = tuple[_Rank, float]  # with its probability


@dataclass(frozen=True, slots=True)
class Queued:
    """A pair of the queue. `effect` is the number of indicators in which both have a part, if they are one person in
    the low bound: so many figures, or what they may be, hang on what is decided. `cursor` is that of whoever has seen
    the pairs up to this one."""

    pair: Pair
    effect: int
    cursor: str


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

    Of more than 200 pairs, the order may be that of up to 500 events and a minute ago, but never which pairs there
    are, nor what each of them is and changes.

    Raises Unexpected for what is no state, and for what was never a cursor.
    """
    if state not in DECISIONS:
        raise Unexpected(f"{state!r} is not a state; it is one of {', '.join(DECISIONS)}.")
    if state != OPEN:
        return _decided(reading, list_name, state, cursor, limit, wanted)
    after = _rank_at(cursor)
    ranks = _order(reading, list_name)
    start = 0 if after is None else bisect_right(ranks, after, key=lambda one: one[0])
    found: list[tuple[_Rank, Pair]] = []
    for some in _portions(_those_wanted(reading, list_name, wanted, ranks, start), limit + 1):
        pairs = _pairs(reading.session, reading.project_id, [rank[-1] for rank in some])
        there = ((rank, pairs.get(rank[-1])) for rank in some)
        found += [(rank, pair) for rank, pair in there if pair is not None and _waits(pair, wanted)]
        if len(found) > limit:
            break
    hanging = _Hanging(reading, list_name, Match.id.in_([pair.id for _, pair in found[:limit]]))
    items = [Queued(pair, hanging.effect(pair.id), _cursor_to(rank)) for rank, pair in found[:limit]]
    return Page(items, items[-1].cursor if len(found) > limit else None)


def count_pairs(reading: Reading, list_name: str, state: str, wanted: Wanted = ALL) -> int:
    """How many there are on all pages of them."""
    query = select(func.count()).where(*_in_state(reading, list_name, state, wanted))
    return reading.session.scalars(query).one()


def figures_on(reading: Reading, list_name: str, match_id: int) -> list[Definition]:
    """The indicators that hang on an open pair, as its `effect` counts them."""
    return _Hanging(reading, list_name, Match.id == match_id).indicators(match_id)


def waiting(reading: Reading, list_name: str) -> Waiting:
    """What hangs on the open pairs of a list; the figures with the widest range come first."""
    hanging = _Hanging(reading, list_name, Match.state == OPEN)
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
    """Which figures hang on which candidates of a list. `pairs` is the probability of each by its id."""

    def __init__(self, reading: Reading, list_name: str, which: ColumnElement[bool]) -> None:
        self._session, self._project_id, self._list = reading.session, reading.project_id, list_name
        self._definitions = counting_persons(reading, list_name)
        query = select(*_ENDS).where(
            Match.project_id == self._project_id, Match.list_name == list_name, Match.probability.is_not(None), which
        )
        rows = fetch_rows(self._session.connection(), query)
        self.pairs: Mapping[int, float] = {match_id: probability for match_id, _, _, probability in rows}
        standing = self._persons({end for _, a, b, _ in rows for end in (a, b)})
        together = [(match_id, a, b) for match_id, a, b, _ in rows if _together(standing, a, b)]
        parts = self._parts({end for _, a, b in together for end in (a, b)})
        self._of_pair = {match_id: both for match_id, a, b in together if (both := parts.get(a, 0) & parts.get(b, 0))}
        self._doubted = {match_id for match_id, a, b in together if _doubted(standing, a, b)}

    def effect(self, match_id: int) -> int:
        return self._of_pair.get(match_id, 0).bit_count()

    def indicators(self, match_id: int) -> list[Definition]:
        parts = self._of_pair.get(match_id, 0)
        return [definition for position, definition in enumerate(self._definitions) if parts >> position & 1]

    def ranks(self) -> list[_Ranked]:
        return [((-self.effect(match_id), abs(one - 0.5), match_id), one) for match_id, one in self.pairs.items()]

    def by_indicator(self) -> Iterable[tuple[Definition, int]]:
        """Each indicator with the number of pairs on which it hangs."""
        for position, definition in enumerate(self._definitions):
            doubted = (parts for match_id, parts in self._of_pair.items() if match_id in self._doubted)
            yield definition, sum(parts >> position & 1 for parts in doubted)

    def _persons(self, ends: Collection[str]) -> Mapping[str, tuple[str, str]]:
        """Who an entity is in the low and in the high bound, where it is not simply itself."""
        current: tuple[Any, ...] = (
            (Membership.project_id, self._project_id),
            (Membership.list_name, self._list),
        )
        if len(ends) <= _FEW:
            keys, values = [Membership.entity_id], [(end,) for end in sorted(ends)]
            rows = rows_of_keys(self._session.connection(), _STANDING, keys, values, *current, _IN_FORCE)
        else:
            query = select(*_STANDING).where(*(column == value for column, value in current), _IN_FORCE)
            rows = fetch_rows(self._session.connection(), query)
        return {entity_id: (fewest, most) for entity_id, fewest, most in rows}

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


@dataclass(frozen=True, slots=True)
class _Order:
    """The open pairs of a list in the order of the queue, as it was at an event and a moment of the machine's clock.
    `last` is the id that was given last then."""

    ranks: Sequence[_Ranked]
    last: int
    event: int
    at: float

    def holds(self, event: int) -> bool:
        """Whether it may be shown as of this event."""
        return self.event <= event and event - self.event <= _OLD_EVENTS and time.monotonic() - self.at <= _OLD_SECONDS


class _Orders:
    """The order of a few long queues as this process last found it, by database."""

    def __init__(self, lists: int) -> None:
        self._lists = lists
        self._kept: weakref.WeakKeyDictionary[Engine, OrderedDict[Any, _Order]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def get(self, session: Session, key: Any, event: int) -> _Order | None:
        with self._lock:
            found = self._kept.get(session.get_bind().engine, OrderedDict()).get(key)
        return found if found is not None and found.holds(event) else None

    def put(self, session: Session, key: Any, order: _Order) -> None:
        if writes(session):
            return  # what was read may be taken back
        with self._lock:
            kept = self._kept.setdefault(session.get_bind().engine, OrderedDict())
            kept[key] = order
            kept.move_to_end(key)
            while len(kept) > self._lists:
                kept.popitem(last=False)


_orders = _Orders(lists=8)


def _order(reading: Reading, list_name: str) -> Sequence[_Ranked]:
    """The open pairs in their order. Of a long queue it may be some events old, and hold what was decided since; but
    pairs that are new, were opened again or are compared otherwise by now have their place in it."""
    definitions = tuple((one.id, one.opened) for one in counting_persons(reading, list_name))
    key, event = (reading.project_id, list_name, definitions), reading.as_of.event
    kept = _orders.get(reading.session, key, event)
    if kept is not None:
        return kept.ranks if kept.event == event else _with_new(reading, list_name, kept)
    last = reading.session.scalars(select(Project.last_id).where(Project.id == reading.project_id)).one()
    ranks = sorted(_Hanging(reading, list_name, Match.state == OPEN).ranks())
    if len(ranks) > _KEPT_FROM:
        _orders.put(reading.session, key, _Order(ranks, last, event, time.monotonic()))
    return ranks


def _with_new(reading: Reading, list_name: str, kept: _Order) -> Sequence[_Ranked]:
    opened = select(Match.id).join(
        MatchDecision,
        (Match.project_id == MatchDecision.project_id)
        & (Match.list_name == MatchDecision.list_name)
        & (Match.a == MatchDecision.a)
        & (Match.b == MatchDecision.b),
    )
    again = opened.where(
        MatchDecision.project_id == reading.project_id,
        MatchDecision.id > kept.last,
        MatchDecision.list_name == list_name,
        MatchDecision.decision == OPEN,
    )
    changed = (Match.state == OPEN) & (Match.event > kept.event)
    new = _Hanging(reading, list_name, or_(Match.id > kept.last, Match.id.in_(again), changed)).ranks()
    ids = {rank[-1] for rank, _ in new}
    return sorted([*(one for one in kept.ranks if one[0][-1] not in ids), *new]) if new else kept.ranks


def _those_wanted(
    reading: Reading, list_name: str, wanted: Wanted, ranks: Sequence[_Ranked], start: int
) -> Iterator[_Rank]:
    """From a rank on, those that are wanted by what is known of them."""
    some = (rank for rank, probability in islice(ranks, start, None) if wanted.holds(probability))
    if wanted.places is None:
        return some
    there = set(reading.session.scalars(select(Match.id).where(*_in_state(reading, list_name, OPEN, wanted))))
    return (rank for rank in some if rank[-1] in there)


def _portions(ranks: Iterator[_Rank], size: int) -> Iterator[list[_Rank]]:
    """Larger ones as it goes on: after those who go through the queue, many may have been decided."""
    while some := list(islice(ranks, size)):
        yield some
        size = min(2 * size, _FEW)


def _waits(pair: Pair, wanted: Wanted) -> bool:
    """Whether it is to be decided and wanted, as it stands now."""
    return pair.state == OPEN and pair.probability is not None and wanted.holds(pair.probability)


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
    pairs = [Pair(*row) for row in rows[:limit]]
    items = [Queued(pair, 0, f"{pair.event}-{pair.id}") for pair in pairs]
    return Page(items, items[-1].cursor if len(rows) > limit else None)


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
    return min(int(event), LARGEST), min(int(match_id), LARGEST)
