"""Confirming the surest pairs at once: those in which nobody would see two people. It can be undone as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from sync.dedup.pairs import DIFFERENT, OPEN, SAME
from sync.dedup.scoring.profiles import Profile, profile_of
from sync.dedup.yardsticks import compared_simply
from sync.errors import NotFound, Unexpected
from sync.indicators.moving import Totals
from sync.journal import Journal
from sync.models import EntityList, Match, MatchDecision
from sync.models.probing import rows_of_keys
from sync.review.lookalikes import lookalike
from sync.review.matches import COLUMNS, Pair, matching_list, write_decisions
from sync.review.records import records_of
from sync.review.shifts import Shift, shifts_since

MOST_AT_ONCE = 5000
CHAIN = "chain"  # together with others it would make one person of two whom nothing links, or who were told apart
_LEAST = 0.5
_ENDS: list[Any] = [Match.id, Match.a, Match.b, Match.probability, Match.state]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A pair that is sure enough by its numbers, and was left for somebody to look at; `why` names the pattern."""

    pair: Pair
    why: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was confirmed. `bulk` is the id by which to undo it, None if there was nothing; `more` says that there are
    further sure pairs than can be confirmed at once."""

    bulk: int | None
    pairs: Sequence[Pair]
    left_out: Sequence[LeftOut]
    shifts: Sequence[Shift]
    more: bool

    @property
    def reasons(self) -> Mapping[str, int]:
        """How many were left out, by pattern."""
        return Counter(one.why for one in self.left_out)


@dataclass(frozen=True, slots=True)
class Undone:
    """How many pairs are open again, and how many were not touched because somebody has decided about them since."""

    opened: int
    kept: int
    event: int | None


def confirm_surest(
    journal: Journal, list_name: str, minimum: float, reason: str | None = None, totals: Totals | None = None
) -> Confirmed:
    """Decide `same` about all open pairs of at least this probability in which nobody would see two people.

    For a preview, roll the session back afterwards. Known `totals` spare the counting of what was there before. Raises
    Unexpected for a list of organisations, which are decided one by one.
    """
    known = matching_list(journal.session, journal.project_id, list_name)
    if compared_simply(known.matching):
        raise Unexpected(f"The records of {list_name} are decided about one by one.")
    if not _LEAST <= minimum <= 1:
        raise Unexpected("The least probability lies between 0.5 and 1.")
    sure, more = _sure(journal, list_name, minimum)
    chosen, left_out = _choose(journal, known, sure)
    looked_at = journal.last_event
    bulk = journal.new_id() if chosen else None
    if chosen:
        write_decisions(journal, chosen, SAME, reason, bulk=bulk)
    return Confirmed(bulk, chosen, left_out, shifts_since(journal, looked_at, totals), more)


def undo_bulk(journal: Journal, bulk: int) -> Undone:
    """Open the pairs again that were confirmed at once, as if nothing had been said. Raises NotFound."""
    decisions = journal.session.scalars(
        select(MatchDecision).where(
            MatchDecision.project_id == journal.project_id,
            MatchDecision.id >= bulk,  # the first of them has that id
            MatchDecision.bulk == bulk,
        )
    ).all()
    if not decisions:
        raise NotFound("Nothing was confirmed under this number.")
    list_name = decisions[0].list_name
    last = _last_decisions(journal, list_name, {(one.a, one.b) for one in decisions})
    standing = [one for one in decisions if last[one.a, one.b] == one.id]
    pairs = _pairs_between(journal, list_name, [(one.a, one.b) for one in standing])
    event = write_decisions(journal, pairs, OPEN) if pairs else None
    return Undone(len(pairs), len(decisions) - len(pairs), event)


def _sure(journal: Journal, list_name: str, minimum: float) -> tuple[list[Pair], bool]:
    """The surest first."""
    query = select(*COLUMNS).where(
        Match.project_id == journal.project_id,
        Match.list_name == list_name,
        Match.state == OPEN,
        Match.probability >= minimum,
    )
    rows = journal.session.execute(query.order_by(Match.probability.desc(), Match.id).limit(MOST_AT_ONCE + 1)).all()
    return [Pair(*row) for row in rows[:MOST_AT_ONCE]], len(rows) > MOST_AT_ONCE


def _choose(journal: Journal, known: EntityList, sure: Sequence[Pair]) -> tuple[list[Pair], list[LeftOut]]:
    profiles = _profiles(journal, known, {id_ for pair in sure for id_ in (pair.a, pair.b)})
    patterns = {pair.id: lookalike(profiles[pair.a], profiles[pair.b]) for pair in sure}
    persons = _Persons(journal, known.name, {pair.id for pair in sure if patterns[pair.id]})
    chosen, left_out = [], []
    for pair in sure:
        why = patterns[pair.id] or (None if persons.join(pair.a, pair.b) else CHAIN)
        if why is None:
            chosen.append(pair)
        else:
            left_out.append(LeftOut(pair, why))
    return chosen, left_out


def _profiles(journal: Journal, known: EntityList, entity_ids: Collection[str]) -> Mapping[str, Profile]:
    roles = {str(name): str(role) for name, role in (known.matching or {}).items()}
    records = records_of(journal.session, journal.project_id, known.name, entity_ids)
    return {id_: profile_of(id_, roles, record.data, record.created_at.date()) for id_, record in records.items()}


class _Persons:
    """The persons that decisions make of a list: two of them join only if every record of the one is likely to be
    every record of the other, and none of these pairs was told apart or fits the pattern of two people."""

    def __init__(self, journal: Journal, list_name: str, patterned: Collection[int]) -> None:
        query = select(*_ENDS).where(
            Match.project_id == journal.project_id,
            Match.list_name == list_name,
            (Match.probability >= _LEAST) | (Match.state != OPEN),
        )
        rows = journal.connection.execute(query).all()
        self._linked: set[tuple[str, str]] = set()
        self._members: dict[str, list[str]] = {}
        for match_id, a, b, probability, state in rows:
            if state == SAME or (state == OPEN and probability >= _LEAST and match_id not in patterned):
                self._linked.add((a, b))
        for _, a, b, _, state in rows:
            if state == SAME:
                self._unite(a, b)
        self._apart = {(a, b) for _, a, b, _, state in rows if state == DIFFERENT}

    def join(self, a: str, b: str) -> bool:
        """Make them one person, if nothing speaks against it."""
        ours, theirs = self._person(a), self._person(b)
        if ours is not theirs:
            across = [(min(one, other), max(one, other)) for one in ours for other in theirs]
            if any(pair in self._apart or pair not in self._linked for pair in across):
                return False
            self._unite(a, b)
        return True

    def _person(self, entity_id: str) -> list[str]:
        return self._members.setdefault(entity_id, [entity_id])

    def _unite(self, a: str, b: str) -> None:
        ours, theirs = self._person(a), self._person(b)
        if ours is theirs:
            return
        if len(ours) < len(theirs):
            ours, theirs = theirs, ours
        ours += theirs
        for one in theirs:
            self._members[one] = ours


def _last_decisions(
    journal: Journal, list_name: str, wanted: Collection[tuple[str, str]]
) -> Mapping[tuple[str, str], int]:
    """The id of the last decision about each pair."""
    columns = [MatchDecision.a, MatchDecision.b, MatchDecision.id]
    at = (MatchDecision.project_id, journal.project_id), (MatchDecision.list_name, list_name)
    found: dict[tuple[str, str], int] = {}
    for a, b, number in rows_of_keys(journal.connection, columns, columns[:2], sorted(wanted), *at):
        found[a, b] = max(found.get((a, b), 0), number)
    return found


def _pairs_between(journal: Journal, list_name: str, wanted: Sequence[tuple[str, str]]) -> list[Pair]:
    at = (Match.project_id, journal.project_id), (Match.list_name, list_name)
    return [Pair(*row) for row in rows_of_keys(journal.connection, COLUMNS, [Match.a, Match.b], wanted, *at)]
