"""Entities, their steps and their lists as the tables hold them: fetched by key, written in bulk."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, literal, select, tuple_, update

from sync.entities.folding import APPLIED, Folded, Step
from sync.journal import Journal
from sync.models import Entity, EntityList, EntityStep, Submission, SubmissionVersion
from sync.models.database import insert_rows
from sync.models.kept import Kept
from sync.models.probing import rows_of_ids, rows_of_keys
from sync.review.flags import replace_created_twice

LIST_FILE = 0  # the submission to which the rows of a programme's list files belong
AT_ONCE = 2000
Key = tuple[str, str]  # list, entity id
SAID = ("create", "update", "label", "data", "base_version", "trunk_version", "branch_id")


@dataclass(slots=True)
class EntityNow:
    """A row of `entities` in memory."""

    label: str
    data: dict[str, Any]
    version: int
    withdrawn: bool
    conflict: str | None
    place: str | None = None
    creator_id: int | None = None
    created_at: dt.datetime | None = None  # None: now
    deleted_at: dt.datetime | None = None
    event: int = 0  # its last change

    def follow(self, folded: Folded, place: str | None) -> bool:
        """Become what the steps say, in this place; whether anything is different from before."""
        label, data = (folded.label, folded.data) if folded.begun else (self.label, self.data)
        conflict = folded.conflict if folded.begun else self.conflict
        creator_id = folded.creator or self.creator_id
        content = (label, data, folded.withdrawn)
        rises = content != (self.label, self.data, self.withdrawn)
        beside = (conflict, place, creator_id)
        if not rises and folded.version == self.version and beside == (self.conflict, self.place, self.creator_id):
            return False
        self.version = max(folded.version, self.version + rises)
        self.label, self.data, self.withdrawn = content
        self.conflict, self.place, self.creator_id = beside
        return True

    def content(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "data": self.data,
            "version": self.version,
            "withdrawn": self.withdrawn,
            "conflict": self.conflict,
            "place": self.place,
            "creator_id": self.creator_id,
        }


@dataclass(frozen=True, slots=True)
class Rules:
    """What of a list's settings decides what becomes of its steps."""

    place_property: str | None = None
    approval_from: int | None = None  # None: nothing has to be approved
    roles: Mapping[str, str] = field(default_factory=dict)  # of properties, in a list whose entities are compared

    def awaits_approval(self, came: int) -> bool:
        """Whether what a submission that came with this event says acts only when it is approved."""
        return self.approval_from is not None and came > self.approval_from


def key_of(step: Step) -> Key:
    """The entity that a step is about."""
    return step.list_name, step.entity_id


def steps_of_submissions(connection: Connection, project_id: int, submission_ids: Sequence[int]) -> list[Step]:
    """Those of every state."""
    rows = rows_of_keys(
        connection,
        _STEP_COLUMNS,
        [EntityStep.submission_id],
        [(submission_id,) for submission_id in submission_ids],
        (EntityStep.project_id, project_id),
    )
    return [Step(*row) for row in rows]


def steps_of_list_file(connection: Connection, project_id: int, name: str) -> list[Step]:
    """Those of every state."""
    rows = connection.execute(
        select(*_STEP_COLUMNS).where(
            EntityStep.project_id == project_id, EntityStep.submission_id == LIST_FILE, EntityStep.list_name == name
        )
    )
    return [Step(*row) for row in rows]


def steps_of_entities(connection: Connection, project_id: int, keys: Collection[Key]) -> dict[Key, list[Step]]:
    """Those of every state, by entity."""
    found: dict[Key, list[Step]] = defaultdict(list)
    for list_name, ids in _by_list(keys).items():
        at = (EntityStep.project_id, project_id), (EntityStep.list_name, list_name)
        for row in rows_of_keys(connection, _STEP_COLUMNS, [EntityStep.entity_id], [(id_,) for id_ in ids], *at):
            step = Step(*row)
            found[key_of(step)].append(step)
    return found


def keys_with_unsettled_steps(connection: Connection, project_id: int, keys: Collection[Key]) -> set[Key]:
    """The entities of which something is held or withdrawn."""
    found: set[Key] = set()
    for list_name, ids in _by_list(keys).items():
        at = (EntityStep.project_id, project_id), (EntityStep.list_name, list_name), _UNSETTLED
        key = [EntityStep.entity_id]
        rows = rows_of_keys(connection, key, key, [(id_,) for id_ in ids], *at)
        found.update((list_name, row.entity_id) for row in rows)
    return found


