"""Entities and their lists as people and programs read them: rows, versions, what changed between, and who did it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal, literal_column, select, true, tuple_
from sqlalchemy.orm import Session

from forms.xforms.xform import Form
from sync.entities.folding import RESOLVES, Snapshot, Step, fold
from sync.entities.recalling import recall
from sync.entities.registers import list_of
from sync.entities.stored import LIST_FILE, steps_of_entities
from sync.errors import EntityNotFound
from sync.exports.among import Among
from sync.exports.filters import compile_filter, compile_search
from sync.exports.naming import wire_name
from sync.exports.values import Value, moment_value, number_value, text_value
from sync.models import Actor, Audit, Entity, EntityList, Event, FormVersion, Submission
from sync.models.database import is_sqlite
from sync.models.probing import rows_of_ids
from sync.projects.catalogue import StoredVersion, current_forms, form_versions
from sync.review.paging import PAGE, Page, id_at

_AT_ONCE = 1000
_CHOOSABLE, _MOST_WORDS = 500, 20
_Shot = tuple[Snapshot, bool]  # an entity after a step, and whether a conflict was settled there


@dataclass(frozen=True, slots=True)
class Version:
    """An entity after one change. `actor_id` is 0 where nobody is known; `submission` is an instance id."""

    version: int
    label: str
    data: Mapping[str, str]
    at: dt.datetime
    actor_id: int
    user_agent: str
    base_version: int | None
    conflict: str | None
    conflicting: Sequence[str]
    resolved: bool
    submission: str | None
    form_id: str | None
    source: Mapping[str, Any]
    current: bool
    trunk_version: int | None = None
    branch_id: str | None = None


def forms_of_lists(session: Session, project_id: int) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """By list and property: the forms, id and title, whose current version saves it; the list itself under `""`."""
    found: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for known, title in current_forms(session, project_id):
        for declared in known.form.entities:
            for name in ("", *declared.saves):
                if (known.form.form_id, title) not in found[declared.list_name][name]:
                    found[declared.list_name][name].append((known.form.form_id, title))
    return found


def moments_of_properties(session: Session, known: EntityList) -> dict[str, dt.datetime]:
    """When each property came: when the first version that saves it was published, of the forms whose current version
    still does, or when somebody added it. Those that came with the list itself are not among them."""
    found = _moments_of_saving(session, known.project_id, known.name)
    added = {} if found.keys() >= set(known.properties) else _moments_of_adding(session, known)
    return added | {name: min(at, added.get(name, at)) for name, at in found.items()}


def _moments_of_saving(session: Session, project_id: int, list_name: str) -> dict[str, dt.datetime]:
    found: dict[str, dt.datetime] = {}
    for known, _ in current_forms(session, project_id):
        wanted = _saved_to(list_name, known.form)
        for version, at in _versions_from_the_first(session, project_id, known.form.form_id) if wanted else ():
            saved = wanted & _saved_to(list_name, version.form())
            found |= {name: min(at, found.get(name, at)) for name in saved}
            wanted -= saved
            if not wanted:
                break
    return found


def _moments_of_adding(session: Session, known: EntityList) -> dict[str, dt.datetime]:
    """The last time counts: a list that was deleted and made anew has lost its properties in between."""
    events = select(Event.at, Event.details).where(
        Event.project_id == known.project_id,
        Event.number <= known.event,  # its last change, which most lists had long ago
        literal_column("kind = 'list'"),
        Event.at >= known.created_at,
    )
    rows = session.execute(events.order_by(Event.number)).all()
    said = ((row.details or {}, row.at) for row in rows)
    return {
        details["property"]: at for details, at in said if details.get("list") == known.name and "property" in details
    }


def _versions_from_the_first(
    session: Session, project_id: int, form_id: str
) -> Iterator[tuple[StoredVersion, dt.datetime]]:
    moments = session.scalars(
        select(FormVersion.published_at)
        .where(FormVersion.project_id == project_id, FormVersion.form_id == form_id)
        .order_by(FormVersion.number)
    )
    # One that is published between the two looks is the last, and of no interest yet.
    yield from zip(reversed(form_versions(session, project_id, form_id)), moments.all(), strict=False)


def _saved_to(list_name: str, form: Form) -> set[str]:
    return {name for declared in form.entities if declared.list_name == list_name for name in declared.saves}


def choices_of_list(session: Session, project_id: int, list_name: str) -> dict[str, dict[str, Mapping[str, str]]]:
    """By property: the labels of the values that current forms save to it from choices of their own, by language."""
    found: dict[str, dict[str, Mapping[str, str]]] = defaultdict(dict)
    for known, _ in current_forms(session, project_id):
        form = known.form
        for declared in form.entities:
            for name, path in declared.saves.items() if declared.list_name == list_name else ():
                asked = form.fields.get(path)
                if asked is not None and asked.itemset is not None and not asked.external:
                    choices = form.choices.get(asked.itemset, {}).values()
                    found[name] |= {choice.value: choice.labels for choice in choices}
    return dict(found)


def lists_of_project(session: Session, project_id: int) -> list[EntityList]:
    """Those that are not deleted, by name."""
    query = select(EntityList).where(EntityList.project_id == project_id, EntityList.deleted_at.is_(None))
    return list(session.scalars(query.order_by(EntityList.name)))


def rows_of_list(
    session: Session,
    project_id: int,
    name: str,
    *,
    deleted: bool,
    now: dt.datetime,
    asked: str | None,
    search: str | None,
    limit: int | None,
    offset: int,
) -> Iterator[Entity]:
    """The newest first, all of them in portions. Each row outlives the transaction that read it.

    `asked` is a `$filter` and `search` a `$search` of OData; raises BadFilter.
    """
    query = (
        select(Entity)
        .where(
            Entity.project_id == project_id,
            Entity.list_name == name,
            Entity.withdrawn.is_(False),
            Entity.deleted_at.is_not(None) if deleted else Entity.deleted_at.is_(None),
        )
        .order_by(Entity.created_at.desc(), Entity.id.desc())
    )
    among = what_may_be_asked(session, list_of(session, project_id, name), now)
    if asked:
        query = query.where(compile_filter(asked, among))
    if search:
        query = query.where(compile_search(search, among))
    if limit is not None or offset:
        return _detached(session, query.limit(limit).offset(offset))
    return _in_portions(session, query)


def page_of_list(
    session: Session,
    project_id: int,
    name: str,
    *,
    now: dt.datetime,
    search: str | None = None,
    conflicts: bool = False,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page[Entity]:
    """A page of the living rows of a list, what was changed last first; `conflicts` those alone that are in conflict.

    Raises BadFilter for a `$search` that cannot be understood, Unexpected for what was never a cursor.
    """
    query = select(Entity).where(
        Entity.project_id == project_id,
        Entity.list_name == name,
        Entity.withdrawn.is_(False),
        Entity.deleted_at.is_(None),
    )
    if conflicts:
        query = query.where(Entity.conflict.is_not(None))
    if search:
        query = query.where(compile_search(search, what_may_be_asked(session, list_of(session, project_id, name), now)))
    if cursor:
        event, _, entity_id = cursor.partition("_")
        query = query.where(tuple_(Entity.event, Entity.id) < (id_at(event) or 0, entity_id))
    rows = session.scalars(query.order_by(Entity.event.desc(), Entity.id.desc()).limit(limit + 1)).all()
    shown = rows[:limit]
    return Page(shown, f"{shown[-1].event}_{shown[-1].id}" if len(rows) > limit else None)


def rows_called(session: Session, project_id: int, name: str, asked: str, *, now: dt.datetime) -> list[tuple[str, str]]:
    """Id and label of living rows of a list whose texts hold these words, by label; without words the first ones."""
    words = [word.replace('"', "") for word in asked.split()][:_MOST_WORDS]
    query = select(Entity.id, Entity.label).where(
        Entity.project_id == project_id,
        Entity.list_name == name,
        Entity.withdrawn.is_(False),
        Entity.deleted_at.is_(None),
    )
    if search := " AND ".join(f'"{word}"' for word in words if word):
        query = query.where(compile_search(search, what_may_be_asked(session, list_of(session, project_id, name), now)))
    else:
        query = query.order_by(Entity.id)
    rows = session.execute(query.limit(_CHOOSABLE)).all()
    return sorted(((id_, label) for id_, label in rows), key=lambda row: (row[1], row[0]))


def _in_portions(session: Session, query: Select[Any]) -> Iterator[Entity]:
    after: ColumnElement[bool] = true()
    while True:
        some = list(_detached(session, query.where(after).limit(_AT_ONCE)))
        yield from some
        if len(some) < _AT_ONCE:
            return
        after = tuple_(Entity.created_at, Entity.id) < tuple_(
            literal(some[-1].created_at, Entity.created_at.type), literal(some[-1].id)
        )


def _detached(session: Session, query: Select[Any]) -> Iterator[Entity]:
    rows = session.scalars(query).all()
    for row in rows:
        session.expunge(row)
    return iter(rows)


def what_may_be_asked(session: Session, known: EntityList, now: dt.datetime) -> Among:
    """What a filter on the list may speak of: its label, its properties by their names in OData, and `__system/…`."""
    values: dict[str, Value] = {
        wire: text_value(func.coalesce(Entity.data[name].as_string(), ""))
        for name, wire in on_the_wire(known.properties).items()
    }
    values |= {
        "__id": text_value(Entity.id),
        "label": text_value(Entity.label),
        "__system/createdAt": moment_value(Entity.created_at),
        "__system/updatedAt": moment_value(Entity.updated_at),
        "__system/deletedAt": moment_value(Entity.deleted_at),
        "__system/creatorId": text_value(cast(Entity.creator_id, Text)),
        "__system/conflict": text_value(Entity.conflict),
        "__system/version": number_value(Entity.version),
        "__system/updates": number_value(Entity.version - 1),
    }
    return Among(values, now, is_sqlite(session), (cast(Entity.data, Text), Entity.label, Entity.id))


def on_the_wire(properties: Iterable[str]) -> dict[str, str]:
    """Property → what it is called in OData; no two alike, and none as what each row has."""
    found: dict[str, str] = {}
    taken = {"label", "__id", "__system"}
    for name in properties:
        plain = candidate = wire_name(name)
        number = 1
        while candidate in taken:
            number += 1
            candidate = f"{plain}_{number}"
        taken.add(candidate)
        found[name] = candidate
    return found


def one_entity(session: Session, project_id: int, name: str, entity_id: str) -> Entity:
    """One that is deleted, too. Raises EntityNotFound, also for one whose submissions were rejected."""
    plain = entity_id.lower().removeprefix("uuid:")
    entity = session.get(Entity, (project_id, name, plain))
    if entity is None or entity.withdrawn:
        raise EntityNotFound(f"There is no entity {plain[:80]} in the list {name}.")
    return entity


def versions_of(session: Session, entity: Entity) -> list[Version]:
    """Every version with what brought it, the oldest first; the last one is the current."""
    [versions] = _told(session, [entity], _shots_of(session, [entity]))
    return versions


def last_versions(session: Session, entities: Sequence[Entity]) -> list[Version]:
    """The current version of each of these entities of one project, in their order."""
    found: list[Version] = []
    for start in range(0, len(entities), _AT_ONCE):
        some = entities[start : start + _AT_ONCE]
        last = [shots[-1:] for shots in _shots_of(session, some)]
        found += [versions[-1] for versions in _told(session, some, last)]
    return found


def _shots_of(session: Session, entities: Sequence[Entity]) -> list[list[_Shot]]:
    """Of each of them: every version that a step has brought, the oldest first."""
    project_id = entities[0].project_id
    keys = [(entity.list_name, entity.id) for entity in entities]
    steps = steps_of_entities(session.connection(), project_id, keys)
    recall(session, project_id, chain.from_iterable(steps.values()))
    return [_shots(steps.get(key, []), entity.version) for key, entity in zip(keys, entities, strict=True)]


def _shots(steps: Sequence[Step], version: int) -> list[_Shot]:
    history = sorted(fold(steps, version, remember=True).history, key=lambda shot: shot.version)
    settled = {shot.version for shot in history if shot.step.path == RESOLVES}
    by_number: dict[int, Snapshot] = {}
    for shot in history:
        if shot.version not in by_number or shot.step.path != RESOLVES:  # which by itself adds no version
            by_number[shot.version] = shot
    return [(shot, number in settled) for number, shot in by_number.items()]


def _told(session: Session, entities: Sequence[Entity], found: Sequence[Sequence[_Shot]]) -> list[list[Version]]:
    """The versions of each of these entities, the last one as it stands."""
    project_id, steps = entities[0].project_id, [shot.step for shots in found for shot, _ in shots]
    events = _events(session, project_id, {step.event for step in steps})
    submissions = _submissions(session, project_id, {step.submission_id for step in steps})
    told = []
    for entity, shots in zip(entities, found, strict=True):
        versions = [
            _settled_alone(entity, shot, events)
            if _says_nothing(shot.step)
            else _version(shot, events, submissions, settled)
            for shot, settled in shots
        ]
        if not versions or versions[-1].version < entity.version:
            versions.append(_as_it_stands(entity))
        last = replace(versions[-1], label=entity.label, data=entity.data, current=True)
        told.append([*versions[:-1], last])
    return told


def diffs_of(versions: Sequence[Version]) -> list[list[dict[str, Any]]]:
    """For each version after the first, which properties became something else."""
    found = []
    for before, after in pairwise(versions):
        names = [*dict.fromkeys([*before.data, *after.data])]
        changes = [
            {"propertyName": name, "old": before.data.get(name), "new": after.data.get(name)}
            for name in names
            if (before.data.get(name) or "") != (after.data.get(name) or "")
        ]
        if before.label != after.label:
            changes.insert(0, {"propertyName": "label", "old": before.label, "new": after.label})
        found.append(changes)
    return found


def acts_on(session: Session, entity: Entity) -> list[Audit]:
    """What people did to the entity itself, the newest first."""
    subject = f"{entity.list_name}/{entity.id}"
    query = select(Audit).where(Audit.project_id == entity.project_id, Audit.subject == subject)
    return list(session.scalars(query.order_by(Audit.number.desc()).limit(_AT_ONCE)))


def names_of(session: Session, actor_ids: Collection[int | None]) -> dict[int, Actor]:
    """The actors with these numbers."""
    ids = sorted({id_ for id_ in actor_ids if id_})
    return {actor.id: actor for actor in session.scalars(select(Actor).where(Actor.id.in_(ids)))} if ids else {}


def creators_of(session: Session, project_id: int, name: str) -> list[Actor]:
    """Everybody who made an entity of the list, by name."""
    ids = select(Entity.creator_id).where(Entity.project_id == project_id, Entity.list_name == name).distinct()
    return list(session.scalars(select(Actor).where(Actor.id.in_(ids)).order_by(Actor.name)))


def deleted_among(session: Session, project_id: int, name: str, ids: Sequence[str] | None) -> list[tuple[str, bool]]:
    """Of these entities, or all, whether each is gone; one that was never here is not among them."""
    columns = [Entity.id, Entity.withdrawn, Entity.deleted_at]
    if ids is None:
        rows: Any = session.execute(
            select(*columns).where(Entity.project_id == project_id, Entity.list_name == name).order_by(Entity.id)
        )
    else:
        fixed = [(Entity.project_id, project_id), (Entity.list_name, name)]
        rows = rows_of_ids(session.connection(), columns, fixed, Entity.id, sorted(set(ids)))
    return [(id_, bool(withdrawn or deleted_at)) for id_, withdrawn, deleted_at in rows]


def _events(session: Session, project_id: int, numbers: Collection[int]) -> dict[int, Any]:
    rows = rows_of_ids(
        session.connection(),
        [Event.number, Event.at, Event.actor_id, Event.details],
        [(Event.project_id, project_id)],
        Event.number,
        sorted(numbers),
    )
    return {row.number: row for row in rows}


def _submissions(session: Session, project_id: int, ids: Collection[int]) -> dict[int, Any]:
    rows = rows_of_ids(
        session.connection(),
        [Submission.id, Submission.instance_id, Submission.form_id, Submission.user_agent],
        [(Submission.project_id, project_id)],
        Submission.id,
        sorted(set(ids) - {LIST_FILE}),
    )
    return {row.id: row for row in rows}


def _version(shot: Snapshot, events: Mapping[int, Any], submissions: Mapping[int, Any], resolved: bool) -> Version:
    step = shot.step
    event, submission = events.get(step.event), submissions.get(step.submission_id)
    said = ((event.details or {}) if event is not None else {}).get("source") or {}
    return Version(
        version=shot.version,
        label=shot.label,
        data=shot.data,
        at=event.at if event is not None else dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        actor_id=step.actor_id or 0,
        user_agent=(submission.user_agent if submission is not None else said.get("userAgent")) or "",
        base_version=shot.base,
        conflict=shot.conflict,
        conflicting=shot.conflicting,
        resolved=resolved,
        submission=submission.instance_id if submission is not None else None,
        form_id=submission.form_id if submission is not None else None,
        source=said,
        current=False,
        trunk_version=step.trunk_version,
        branch_id=step.branch_id,
    )


def _as_it_stands(entity: Entity) -> Version:
    """Since the last step something was taken back, which gave the entity a version without a step."""
    return Version(
        version=entity.version,
        label=entity.label,
        data=entity.data,
        at=entity.updated_at or entity.created_at,
        actor_id=entity.creator_id or 0,
        user_agent="",
        base_version=entity.version - 1,
        conflict=None,
        conflicting=(),
        resolved=False,
        submission=None,
        form_id=None,
        source={},
        current=True,
    )


def _says_nothing(step: Step) -> bool:
    return step.path == RESOLVES and not step.label and not step.data


def _settled_alone(entity: Entity, shot: Snapshot, events: Mapping[int, Any]) -> Version:
    """A version without a step, as above, in which somebody settled a conflict: it is nobody's for that."""
    event = events.get(shot.step.event)
    return replace(
        _as_it_stands(entity),
        version=shot.version,
        label=shot.label,
        data=shot.data,
        at=event.at if event is not None else entity.created_at,
        base_version=shot.version - 1,
        resolved=True,
        current=False,
    )
