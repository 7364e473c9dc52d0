"""An existing list, compared with what is there before it is loaded: who is new, who is known, who might be."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from forms.findings import Finding
from forms.tables import cut
from sync.dedup.joining import LEAST
from sync.dedup.keys import members
from sync.dedup.listfile import Line, read_lines
from sync.dedup.pairs import OPEN, Likeness, pairs_of
from sync.dedup.yardsticks import Yardstick, yardstick_of
from sync.entities.writing import NewEntity, create_entities, update_entities
from sync.errors import Unexpected
from sync.journal import Journal
from sync.models import Entity, EntityList
from sync.models.probing import rows_of_ids

NEW, SAME, MAYBE, CHANGES, UNCHANGED, FAULTY = "new", "same", "maybe", "changes", "unchanged", "faulty"
OUTCOMES = (NEW, SAME, MAYBE, CHANGES, UNCHANGED, FAULTY)
_SURE, _PROBABLE = 0.9, 0.5
_MOST_LIKELY = 5  # of those who may be somebody, the first
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Likely:
    """Who the person of a row may be: an entity of the list, or the person of another row of the file."""

    entity_id: str | None
    row: int | None
    label: str
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class Judged:
    """What would become of a row. One that is the `same` as a single entity, and one that `maybe` is, become entities
    whose matches are open: nobody is merged unseen. `changes` are of the entity that the row names by its id."""

    line: Line
    outcome: str
    likely: Sequence[Likely] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows of a file against a list. With findings, about the file or about a row, it cannot be loaded.

    `crowded` rows were compared with nobody: all that they have in common with others, too many have.
    """

    rows: Sequence[Judged]
    findings: Sequence[Finding]
    crowded: int

    @property
    def counts(self) -> Mapping[str, int]:
        found = Counter(row.outcome for row in self.rows)
        return {outcome: found[outcome] for outcome in OUTCOMES}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading a file did. `matches` are the pairs that now wait because of it."""

    created: int
    changed: int
    unchanged: int
    matches: int


def compare_list(
    session: Session, project_id: int, known: EntityList, data: bytes, place: str, now: dt.datetime
) -> Comparison:
    """Who the rows of a file are. Nothing is changed, and nobody has to wait for it."""
    lines, findings = read_lines(data, place, known, now.date())
    judged = _by_their_ids(session.connection(), project_id, known.name, lines)
    coming = [one.line for one in judged if one.outcome == NEW]
    roles = {str(name): str(role) for name, role in (known.matching or {}).items()}
    matching = _Matching(session.connection(), project_id, known.name, roles, coming, now)
    likely = {number: some for number, some in matching.likely() if some}
    rows = [
        replace(one, outcome=_outcome(some), likely=some) if (some := likely.get(one.line.number)) else one
        for one in judged
    ]
    return Comparison(rows, findings, matching.crowded)


def load_list(journal: Journal, known: EntityList, data: bytes, place: str, source: Mapping[str, Any]) -> Loaded:
    """Make and change the entities that the rows of a file say, all or none; whom they look like waits to be decided.

    Raises Unexpected with every finding, if there is one.
    """
    name = known.name
    lines, findings = read_lines(data, place, known, journal.now.date())
    judged = _by_their_ids(journal.connection, journal.project_id, name, lines)
    findings = [*findings, *(fault for one in judged for fault in one.line.faults)]
    if findings:
        raise Unexpected("The list was not loaded: mend it first.", findings=cut(findings, place))
    by_outcome: dict[str, list[Line]] = defaultdict(list)
    for one in judged:
        by_outcome[one.outcome].append(one.line)
    if not judged:
        raise Unexpected("The list has no rows.")
    new = [NewEntity(line.label or line.called, line.data, line.entity_id) for line in by_outcome[NEW]]
    created = create_entities(journal, name, new, source) if new else []
    changes = {line.entity_id or "": NewEntity(line.label, line.data) for line in by_outcome[CHANGES]}
    update_entities(journal, name, changes, source)
    waiting = pairs_of(journal.connection, journal.project_id, name, [*created, *changes])
    opened = sum(1 for pair in waiting.values() if pair.state == OPEN and (pair.probability or 0) >= LEAST)
    return Loaded(len(created), len(changes), len(by_outcome[UNCHANGED]), opened)


def _by_their_ids(connection: Connection, project_id: int, name: str, lines: Sequence[Line]) -> list[Judged]:
    """Rows with the id of an entity that is there are about that one, all others about somebody new."""
    ids = sorted({line.entity_id for line in lines if line.entity_id})
    fixed = [(Entity.project_id, project_id), (Entity.list_name, name)]
    columns = [Entity.id, Entity.label, Entity.data, Entity.withdrawn, Entity.deleted_at]
    there = {row.id: row for row in rows_of_ids(connection, columns, fixed, Entity.id, ids)}
    return [_judged(line, there.get(line.entity_id or "")) for line in lines]


def _judged(line: Line, entity: Any) -> Judged:
    if line.faults:
        return Judged(line, FAULTY)
    if entity is None:
        if line.label or line.called:
            return Judged(line, NEW)
        return _faulty(line, "label", "Nobody is named.", "Fill in the label, or the columns with the names.")
    if entity.withdrawn or entity.deleted_at is not None:
        return _faulty(line, "name", f"The entity {entity.id} was deleted.", "Restore it first, or leave its id blank.")
    differs = line.label not in ("", entity.label) or any(
        (entity.data.get(name) or "") != value for name, value in line.data.items()
    )
    return Judged(line, CHANGES if differs else UNCHANGED)


def _faulty(line: Line, column: str, fault: str, remedy: str) -> Judged:
    return Judged(replace(line, faults=(Finding(fault, remedy, row=line.number, column=column),)), FAULTY)


def _outcome(likely: Sequence[Likely]) -> str:
    probable = [one for one in likely if (one.likeness.probability or 0) >= _PROBABLE]
    return SAME if len(probable) == 1 and (probable[0].likeness.probability or 0) >= _SURE else MAYBE


class _Matching:
    """The rows that are about somebody new, and whom they look like: entities of the list, and each other."""

    def __init__(
        self,
        connection: Connection,
        project_id: int,
        name: str,
        roles: Mapping[str, str],
        lines: Sequence[Line],
        now: dt.datetime,
    ) -> None:
        self._connection, self._project_id, self._list = connection, project_id, name
        self._yardstick: Yardstick = yardstick_of(connection, project_id, name, roles)
        self._lines = {str(line.number): line for line in lines}  # no entity has such an id
        self._profiles = {key: self._yardstick.profile(key, line.data, now) for key, line in self._lines.items()}
        self._keys = {key: set(self._yardstick.keys(profile)) for key, profile in self._profiles.items()}
        self.crowded = 0
        self._rows: dict[int, list[str]] = defaultdict(list)  # that have a key
        for key, some in self._keys.items():
            for one in some:
                self._rows[one].append(key)

    def likely(self) -> Iterator[tuple[int, list[Likely]]]:
        """Each row by its number, with the likeliest first."""
        rows = list(self._lines)
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            candidates = self._candidates(some)
            there = self._entities({other for others in candidates.values() for other in others} - self._lines.keys())
            profiles = {id_: self._yardstick.profile(id_, row.data, row.created_at) for id_, row in there.items()}
            self._yardstick.prepare([*profiles.values(), *(self._profiles[row] for row in self._with_rows(candidates))])
            for row in some:
                found = []
                for other in candidates[row]:
                    profile = profiles.get(other) or self._profiles.get(other)
                    likeness = self._yardstick.likeness(self._profiles[row], profile) if profile is not None else None
                    if likeness is not None and (likeness.probability or 0) >= LEAST:
                        found.append(self._shown(other, there, likeness))
                found.sort(key=lambda one: (-(one.likeness.probability or 0), one.row or 0, one.entity_id or ""))
                yield self._lines[row].number, found[:_MOST_LIKELY]

    def _with_rows(self, candidates: Mapping[str, Collection[str]]) -> set[str]:
        return (candidates.keys() | {other for others in candidates.values() for other in others}) & self._lines.keys()

    def _candidates(self, rows: Iterable[str]) -> dict[str, set[str]]:
        """Who shares a key with each of the rows that not too many will have."""
        by_cap: dict[int, set[int]] = defaultdict(set)
        for key in {key for row in rows for key in self._keys[row]}:
            by_cap[self._yardstick.cap(key)].add(key)
        blocks: dict[int, list[str]] = {}
        for cap, keys in by_cap.items():
            holding = members(self._connection, self._project_id, self._list, keys, cap + 1)
            for key in keys:
                block = [*holding.get(key, ()), *self._rows[key]]
                if len(block) <= cap:
                    blocks[key] = block
        found = {row: {other for key in self._keys[row] for other in blocks.get(key, ())} - {row} for row in rows}
        self.crowded += sum(not found[row] and not self._keys[row] <= blocks.keys() for row in rows)
        return found

    def _entities(self, entity_ids: Collection[str]) -> Mapping[str, Any]:
        fixed = [(Entity.project_id, self._project_id), (Entity.list_name, self._list)]
        columns = [Entity.id, Entity.label, Entity.data, Entity.created_at]
        return {row.id: row for row in rows_of_ids(self._connection, columns, fixed, Entity.id, sorted(entity_ids))}

    def _shown(self, other: str, there: Mapping[str, Any], likeness: Likeness) -> Likely:
        if other in there:
            return Likely(other, None, there[other].label, likeness)
        line = self._lines[other]
        return Likely(None, line.number, line.label or line.called, likeness)