def entities_of_keys(connection: Connection, project_id: int, keys: Collection[Key]) -> dict[Key, EntityNow]:
    """Those that there are."""
    columns = [Entity.id, *(getattr(Entity, name) for name in _ENTITY_FIELDS)]
    found: dict[Key, EntityNow] = {}
    for list_name, ids in _by_list(keys).items():
        fixed = [(Entity.project_id, project_id), (Entity.list_name, list_name)]
        for entity_id, *content in rows_of_ids(connection, columns, fixed, Entity.id, ids):
            found[(list_name, entity_id)] = EntityNow(*content)
    return found


def first_events(connection: Connection, project_id: int, submission_ids: Sequence[int]) -> dict[int, int]:
    """The event that brought the first version of each of these submissions."""
    rows = connection.execute(
        select(SubmissionVersion.submission_id, func.min(SubmissionVersion.event))
        .where(SubmissionVersion.project_id == project_id, SubmissionVersion.submission_id.in_(submission_ids))
        .group_by(SubmissionVersion.submission_id)
    )
    return {row[0]: row[1] for row in rows}


def all_keys(connection: Connection, project_id: int) -> Iterator[list[Key]]:
    """Every entity that has a step, then those that have none, in portions."""
    steps = (
        select(EntityStep.list_name, EntityStep.entity_id)
        .where(EntityStep.project_id == project_id)
        .distinct()
        .order_by(EntityStep.list_name, EntityStep.entity_id)
    )
    without = ~exists().where(
        EntityStep.project_id == project_id,
        EntityStep.list_name == Entity.list_name,
        EntityStep.entity_id == Entity.id,
    )
    entities = (
        select(Entity.list_name, Entity.id)
        .where(Entity.project_id == project_id, without)
        .order_by(Entity.list_name, Entity.id)
    )
    for statement in (steps, entities):
        columns = list(statement.selected_columns)
        after: Key = ("", "")
        while True:
            beyond = tuple_(*columns) > tuple_(*map(literal, after))
            keys = [(row[0], row[1]) for row in connection.execute(statement.where(beyond).limit(AT_ONCE))]
            if not keys:
                break
            yield keys
            after = keys[-1]


def write_steps(connection: Connection, project_id: int, new: Sequence[Step], changed: Collection[Step]) -> None:
    """Insert the new ones and update the others."""
    insert_rows(connection, EntityStep.__table__, [_step_row(project_id, step) for step in new])  # type: ignore[arg-type]
    if changed:
        rows = (_step_row(project_id, step) for step in changed)
        connection.execute(_UPDATE_STEP, [{f"b_{name}": value for name, value in row.items()} for row in rows])


def write_entities(
    connection: Connection,
    project_id: int,
    new: Mapping[Key, EntityNow],
    changed: Mapping[Key, EntityNow],
    event: int,
    now: dt.datetime,
) -> None:
    """Insert the new ones, whose lists must exist, and update the others, as changed by the event."""
    insert_rows(
        connection,
        Entity.__table__,  # type: ignore[arg-type]
        [
            {
                "project_id": project_id,
                "list_name": list_name,
                "id": entity_id,
                **entity.content(),
                "event": event,
                "created_at": now,
                "updated_at": None,
            }
            for (list_name, entity_id), entity in new.items()
        ],
    )
    if changed:
        rows = (
            {
                "project_id": project_id,
                "list_name": list_name,
                "id": entity_id,
                **entity.content(),
                "event": event,
                "updated_at": now,
            }
            for (list_name, entity_id), entity in changed.items()
        )
        connection.execute(_UPDATE_ENTITY, [{f"b_{name}": value for name, value in row.items()} for row in rows])


def put_list(
    connection: Connection,
    project_id: int,
    name: str,
    properties: Iterable[str],
    roles: Mapping[str, str],
    event: int,
    now: dt.datetime,
) -> bool:
    """Make a list known with these properties and roles beside those that it has; whether anything was new.

    One that was deleted is there again.
    """
    row = connection.execute(
        select(EntityList.properties, EntityList.matching, EntityList.deleted_at).where(
            EntityList.project_id == project_id, EntityList.name == name
        )
    ).one_or_none()
    known, matching, deleted_at = row or ([], None, None)
    wanted = list(dict.fromkeys([*known, *properties]))
    matched = {**(matching or {}), **roles} or None
    if row is not None and deleted_at is None and (wanted, matched) == (known, matching):
        return False
    values = {"properties": wanted, "matching": matched, "deleted_at": None, "event": event}
    if row is not None:
        connection.execute(
            update(EntityList).where(EntityList.project_id == project_id, EntityList.name == name).values(values)
        )
        return True
    new = {"project_id": project_id, "name": name, "created_at": now, **values}
    insert_rows(connection, EntityList.__table__, [new])  # type: ignore[arg-type]
    return True


