"""A list compared from scratch: for a rebuild, to see that what is stored is right, and with a new model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select

from sync.dedup.keys import Held, exchange_keys, keys_of_entities
from sync.dedup.pairs import NOTHING, OPEN, Known, Likeness, Pair, Tie, all_pairs, likeness_of, ordered, write_pairs
from sync.dedup.persons import misplaced, settle_all, standings_of
from sync.dedup.scoring.clustering import Standing
from sync.dedup.yardsticks import Modelled, Yardstick, yardstick_of
from sync.journal import Journal
from sync.models import Entity, EntityList

if TYPE_CHECKING:
    from sync.dedup.scoring.bulk import Compared

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Differences:
    """What of a list is stored otherwise than it should be."""

    missing_keys: Sequence[Held]
    extra_keys: Sequence[Held]
    new: Mapping[Pair, Likeness]
    changed: Sequence[tuple[Known, Likeness]]
    gone: Sequence[Known]
    misplaced: frozenset[str]

    def sentences(self, list_name: str) -> list[str]:
        """One for each kind of thing that differs."""
        keys = {entity_id for _, entity_id in (*self.missing_keys, *self.extra_keys)}
        matches = len(self.new) + len(self.changed) + len(self.gone)
        counted = ((keys, "entities are found by other keys"), (self.misplaced, "entities stand for another person"))
        found = [f"list {list_name}: {len(some)} {what}" for some, what in counted if some]
        return found + ([f"list {list_name}: {matches} matches"] if matches else [])


def compared_lists(connection: Connection, project_id: int) -> dict[str, Mapping[str, str]]:
    """The lists whose entities are compared, with the roles of their properties."""
    rows = connection.execute(
        select(EntityList.name, EntityList.matching)
        .where(EntityList.project_id == project_id, EntityList.matching.is_not(None))
        .order_by(EntityList.name)
    )
    return {name: roles for name, roles in rows if roles}


def differences(
    connection: Connection,
    project_id: int,
    list_name: str,
    roles: Mapping[str, str],
    compared: Compared | None = None,
) -> Differences:
    """Compare everything with everything and the outcome with what is stored; writes nothing.

    `compared` are the list's pairs, where somebody has compared them just now.
    """
    yardstick = yardstick_of(connection, project_id, list_name, roles)
    known = {profile.id: profile for profile in compared.profiles} if compared is not None else {}
    profiles: dict[str, Any] = {}
    missing: list[Held] = []
    extra: list[Held] = []
    for rows in portions(connection, project_id, list_name):
        stored = keys_of_entities(connection, project_id, list_name, [row.id for row in rows])
        for row in rows:
            wanted: set[int] = set()
            if not row.withdrawn and row.deleted_at is None:
                profiles[row.id] = known.get(row.id) or yardstick.profile(row.id, row.data, row.created_at)
                wanted = set(yardstick.keys(profiles[row.id]))
            there = stored.get(row.id, set())
            missing += [(key, row.id) for key in sorted(wanted - there)]
            extra += [(key, row.id) for key in sorted(there - wanted)]
    found = dict(likenesses(yardstick, profiles, compared))
    new, changed, gone, ties = _compare(found, all_pairs(connection, project_id, list_name))
    standings: Mapping[str, Standing] = standings_of(connection, project_id, list_name, ties)
    wrong = frozenset(misplaced(connection, project_id, list_name, standings))
    return Differences(missing, extra, new, changed, gone, wrong)


def rematch(
    journal: Journal,
    list_name: str,
    roles: Mapping[str, str],
    event: int | None = None,
    compared: Compared | None = None,
) -> list[str]:
    """Make what is stored of a list what comes of comparing it from scratch; gives the differences, as sentences.

    Where there is none, nothing is written. Without an `event` one is recorded for what there is. `compared` is as
    `differences` takes it.
    """
    connection, project_id = journal.connection, journal.project_id
    found = differences(connection, project_id, list_name, roles, compared)
    told = found.sentences(list_name)
    if not told:
        return []
    event = event or journal.record("rebuilt", None, {"list": list_name})
    exchange_keys(connection, project_id, list_name, found.extra_keys, found.missing_keys)
    write_pairs(journal, list_name, found.new, found.changed, found.gone, event)
    settle_all(journal, list_name, event)
    return told


def all_differences(connection: Connection, project_id: int) -> list[str]:
    """The same of every list that is compared, as sentences."""
    lists = compared_lists(connection, project_id)
    return [
        told
        for name, roles in lists.items()
        for told in differences(connection, project_id, name, roles).sentences(name)
    ]


def likenesses(
    yardstick: Yardstick, profiles: Mapping[str, Any], compared: Compared | None
) -> Iterator[tuple[Pair, Likeness]]:
    """All pairs of these that are alike enough to be kept."""
    if isinstance(yardstick, Modelled):
        if compared is None:
            from sync.dedup.scoring.bulk import Compared  # noqa: PLC0415 — numpy takes a tenth of a second to load

            yardstick.prepare(profiles.values())
            compared = Compared(profiles.values(), yardstick.terms)
        for a, b, score in compared.matches(yardstick.model):
            yield (a, b), likeness_of(score, yardstick.version)
        return
    for a, b in _sharing_keys(yardstick, profiles):
        likeness = yardstick.likeness(profiles[a], profiles[b])
        if likeness is not None:
            yield (a, b), likeness


def _sharing_keys(yardstick: Yardstick, profiles: Mapping[str, Any]) -> list[Pair]:
    blocks: dict[int, list[str]] = defaultdict(list)
    for entity_id, profile in profiles.items():
        for key in set(yardstick.keys(profile)):
            blocks[key].append(entity_id)
    small = (ids for key, ids in blocks.items() if len(ids) <= yardstick.cap(key))
    return sorted({ordered(one, other) for ids in small for one, other in combinations(ids, 2)})


def _compare(
    found: Mapping[Pair, Likeness], stored: Iterator[Known]
) -> tuple[dict[Pair, Likeness], list[tuple[Known, Likeness]], list[Known], list[Tie]]:
    """What is new, changed and gone, and how entities should hang together."""
    new = dict(found)
    changed: list[tuple[Known, Likeness]] = []
    gone: list[Known] = []
    ties: list[Tie] = []
    for known in stored:
        likeness = new.pop(known.pair, NOTHING)
        if likeness is NOTHING and known.state == OPEN:
            gone.append(known)
            continue
        if likeness != known.likeness:
            changed.append((known, likeness))
        ties.append(Tie(known.a, known.b, likeness.probability, known.state))
    ties += [Tie(a, b, likeness.probability, OPEN) for (a, b), likeness in new.items()]
    return new, changed, gone, ties


def portions(connection: Connection, project_id: int, list_name: str) -> Iterator[Sequence[Any]]:
    after = ""
    while True:
        rows = connection.execute(_NEXT, {"project": project_id, "list": list_name, "after": after}).all()
        if not rows:
            return
        yield rows
        after = rows[-1].id


_NEXT = (
    select(Entity.id, Entity.data, Entity.created_at, Entity.withdrawn, Entity.deleted_at)
    .where(
        Entity.project_id == bindparam("project"),
        Entity.list_name == bindparam("list"),
        Entity.id > bindparam("after"),
    )
    .order_by(Entity.id)
    .limit(_AT_ONCE)
)
