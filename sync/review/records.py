"""Records of a list as people look at them side by side: where they differ, and which one stands for the person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy.orm import Session

from sync.models import Entity, EntityList
from sync.models.probing import rows_of_ids


@dataclass(frozen=True, slots=True)
class Record:
    """An entity as it stands. `gone` is one that was deleted, or whose submission was rejected."""

    id: str
    label: str
    data: Mapping[str, str]
    version: int
    place: str | None
    creator_id: int | None
    created_at: dt.datetime
    updated_at: dt.datetime | None
    gone: bool

    @property
    def confirmed_at(self) -> dt.datetime:
        """When somebody last said that it is so."""
        return self.updated_at or self.created_at


@dataclass(frozen=True, slots=True)
class Compared:
    """What the records say of one property, in their order. `role` is what it tells of a person, if anything."""

    name: str
    role: str | None
    values: Sequence[str]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def records_of(session: Session, project_id: int, list_name: str, entity_ids: Collection[str]) -> Mapping[str, Record]:
    """By id, those that were ever there."""
    fixed = [(Entity.project_id, project_id), (Entity.list_name, list_name)]
    rows = rows_of_ids(session.connection(), _COLUMNS, fixed, Entity.id, sorted(set(entity_ids)))
    return {row.id: _record(row) for row in rows}


def compared(known: EntityList, records: Sequence[Record]) -> list[Compared]:
    """The properties that any of the records fills in: first those in which they differ, each in the list's order."""
    roles: Mapping[str, Any] = known.matching or {}
    found = []
    for name in known.properties:
        values = [record.data.get(name) or "" for record in records]
        if any(values):
            found.append(Compared(name, roles.get(name), values))
    return sorted(found, key=lambda one: not one.differs)


def standing_for(records: Collection[Record], chosen: Mapping[str, int]) -> Record:
    """The record that stands for the person whose records these are: the one that was `chosen` last, by the numbers of
    the decisions; else the one that was last confirmed. None that is gone stands for anybody who has another."""
    return min(
        records,
        key=lambda record: (record.gone, -chosen.get(record.id, 0), -record.confirmed_at.timestamp(), record.id),
    )


def _record(row: Any) -> Record:
    names = (field.name for field in fields(Record) if field.name != "gone")
    return Record(**{name: getattr(row, name) for name in names}, gone=row.withdrawn or row.deleted_at is not None)


_COLUMNS = [
    Entity.id,
    Entity.label,
    Entity.data,
    Entity.version,
    Entity.place,
    Entity.creator_id,
    Entity.created_at,
    Entity.updated_at,
    Entity.withdrawn,
    Entity.deleted_at,
]