def rules_of_lists(connection: Connection, project_id: int, names: Collection[str]) -> dict[str, Rules]:
    """How each of these lists, as far as there are such, is kept."""
    rows = rows_of_ids(connection, _RULES, [(EntityList.project_id, project_id)], EntityList.name, list(names))
    return {
        name: Rules(place, since if required else None, roles or {}) for name, place, required, since, roles in rows
    }


def rules_for(journal: Journal, names: Collection[str]) -> dict[str, Rules]:
    """`rules_of_lists`, read again only when a list has changed, if the journal has seen when the last one did."""
    connection, project_id, stamp = journal.connection, journal.project_id, journal.seen.lists
    if not names or stamp is None:
        return rules_of_lists(connection, project_id, names) if names else {}
    settled = stamp <= journal.found.last_event
    of_all = _rules_kept.get(journal.session, project_id, stamp, settled, lambda: _all_rules(connection, project_id))
    return {name: of_all[name] for name in names if name in of_all}


def _all_rules(connection: Connection, project_id: int) -> Mapping[str, Rules]:
    names = connection.scalars(select(EntityList.name).where(EntityList.project_id == project_id)).all()
    return rules_of_lists(connection, project_id, names)


_rules_kept: Kept[Mapping[str, Rules]] = Kept()


def actors_of_submissions(connection: Connection, project_id: int, submission_ids: Sequence[int]) -> dict[int, int]:
    """Who sent each of these submissions."""
    columns = [Submission.id, Submission.actor_id]
    rows = rows_of_ids(connection, columns, [(Submission.project_id, project_id)], Submission.id, submission_ids)
    return {row[0]: row[1] for row in rows}


def flag_creations(
    connection: Connection, project_id: int, creations: Mapping[int, set[str]], twice: Mapping[int, Sequence[str]]
) -> None:
    """Flag the submissions whose creations came too late: `twice` of all their `creations`, by element path."""
    rows = connection.execute(
        select(Submission.id, Submission.flags).where(Submission.project_id == project_id, Submission.id.in_(creations))
    ).all()
    for submission_id, stored in rows:
        flags = replace_created_twice(stored, creations[submission_id], twice.get(submission_id, ()))
        if flags != stored:
            connection.execute(
                update(Submission)
                .where(Submission.project_id == project_id, Submission.id == submission_id)
                .values(flags=flags)
            )


_RULES = (
    EntityList.name,
    EntityList.place_property,
    EntityList.approval_required,
    EntityList.approval_from,
    EntityList.matching,
)
_UNSETTLED = EntityStep.state != APPLIED
_STEP_FIELDS = [each.name for each in fields(Step) if each.name != "former"]
_of_step = attrgetter(*_STEP_FIELDS)
_ENTITY_FIELDS = [each.name for each in fields(EntityNow)]
_MADE_ONCE = ("created_at", "deleted_at")  # steps do not change these
_STEP_COLUMNS = [getattr(EntityStep, name) for name in _STEP_FIELDS]
_UPDATE_STEP = (
    update(EntityStep)
    .where(
        EntityStep.project_id == bindparam("b_project_id"),
        EntityStep.list_name == bindparam("b_list_name"),
        EntityStep.entity_id == bindparam("b_entity_id"),
        EntityStep.submission_id == bindparam("b_submission_id"),
        EntityStep.path == bindparam("b_path"),
    )
    .values(
        {name: bindparam(f"b_{name}", type_=EntityStep.__table__.c[name].type) for name in (*SAID, "state", "version")}
    )
)
_UPDATE_ENTITY = (
    update(Entity)
    .where(
        Entity.project_id == bindparam("b_project_id"),
        Entity.list_name == bindparam("b_list_name"),
        Entity.id == bindparam("b_id"),
    )
    .values(
        {
            name: bindparam(f"b_{name}", type_=Entity.__table__.c[name].type)
            for name in (*_ENTITY_FIELDS, "updated_at")
            if name not in _MADE_ONCE
        }
    )
)


def _step_row(project_id: int, step: Step) -> dict[str, Any]:
    return {"project_id": project_id, **dict(zip(_STEP_FIELDS, _of_step(step), strict=True))}


def _by_list(keys: Iterable[Key]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = defaultdict(list)
    for list_name, entity_id in keys:
        ids[list_name].append(entity_id)
    return ids
