"""Persons of a tangle so large that nobody should read all of it whenever somebody is added to it.

Where nearly everybody looks a little alike, all hang together in the low bound of a figure. In the value and in the
high bound they do not: there two clusters join only over a tie that is probable itself, so only what hangs together by
such ties is looked at. Who is one in the low bound is what stands already, and only grows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from sqlalchemy import bindparam, select

from sync.dedup.pairs import DIFFERENT, OPEN, SAME, Tie, ties_of
from sync.dedup.scoring.clustering import PROBABLE, Standing
from sync.journal import Journal
from sync.models import Match, Membership
from sync.models.probing import rows_of_keys

LEAST = 0.05  # the probability from which on two are one in the low bound


def binds(tie: Tie) -> bool:
    """Whether the two are one in the low bound by this tie alone."""
    return tie.state == SAME or (tie.state == OPEN and (tie.probability or 0) >= LEAST)


def nearest(journal: Journal, list_name: str, entity_ids: Collection[str]) -> tuple[list[Tie], set[str]]:
    """All that hangs together with these entities by ties that are probable or decided, and all ties of theirs."""
    ties: dict[tuple[str, str], Tie] = {}
    near: set[str] = set()
    coming = set(entity_ids)
    while coming:
        found = ties_of(journal.connection, journal.project_id, list_name, coming)
        near |= coming
        ties |= found
        coming = {id_ for tie in found.values() if _holds(tie) for id_ in tie.pair} - near
    return list(ties.values()), near


def joined(
    journal: Journal, list_name: str, entity_ids: Collection[str], ties: Iterable[Tie], near: Mapping[str, Standing]
) -> dict[str, Standing] | None:
    """The standings of all that stand for somebody else now that these entities have got ties, and have lost none.

    `near` is how those nearest stand to each other, whatever is further away. None where it takes a look at everything:
    where somebody is held apart, what joins depends on what else does.
    """
    added = set(entity_ids)
    binding = [tie for tie in ties if binds(tie) and not added.isdisjoint(tie.pair)]
    stored = _standing(journal, list_name, {*near, *added, *(id_ for tie in binding for id_ in tie.pair)})
    classes = Classes()
    for entity_id in added:
        classes.of(stored[entity_id].fewest)
    for tie in binding:
        classes.join(stored[tie.a].fewest, stored[tie.b].fewest)
    if _held_apart(journal, list_name, classes):
        return None
    taken_over = {name for name in classes.names() if classes.of(name) != name}
    found = {
        entity_id: replace(standing, fewest=classes.of(standing.fewest))
        for entity_id, standing in _members(journal, list_name, taken_over).items()
    }
    for entity_id, standing in near.items():
        found[entity_id] = replace(standing, fewest=classes.of(stored[entity_id].fewest))
    return found


class Classes:
    """Who is one in the low bound, by the smallest id of each class."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, name: str) -> str:
        above = self._above.setdefault(name, name)
        while above != name:
            name, above = above, self._above[above]
        return name

    def join(self, one: str, other: str) -> None:
        low, high = sorted((self.of(one), self.of(other)))
        self._above[high] = low

    def names(self) -> list[str]:
        return list(self._above)


def _holds(tie: Tie) -> bool:
    return tie.state == SAME or (tie.state == OPEN and (tie.probability or 0) >= PROBABLE)


def _standing(journal: Journal, list_name: str, entity_ids: Collection[str]) -> dict[str, Standing]:
    """For whom these stand as is stored."""
    rows = rows_of_keys(
        journal.connection,
        [Membership.entity_id, Membership.closed, Membership.person_id, Membership.fewest_id, Membership.most_id],
        [Membership.entity_id],
        [(entity_id,) for entity_id in sorted(entity_ids)],
        (Membership.project_id, journal.project_id),
        (Membership.list_name, list_name),
    )
    found = {entity_id: Standing(entity_id, entity_id, entity_id) for entity_id in entity_ids}
    return found | {row[0]: Standing(*row[2:]) for row in rows if row.closed is None}


def _members(journal: Journal, list_name: str, names: Collection[str]) -> dict[str, Standing]:
    """Who is in these classes as is stored. Nobody of them is held apart, so each class hangs together by its ties."""
    found: dict[str, Standing] = {}
    coming = _standing(journal, list_name, names)
    while coming:
        found |= coming
        ties = ties_of(journal.connection, journal.project_id, list_name, coming)
        further = {id_ for tie in ties.values() if binds(tie) for id_ in tie.pair} - found.keys()
        reached = _standing(journal, list_name, further)
        coming = {entity_id: standing for entity_id, standing in reached.items() if standing.fewest in names}
    return found


def _held_apart(journal: Journal, list_name: str, classes: Classes) -> bool:
    """Whether anybody of these classes was called different from somebody."""
    rows = journal.connection.execute(_DIFFERENT, {"project": journal.project_id, "list": list_name}).all()
    standing = _standing(journal, list_name, {id_ for row in rows for id_ in row})
    names = set(classes.names())
    return any(one.fewest in names for one in standing.values())


_DIFFERENT = select(Match.a, Match.b).where(
    Match.project_id == bindparam("project"), Match.list_name == bindparam("list"), Match.state == DIFFERENT
)
