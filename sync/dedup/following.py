"""Who may be whom follows every change of an entity: its keys, those it is compared with, and the persons of figures.

Two entities are compared if they share a key that not too many have. So the result depends on who has which keys, never
on who came first: a key that too many come to have loses its pairs, and gets them back when enough have gone.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from sqlalchemy import bindparam, select

from sync.dedup.joining import LEAST
from sync.dedup.keys import Held, exchange_keys, keys_of_entities, members
from sync.dedup.pairs import (
    NOTHING,
    OPEN,
    Known,
    Likeness,
    Pair,
    ordered,
    pairs_among,
    pairs_of,
    write_pairs,
)
from sync.dedup.persons import settle
from sync.dedup.yardsticks import Yardstick, yardstick_of
from sync.journal import Journal
from sync.models import Entity, EntityList
from sync.models.probing import rows_of_ids

TOLD_FROM = 0.5  # the probability from which on whoever sends a person hears of the other one
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Appearing:
    """An entity that was made or changed. One that does not live takes no part; `new` promises that it was not there
    before, so that nobody needs to look. `event` changed it, where several came at once."""

    id: str
    data: Mapping[str, Any]
    created_at: dt.datetime
    lives: bool
    new: bool = False
    event: int | None = None


def follow(
    journal: Journal, list_name: str, roles: Mapping[str, str], appearing: Sequence[Appearing], event: int
) -> dict[str, str]:
    """Bring keys, matches and memberships up to date with these entities, which are stored already, as changed by the
    event, the last of all. Gives those that look like another one, with whom they look most like."""
    if not appearing:
        return {}
    yardstick = yardstick_of(journal.connection, journal.project_id, list_name, roles)
    following = _Following(journal, list_name, yardstick)
    following.exchange_keys(appearing)
    following.compare()
    touched, only_closer = following.write(event)
    if following.outgrown:
        journal.note_outgrown(event, list_name, following.outgrown)
    settle(journal, list_name, touched, event, events=following.events, only_closer=only_closer)
    return following.alike()


def follow_ids(journal: Journal, list_name: str, entity_ids: Collection[str], event: int) -> None:
    """The same for entities of which nothing is at hand but the ids; nothing, if the list's are not compared."""
    roles = journal.connection.scalar(_ROLES, {"project": journal.project_id, "list": list_name})
    if not roles:
        return
    ids = sorted(entity_ids)
    for start in range(0, len(ids), _AT_ONCE):
        follow(journal, list_name, roles, _appearing(journal, list_name, ids[start : start + _AT_ONCE]), event)


def follow_list(journal: Journal, list_name: str, event: int) -> None:
    """The same for a whole list, as when other properties play a role; nothing, if its entities are not compared."""
    of_list = {"project": journal.project_id, "list": list_name}
    after = ""
    while ids := journal.connection.scalars(_IDS, {**of_list, "after": after}).all():
        follow_ids(journal, list_name, ids, event)
        after = ids[-1]


@dataclass(slots=True)
class _Blocks:
    """The keys that were looked at. `small` ones find others; `outgrown` ones did before, `shrunk` ones did not."""

    small: dict[int, Sequence[str]] = field(default_factory=dict)
    big: set[int] = field(default_factory=set)
    outgrown: dict[int, Sequence[str]] = field(default_factory=dict)
    shrunk: set[int] = field(default_factory=set)


