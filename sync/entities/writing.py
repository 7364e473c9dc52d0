"""Entities changed by hand. Each change is a step beside those of submissions, so that a rebuild gives the same."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, update

from sync.dedup.following import follow_ids
from sync.entities.change import Change
from sync.entities.folding import HELD, RESOLVES, Step
from sync.entities.registers import list_of
from sync.entities.stored import Key, entities_of_keys
from sync.errors import EntityNotFound, Exists, InvalidEntity, Stale
from sync.journal import Journal
from sync.models import Entity, EntityList, EntityStep, Event

MOST_AT_ONCE = 20_000
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AT_ONCE = 2000
_LONGEST = 10_000
CHANGED, RESOLVED = "entity.update.version", "entity.update.resolve"  # what was done to a row, as the trail names it


@dataclass(frozen=True, slots=True)
class NewEntity:
    """A row to make. Without `entity_id` it gets a random one."""

    label: str
    data: Mapping[str, str] = field(default_factory=dict)
    entity_id: str | None = None


def create_entities(
    journal: Journal, name: str, wanted: Sequence[NewEntity], source: Mapping[str, Any] | None = None
) -> list[str]:
    """Make these rows, all or none; gives their ids. `source` is where they come from, for whoever asks later.

    Raises InvalidEntity for what is none, Exists for an id that is taken.
    """
    known = list_of(journal.session, journal.project_id, name)
    if not wanted or len(wanted) > MOST_AT_ONCE:
        raise InvalidEntity(f"One request may carry between one and {MOST_AT_ONCE} entities.")
    ids = [_id_of(entity.entity_id) for entity in wanted]
    if len(set(ids)) < len(ids):
        raise Exists("Two of the entities have the same uuid.")
    event = journal.record("entities", None, {"list": name, "created": len(ids), "source": dict(source or {})})
    source_id = journal.new_id()
    steps = [
        _step(journal, name, entity_id, source_id, event, label=_label(entity.label), data=_data(known, entity.data))
        for entity_id, entity in zip(ids, wanted, strict=True)
    ]
    for start in range(0, len(steps), _AT_ONCE):
        some = steps[start : start + _AT_ONCE]
        keys: list[Key] = [(name, step.entity_id) for step in some]
        if taken := entities_of_keys(journal.session.connection(), journal.project_id, keys):
            raise Exists(f"There is an entity {min(taken)[1]} in the list {name} already.")
        Change(journal, journal.session.connection()).make([], some, event)
    return ids


def update_entities(
    journal: Journal, name: str, wanted: Mapping[str, NewEntity], source: Mapping[str, Any] | None
) -> int:
    """Change these rows, by id, whatever they stand at, as one event; a blank label leaves theirs. Gives how many.

    Raises EntityNotFound for one that there is not, InvalidEntity.
    """
    known = list_of(journal.session, journal.project_id, name)
    if not wanted:
        return 0
    event = journal.record("entities", None, {"list": name, "updated": len(wanted), "source": dict(source or {})})
    source_id, ids = journal.new_id(), sorted(wanted)
    for start in range(0, len(ids), _AT_ONCE):
        keys: list[Key] = [(name, entity_id) for entity_id in ids[start : start + _AT_ONCE]]
        there = entities_of_keys(journal.session.connection(), journal.project_id, keys)
        living = {key for key, now in there.items() if not now.withdrawn and now.deleted_at is None}
        if missing := sorted(set(keys) - living):
            raise EntityNotFound(f"There is no entity {missing[0][1]} in the list {name}.")
        steps = [
            _step(
                journal,
                name,
                entity_id,
                source_id,
                event,
                label=_label(wanted[entity_id].label) if wanted[entity_id].label else None,
                data=_data(known, wanted[entity_id].data),
                base=there[key].version,
            )
            for key in keys
            for entity_id in [key[1]]
        ]
        Change(journal, journal.session.connection()).make([], steps, event)
    journal.session.expire_all()
    return len(ids)


def update_entity(
    journal: Journal,
    name: str,
    entity_id: str,
    *,
    label: str | None = None,
    data: Mapping[str, str] | None = None,
    base_version: int | None = None,
    force: bool = False,
    resolve: bool = False,
    source: Mapping[str, Any] | None = None,
) -> str | None:
    """Change a row that stands at `base_version`, or by `force` whatever it stands at; `resolve` settles its conflict,
    if it is in one. Gives what was done: RESOLVED, CHANGED, or None where there was nothing to settle and nothing else
    to change.

    Raises EntityNotFound, InvalidEntity, and Stale when it stands at another version by now.
    """
    known = list_of(journal.session, journal.project_id, name)
    entity = _living(journal, name, entity_id)
    if not force and base_version != entity.version:
        raise Stale(
            f"The entity stands at version {entity.version}, not at {base_version}."
            if base_version is not None
            else "Say baseVersion, the version that you looked at, or force=true.",
            details={"current": entity.version, "provided": base_version},
        )
    says = data or label
    if not says and not resolve:
        raise InvalidEntity("Give a label or data to change, or resolve=true.")
    resolve = resolve and entity.conflict is not None
    if not says and not resolve:
        return None
    event = journal.record("entities", None, {"list": name, "updated": 1, "source": dict(source or {})})
    step = _step(
        journal,
        name,
        entity.id,
        journal.new_id(),
        event,
        label=_label(label) if label is not None else None,
        data=_data(known, data or {}),
        base=entity.version,
        path=RESOLVES if resolve else "",
    )
    Change(journal, journal.session.connection()).make([], [step], event)
    journal.session.expire_all()
    return RESOLVED if resolve else CHANGED


def delete_entities(journal: Journal, name: str, entity_ids: Collection[str]) -> int:
    """Take rows from every device; they can be restored. Raises EntityNotFound if there is one that is not."""
    return _mark(journal, name, entity_ids, deleted=True)


def restore_entities(journal: Journal, name: str, entity_ids: Collection[str]) -> int:
    """Bring deleted rows back, with what has been said of them since. Raises EntityNotFound."""
    return _mark(journal, name, entity_ids, deleted=False)


def force_held(journal: Journal, before: dt.datetime) -> int:
    """Apply what has waited since before this moment for a step that never came; gives how many entities changed.

    An update of an entity that nobody made makes it, if it says how it is called. A later arrival of what was missing
    puts everything in its order again.
    """
    last = journal.session.scalar(
        select(func.max(Event.number)).where(Event.project_id == journal.project_id, Event.at < before)
    )
    held = journal.session.execute(
        select(EntityStep.list_name, EntityStep.entity_id)
        .where(
            EntityStep.project_id == journal.project_id,
            EntityStep.state == HELD,
            EntityStep.update,
            EntityStep.event <= (last or 0),
        )
        .distinct()
    ).all()
    keys: list[Key] = [(row.list_name, row.entity_id) for row in held]
    if not keys:
        return 0
    mark = journal.mark()
    event = journal.record("forced", None, {"entities": len(keys)})
    forced = 0
    for start in range(0, len(keys), _AT_ONCE):
        change = Change(journal, journal.session.connection())
        change.force(keys[start : start + _AT_ONCE], last or 0)
        forced += len(change.differing)
        change.write(event)
    if not forced:
        journal.return_to(mark)
    return forced


def _mark(journal: Journal, name: str, entity_ids: Collection[str], *, deleted: bool) -> int:
    list_of(journal.session, journal.project_id, name)
    ids = sorted({id_.lower().removeprefix("uuid:") for id_ in entity_ids})
    event = journal.record("entities", None, {"list": name, "deleted" if deleted else "restored": len(ids)})
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        done = journal.session.execute(
            update(Entity)
            .where(
                Entity.project_id == journal.project_id,
                Entity.list_name == name,
                Entity.id.in_(some),
                Entity.deleted_at.is_(None) if deleted else Entity.deleted_at.is_not(None),
            )
            .values(deleted_at=journal.now if deleted else None, event=event)
            .execution_options(synchronize_session=False)
        )
        if int(done.rowcount) < len(some):  # type: ignore[attr-defined]
            raise EntityNotFound(f"One of the entities is not in the list {name}.")
        follow_ids(journal, name, some, event)
    journal.session.expire_all()
    return len(ids)


def _living(journal: Journal, name: str, entity_id: str) -> Entity:
    plain = entity_id.lower().removeprefix("uuid:")
    entity = journal.session.get(Entity, (journal.project_id, name, plain))
    if entity is None or entity.withdrawn or entity.deleted_at is not None:
        raise EntityNotFound(f"There is no entity {plain[:80]} in the list {name}.")
    return entity


def _step(
    journal: Journal,
    name: str,
    entity_id: str,
    source_id: int,
    event: int,
    *,
    label: str | None,
    data: Mapping[str, str],
    base: int | None = None,
    path: str = "",
) -> Step:
    return Step(
        list_name=name,
        entity_id=entity_id,
        submission_id=source_id,
        path=path,
        event=event,
        create=base is None,
        update=base is not None,
        label=label,
        data=dict(data),
        base_version=base,
        trunk_version=None,
        branch_id=None,
        actor_id=journal.actor_id,
        state=HELD,
        version=None,
    )


def _id_of(given: str | None) -> str:
    if given is None:
        return str(uuid.uuid4())
    plain = given.strip().lower().removeprefix("uuid:")
    if not _UUID.fullmatch(plain):
        raise InvalidEntity(f"‘{given[:80]}’ is not a UUID.")
    return plain


def _label(given: str) -> str:
    label = given.strip()
    if not label or len(label) > _LONGEST:
        raise InvalidEntity("Every entity needs a label.")
    return label


def _data(known: EntityList, given: Mapping[str, str]) -> dict[str, str]:
    if unknown := sorted(given.keys() - set(known.properties)):
        raise InvalidEntity(f"The list {known.name} has no property called {unknown[0]}.")
    if wrong := sorted(name for name, value in given.items() if not isinstance(value, str) or len(value) > _LONGEST):
        raise InvalidEntity(f"The property {wrong[0]} is a text of at most {_LONGEST} characters.")
    return dict(given)
