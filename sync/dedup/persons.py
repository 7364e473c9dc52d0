"""Persons follow matches and decisions: which entities are one in the value of a figure, and in its two bounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from sync.dedup.joining import Classes, binds, joined, nearest
from sync.dedup.pairs import DIFFERENT, OPEN, SAME, Tie, all_ties, ties_of
from sync.dedup.scoring.clustering import Standing, partition
from sync.dedup.yardsticks import compared_simply
from sync.journal import Journal
from sync.models import Entity, EntityList, Membership
from sync.models.database import insert_rows
from sync.models.probing import rows_of_ids, rows_of_keys

_FEW = 200  # entities that hang together, of which all may be read for the sake of one
_NEVER = 0.49  # what an undecided match of a list that is compared simply comes to, at most
_AT_ONCE = 2000
_NONE: Mapping[str, int] = MappingProxyType({})


def settle(
    journal: Journal,
    list_name: str,
    entity_ids: Collection[str],
    event: int,
    *,
    events: Mapping[str, int] = _NONE,
    only_closer: bool = False,
) -> bool:
    """Make memberships what matches and decisions say of these entities and of all that hang together with them;
    whether anything was different.

    To be called after every change of matches or of what was decided, with both entities of each. Where several events
    changed entities, `events` says which one changed whom, and `event` is the last. With `only_closer`
    the caller promises that no tie has become weaker, and one entity of each that is new or stronger is enough: then
    the cost is bounded by what is new, however many hang together.
    """
    if not entity_ids:
        return False
    most = _FEW + 10 * len(entity_ids) if only_closer else None
    found = _reached_from(journal, list_name, entity_ids, most)
    if found is None:
        standings = _joined(journal, list_name, entity_ids)
        if standings is not None:
            return _write(journal, list_name, standings.keys(), standings, event, events)
        found = _reached_from(journal, list_name, entity_ids)
    ties, reached = found or ([], set())
    return _write(journal, list_name, reached, _standings(journal, list_name, ties), event, events)


def _joined(journal: Journal, list_name: str, entity_ids: Collection[str]) -> dict[str, Standing] | None:
    """Who stands for whom among those about whom something new is known, without reading all that hangs together with
    them; None where that cannot be known so."""
    ties, near = nearest(journal, list_name, entity_ids)
    if any(tie.probability is None for tie in ties):
        return None  # one of the two may be gone
    among = _standings(journal, list_name, [tie for tie in ties if near.issuperset(tie.pair)])
    alone = {entity_id: Standing(entity_id, entity_id, entity_id) for entity_id in near}
    return joined(journal, list_name, entity_ids, ties, {**alone, **among})


def settle_all(journal: Journal, list_name: str, event: int) -> bool:
    """The same for a whole list."""
    connection, project_id = journal.connection, journal.project_id
    standings = standings_of(connection, project_id, list_name, all_ties(connection, project_id, list_name))
    wrong = sorted(misplaced(connection, project_id, list_name, standings))
    for start in range(0, len(wrong), _AT_ONCE):
        _write(journal, list_name, wrong[start : start + _AT_ONCE], standings, event)
    return bool(wrong)


def misplaced(connection: Connection, project_id: int, list_name: str, standings: Mapping[str, Standing]) -> set[str]:
    """The entities of a list that do not stand for whom they should."""
    wanted = {entity_id: said for entity_id, one in standings.items() if (said := _said(entity_id, one)) is not None}
    held = {
        entity_id: tuple(said)
        for entity_id, *said in connection.execute(_HOLDING, {"project": project_id, "list": list_name})
    }
    return {entity_id for entity_id in wanted.keys() | held.keys() if wanted.get(entity_id) != held.get(entity_id)}


def _reached_from(
    journal: Journal, list_name: str, entity_ids: Collection[str], most: int | None = None
) -> tuple[list[Tie], set[str]] | None:
    """What hangs together with these entities, and how; what keeps two apart is told, and leads nowhere. None if that
    is more than `most` entities."""
    ties: dict[tuple[str, str], Tie] = {}
    reached: set[str] = set()
    coming = set(entity_ids)
    while coming:
        if most is not None and len(reached) + len(coming) > most:
            return None
        found = ties_of(journal.connection, journal.project_id, list_name, coming)
        reached |= coming
        ties |= found
        coming = {id_ for tie in found.values() if binds(tie) for id_ in tie.pair} - reached
    return list(ties.values()), reached


def _standings(journal: Journal, list_name: str, ties: Collection[Tie]) -> Mapping[str, Standing]:
    return standings_of(journal.connection, journal.project_id, list_name, ties)


def standings_of(
    connection: Connection, project_id: int, list_name: str, ties: Collection[Tie]
) -> Mapping[str, Standing]:
    """Who stands for whom by these matches. Who is not named stands for itself alone."""
    binding = [tie for tie in ties if binds(tie)]
    if not binding:
        return {}
    # What is no match any more may be decided about somebody who is gone; of the others both are there.
    dead = _dead_among(
        connection, project_id, list_name, {id_ for tie in ties if tie.probability is None for id_ in tie.pair}
    )
    binding = [tie for tie in binding if dead.isdisjoint(tie.pair)]
    bound = {id_ for tie in binding for id_ in tie.pair}
    simply = compared_simply(connection.scalar(_ROLES, {"project": project_id, "list": list_name}))
    links = {tie.pair: tie.probability or 0.0 for tie in binding if tie.state == OPEN}
    if simply:
        links = {pair: min(probability, _NEVER) for pair, probability in links.items()}
    same = {tie.pair: tie.probability or 0.0 for tie in binding if tie.state == SAME}
    different = {tie.pair for tie in ties if tie.state == DIFFERENT and bound.issuperset(tie.pair)}
    return partition(links, same, different)


def _dead_among(connection: Connection, project_id: int, list_name: str, entity_ids: Collection[str]) -> set[str]:
    fixed = [(Entity.project_id, project_id), (Entity.list_name, list_name)]
    columns = [Entity.id, Entity.withdrawn, Entity.deleted_at]
    rows = rows_of_ids(connection, columns, fixed, Entity.id, sorted(entity_ids))
    return set(entity_ids) - {row.id for row in rows if not row.withdrawn and row.deleted_at is None}


def _write(
    journal: Journal,
    list_name: str,
    entity_ids: Collection[str],
    standings: Mapping[str, Standing],
    event: int,
    events: Mapping[str, int] = _NONE,
) -> bool:
    """Make these entities stand for whom they should; whether any did not."""
    rows = rows_of_keys(
        journal.connection,
        _COLUMNS,
        [Membership.entity_id],
        [(entity_id,) for entity_id in sorted(entity_ids)],
        (Membership.project_id, journal.project_id),
        (Membership.list_name, list_name),
    )
    there: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        there[row.entity_id].append(row)
    looks = [
        _Look(entity_id, there[entity_id], _said(entity_id, standings.get(entity_id)))
        for entity_id in sorted(entity_ids)
    ]
    wrong = [look for look in looks if look.is_wrong]
    since = _since(looks, events, event) if wrong and any(number != event for number in events.values()) else {}
    changes = _Changes(journal, list_name)
    for look in wrong:
        changes.note(look, since.get(look.entity_id, event))
    changes.write()
    return bool(wrong)


def _since(looks: Collection[_Look], events: Mapping[str, int], last: int) -> dict[str, int]:
    """By which event each came to stand for whom it should: the last that changed one of those with whom it is, or was,
    one in the value; where these are the same as before, one in the low bound.

    All that are one in the value change at once, so at no event is anybody one in the value and several in the low
    bound, or several in the value and one in the high bound.
    """
    persons, nearly = Classes(), Classes()
    concerned = [look for look in looks if look.is_wrong or look.entity_id in events]
    for look in concerned:
        for person, fewest in look.classes:
            persons.join(look.entity_id, person)
            nearly.join(look.entity_id, person)
            nearly.join(look.entity_id, fewest)
    moving = {persons.of(look.entity_id) for look in concerned if look.is_another}
    by_person, by_fewest = _last_events(persons, events), _last_events(nearly, events)
    found: dict[str, int] = {}
    for look in concerned:
        name = persons.of(look.entity_id)
        number = by_person.get(name) if name in moving else None
        number = number or by_fewest.get(nearly.of(look.entity_id), last)
        found[name] = max(number, look.last, found.get(name, 0))
    return {look.entity_id: found[persons.of(look.entity_id)] for look in concerned}


def _last_events(classes: Classes, events: Mapping[str, int]) -> dict[str, int]:
    """By class, the last event that changed one of it."""
    found: dict[str, int] = {}
    for entity_id, number in events.items():
        found[classes.of(entity_id)] = max(number, found.get(classes.of(entity_id), number))
    return found


def _said(entity_id: str, standing: Standing | None) -> tuple[str, str, str] | None:
    """What its membership says; None for an entity that needs none."""
    if standing is None:
        return None
    said = standing.person, standing.fewest, standing.most
    return None if set(said) == {entity_id} else said


@dataclass(frozen=True, slots=True)
class _Look:
    """What memberships say of an entity, and what the one in force should."""

    entity_id: str
    rows: Collection[Any]
    wanted: tuple[str, str, str] | None

    @property
    def held(self) -> Any:
        """The row that is in force, if there is one."""
        return next((row for row in self.rows if row.closed is None), None)

    @property
    def is_wrong(self) -> bool:
        return self.wanted != (tuple(self.held[-3:]) if self.held is not None else None)

    @property
    def classes(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """For whom it stands in the value and in the low bound: up to now, and from now on."""
        alone = self.entity_id, self.entity_id
        held, wanted = self.held, self.wanted
        return (held.person_id, held.fewest_id) if held is not None else alone, wanted[:2] if wanted else alone

    @property
    def is_another(self) -> bool:
        """Whether it comes to stand for somebody else in the value."""
        (before, _), (after, _) = self.classes
        return before != after

    @property
    def last(self) -> int:
        """The last event that said something else of it."""
        return max((row.opened if row.closed is None else row.closed for row in self.rows), default=0)


class _Changes:
    """What has to be written, so that what was opened and closed by one event leaves no trace."""

    def __init__(self, journal: Journal, list_name: str) -> None:
        self._journal, self._list = journal, list_name
        self._unseen: list[tuple[str, int]] = []
        self._ended: list[tuple[str, int, int | None]] = []
        self._begun: list[tuple[str, int, tuple[str, str, str]]] = []

    def note(self, look: _Look, event: int) -> None:
        held, entity_id = look.held, look.entity_id
        if held is not None and held.opened == event:
            self._unseen.append((entity_id, event))
        elif held is not None:
            self._ended.append((entity_id, held.opened, event))
        if look.wanted is None:
            return
        former = next((row for row in look.rows if row.closed == event and tuple(row[-3:]) == look.wanted), None)
        if former is not None:
            self._ended.append((entity_id, former.opened, None))
        else:
            self._begun.append((entity_id, event, look.wanted))

    def write(self) -> None:
        connection = self._journal.connection
        fixed = {"the_project": self._journal.project_id, "the_list": self._list}
        if self._unseen:
            rows = [fixed | {"the_entity": id_, "the_opened": opened} for id_, opened in self._unseen]
            connection.execute(delete(Membership).where(*_THIS), rows)
        if self._ended:
            ends = [fixed | {"the_entity": id_, "the_opened": opened, "end": end} for id_, opened, end in self._ended]
            connection.execute(_END, ends)
        begun = [
            {
                "project_id": self._journal.project_id,
                "list_name": self._list,
                "entity_id": entity_id,
                "opened": opened,
                "closed": None,
                "person_id": person,
                "fewest_id": fewest,
                "most_id": most,
            }
            for entity_id, opened, (person, fewest, most) in self._begun
        ]
        insert_rows(connection, Membership.__table__, begun)  # type: ignore[arg-type]


_COLUMNS = [
    Membership.entity_id,
    Membership.opened,
    Membership.closed,
    Membership.person_id,
    Membership.fewest_id,
    Membership.most_id,
]
_THIS = (
    Membership.project_id == bindparam("the_project"),
    Membership.list_name == bindparam("the_list"),
    Membership.entity_id == bindparam("the_entity"),
    # A sum has no index: that of the events leads to all who became somebody else at once.
    Membership.opened + 0 == bindparam("the_opened"),
)
_END = update(Membership).where(*_THIS).values(closed=bindparam("end"))
_ROLES = select(EntityList.matching).where(
    EntityList.project_id == bindparam("project"), EntityList.name == bindparam("list")
)
_HOLDING = select(Membership.entity_id, Membership.person_id, Membership.fewest_id, Membership.most_id).where(
    Membership.project_id == bindparam("project"),
    Membership.list_name == bindparam("list"),
    Membership.closed.is_(None),
)