class _Following:
    """Some entities of one list that have changed, with all that follows."""

    def __init__(self, journal: Journal, list_name: str, yardstick: Yardstick) -> None:
        self._journal, self._connection, self._project_id = journal, journal.connection, journal.project_id
        self._list, self._yardstick = list_name, yardstick
        self.events: dict[str, int] = {}  # that changed an entity, where they are known apart
        self._profiles: dict[str, Any] = {}
        self._keys: dict[str, set[int]] = {}
        self._older: set[str] = set()
        self._blocks = _Blocks()
        self._stored: dict[Pair, Known] = {}
        self._gone: set[Pair] = set()  # pairs of others that lost the key they shared
        self._found: dict[Pair, Likeness] = {}

    @property
    def outgrown(self) -> int:
        """How many keys found others before, and now find nobody."""
        return len(self._blocks.outgrown)

    def exchange_keys(self, appearing: Sequence[Appearing]) -> None:
        """Store the keys as they are now, and see which of them find others."""
        yardstick = self._yardstick
        self._older = {one.id for one in appearing if not one.new}
        self.events = {one.id: one.event for one in appearing if one.event is not None}
        for one in appearing:
            profile = yardstick.profile(one.id, one.data, one.created_at) if one.lives else None
            self._keys[one.id] = set(yardstick.keys(profile)) if profile is not None else set()
            if profile is not None:
                self._profiles[one.id] = profile
        before = keys_of_entities(self._connection, self._project_id, self._list, self._older)
        gone: list[Held] = []
        new: list[Held] = []
        for entity_id, keys in sorted(self._keys.items()):
            there = before.get(entity_id, set())
            gone += [(key, entity_id) for key in sorted(there - keys)]
            new += [(key, entity_id) for key in sorted(keys - there)]
        exchange_keys(self._connection, self._project_id, self._list, gone, new)
        self._see_blocks(Counter(key for key, _ in new), Counter(key for key, _ in gone))

    def compare(self) -> None:
        """Find out whom each is compared with, and how alike they are."""
        self._stored = pairs_of(self._connection, self._project_id, self._list, self._older)
        self._look_at_outgrown()
        pairs = self._candidates()
        self._fetch_profiles({id_ for pair in pairs for id_ in pair} - self._profiles.keys())
        self._yardstick.prepare([self._profiles[a if a in self._keys else b] for a, b in pairs])
        for a, b in pairs:
            likeness = self._yardstick.likeness(self._profiles[a], self._profiles[b])
            if likeness is not None:
                self._found[a, b] = likeness

    def write(self, event: int) -> tuple[set[str], bool]:
        """Store what is different; gives the entities about whose persons this may say something else, and whether
        nobody has lost anything by which they hung together: then one of each new pair is enough."""
        new = {pair: likeness for pair, likeness in self._found.items() if pair not in self._stored}
        changed: list[tuple[Known, Likeness]] = []
        gone: list[Known] = []
        # A pair may be none any more and its entities still be one by decision, as long as both are there.
        touched = {id_ for pair, known in self._stored.items() if known.state != OPEN for id_ in pair}
        for pair, known in self._stored.items():
            likeness = self._found.get(pair, NOTHING)
            if likeness == known.likeness or not self._concerns(pair):
                continue
            if likeness is NOTHING and known.state == OPEN:
                gone.append(known)
            else:
                changed.append((known, likeness))
            if _weighs(known.likeness) or _weighs(likeness):
                touched.update(pair)
        only_closer = not touched
        for pair in (pair for pair, likeness in new.items() if _weighs(likeness)):
            ends = self._keys.keys() & pair if only_closer else pair
            touched.update(ends or pair)
        write_pairs(self._journal, self._list, new, changed, gone, event)
        return touched, only_closer

    def alike(self) -> dict[str, str]:
        """The entities that changed and look like another one, with the one they look most like."""
        best: dict[str, tuple[float, str]] = {}
        for pair, likeness in sorted(self._found.items(), key=lambda item: item[0]):
            known = self._stored.get(pair)
            if (likeness.probability or 0) < TOLD_FROM or (known is not None and known.state != OPEN):
                continue
            for one, other in (pair, pair[::-1]):
                if one in self._keys and (likeness.probability or 0) > best.get(one, (0.0, ""))[0]:
                    best[one] = likeness.probability or 0, other
        return {one: other for one, (_, other) in best.items()}

    def _concerns(self, pair: Pair) -> bool:
        """Whether what was found about this pair is all that there is to find."""
        return pair in self._found or pair in self._gone or not self._keys.keys().isdisjoint(pair)

    def _see_blocks(self, new: Mapping[int, int], gone: Mapping[int, int]) -> None:
        keys = {key for keys in self._keys.values() for key in keys} | gone.keys()
        for most, some in self._by_cap(keys).items():
            # So many are enough to tell whether it was too big before, too.
            limit = most + max((new.get(key, 0) for key in some), default=0) + 1
            found = members(self._connection, self._project_id, self._list, some, limit)
            for key in some:
                ids = found.get(key, ())
                was_small = len(ids) - new.get(key, 0) + gone.get(key, 0) <= most
                if len(ids) <= most:
                    self._blocks.small[key] = ids
                    if not was_small:
                        self._blocks.shrunk.add(key)
                else:
                    self._blocks.big.add(key)
                    if was_small:
                        self._blocks.outgrown[key] = ids

    def _by_cap(self, keys: Iterable[int]) -> dict[int, list[int]]:
        """The keys, by how many may have them."""
        found: dict[int, list[int]] = defaultdict(list)
        for key in keys:
            found[self._yardstick.cap(key)].append(key)
        return found

    def _look_at_outgrown(self) -> None:
        """Matches of others that shared a key which finds nobody any more, and share no other one that does."""
        # Of one name and one place there are several keys, most often with the same entities.
        for others in {frozenset(ids).difference(self._keys) for ids in self._blocks.outgrown.values()}:
            if len(others) < 2:
                continue
            among = pairs_among(self._connection, self._project_id, self._list, others)
            asked = {known.pair: known for known in among if known.weight is not None}
            lost = asked.keys() - self._still_found(asked)
            self._gone |= lost
            self._stored |= {pair: asked[pair] for pair in lost}

    def _still_found(self, pairs: Collection[Pair]) -> set[Pair]:
        """Those of these pairs that share a key by which they are found."""
        keys = keys_of_entities(self._connection, self._project_id, self._list, {id_ for pair in pairs for id_ in pair})
        shared = {(a, b): keys[a] & keys[b] for a, b in pairs}
        asked = {key for some in shared.values() for key in some} - self._blocks.small.keys() - self._blocks.big
        for most, some in self._by_cap(asked).items():
            found = members(self._connection, self._project_id, self._list, some, most + 1)
            for key in some:
                ids = found.get(key, ())
                if len(ids) <= most:
                    self._blocks.small[key] = ids
                else:
                    self._blocks.big.add(key)
        return {pair for pair, some in shared.items() if not some.isdisjoint(self._blocks.small)}

    def _candidates(self) -> list[Pair]:
        found: set[Pair] = set()
        for entity_id in self._profiles:
            for key in self._keys[entity_id]:
                found.update(
                    ordered(entity_id, other) for other in self._blocks.small.get(key, ()) if other != entity_id
                )
        for key in self._blocks.shrunk:
            ids = self._blocks.small[key]
            found.update(ordered(one, other) for one, other in combinations(ids, 2))
            self._stored |= pairs_of(self._connection, self._project_id, self._list, ids)
        return sorted(found)

    def _fetch_profiles(self, entity_ids: Collection[str]) -> None:
        for one in _appearing(self._journal, self._list, entity_ids):
            self._profiles[one.id] = self._yardstick.profile(one.id, one.data, one.created_at)


def _weighs(likeness: Likeness) -> bool:
    return (likeness.probability or 0) >= LEAST


def _appearing(journal: Journal, list_name: str, entity_ids: Collection[str]) -> list[Appearing]:
    """These entities, as they are stored."""
    fixed = [(Entity.project_id, journal.project_id), (Entity.list_name, list_name)]
    rows = rows_of_ids(journal.connection, _COLUMNS, fixed, Entity.id, sorted(entity_ids))
    return [
        Appearing(row.id, row.data, row.created_at, lives=not row.withdrawn and row.deleted_at is None) for row in rows
    ]


_IDS = (
    select(Entity.id)
    .where(
        Entity.project_id == bindparam("project"),
        Entity.list_name == bindparam("list"),
        Entity.id > bindparam("after"),
    )
    .order_by(Entity.id)
    .limit(_AT_ONCE)
)
_COLUMNS = [Entity.id, Entity.data, Entity.created_at, Entity.withdrawn, Entity.deleted_at]
_ROLES = select(EntityList.matching).where(
    EntityList.project_id == bindparam("project"), EntityList.name == bindparam("list")
)
