"""Which rows of a list reach whom: one rule for Collect's CSV, its hash and the changes of our own devices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, bindparam, false, func, or_, select
from sqlalchemy.orm import Session

from sync.accounts.roles import role_in
from sync.models import Actor, Entity, EntityAssignment, EntityList, EntityStep, Place
from sync.models.kept import Kept
from sync.models.probing import rows_of_ids, rows_of_keys
from sync.projects.places import PlaceTree, places_at

PLACE_PROPERTIES = ("place", "village_code", "commune", "cercle", "region")
OWNER, ASSIGNED, BY_PROPERTY = "ownerOnly", "assigned", "property"
_COLUMNS = [Entity.id, Entity.label, Entity.version, Entity.data]
_COVERED = [
    Entity.id,
    Entity.label,
    Entity.data,
    Entity.place,
    Entity.creator_id,
    Entity.withdrawn,
    Entity.deleted_at,
]
_LIVES = (Entity.withdrawn.is_(False), Entity.deleted_at.is_(None))


@dataclass(frozen=True, slots=True)
class Reach:
    """The rows of a list that one actor gets. Two actors with the same reach get the same rows.

    `everything` is for those who work at the office. Otherwise a row has to lie in one of the `codes` (None: anywhere)
    or name no place, and, as the list says, to be the actor's `own`, to be `assigned` to it, or to have one of the
    `values` of its properties.
    """

    everything: bool = False
    codes: frozenset[str] | None = None
    own: int | None = None
    assigned: int | None = None
    values: tuple[tuple[str, str], ...] | None = None


def reach_of(session: Session, actor: Actor, known: EntityList, places: Iterable[Any] | None = None) -> Reach:
    """What of this list is for this actor; what would be if it had these `places`, if they are given."""
    if actor.kind == "user" and role_in(session, actor, known.project_id) not in (None, "collector"):
        return Reach(everything=True)
    codes = codes_of(session, known.project_id, actor.places if places is None else places)
    access = filter_of(known)
    kind = access.get("type")
    if kind == OWNER:
        return Reach(own=actor.id)
    if kind == ASSIGNED:
        return Reach(assigned=actor.id)
    if kind == BY_PROPERTY:
        rules = ((rule["datasetProperty"], actor.properties.get(rule["actorProperty"])) for rule in access["rules"])
        return Reach(codes=codes, values=tuple((name, value) for name, value in rules if value))
    return Reach(codes=codes)


def filter_of(known: EntityList) -> Mapping[str, Any]:
    """Who gets what of a list, as its settings say it; empty for the rule of places alone."""
    if known.owner_only:
        return {"type": OWNER}
    found: Mapping[str, Any] = orjson.loads(known.access_filter) if known.access_filter else {}
    return found


def rows_within(session: Session, project_id: int, name: str, reach: Reach) -> list[Any]:
    """Id, label, version and properties of the rows, by id; the cost is that of the rows, not of the list."""
    if reach.assigned is not None:
        return _assigned(session, project_id, name, reach.assigned)
    at = (Entity.project_id == project_id, Entity.list_name == name, *_LIVES, *values_within(reach))
    if reach.own is not None:
        return _by_id(session.execute(select(*_COLUMNS).where(*at, Entity.creator_id == reach.own)))
    if reach.codes is None:
        return list(session.execute(select(*_COLUMNS).where(*at).order_by(Entity.id)))
    # Sorted here: asked for their order, SQLite would read the whole list by the primary key.
    placed = rows_of_keys(session.connection(), _COLUMNS, [Entity.place], [(code,) for code in reach.codes], *at)
    return _by_id([*placed, *session.execute(select(*_COLUMNS).where(*at, Entity.place.is_(None)))])


def covered(session: Session, project_id: int, name: str, reach: Reach, entity_ids: Collection[str]) -> dict[str, Any]:
    """Label and place of those of these rows that are within reach; the cost is that of the rows that are asked for."""
    fixed = [(Entity.project_id, project_id), (Entity.list_name, name)]
    rows = rows_of_ids(session.connection(), _COVERED, fixed, Entity.id, sorted(entity_ids))
    living = {row.id: row for row in rows if not row.withdrawn and row.deleted_at is None}
    given: set[str] = set()
    if reach.assigned is not None:
        query = select(EntityAssignment.entity_id).where(
            EntityAssignment.project_id == project_id,
            EntityAssignment.list_name == name,
            EntityAssignment.actor_id == reach.assigned,
            EntityAssignment.entity_id.in_(list(living)),
        )
        given = set(session.scalars(query))
    return {id_: row for id_, row in living.items() if id_ in given or _covers(reach, row)}


def _covers(reach: Reach, row: Any) -> bool:
    if reach.everything:
        return True
    owner = reach.assigned if reach.assigned is not None else reach.own
    if owner is not None:
        return bool(row.creator_id == owner)
    placed = reach.codes is None or row.place is None or row.place in reach.codes
    return placed and (reach.values is None or any(row.data.get(name) == value for name, value in reach.values))


def changed_since(session: Session, project_id: int, name: str, after: int) -> set[str]:
    """The rows of a list that an event after this one changed, withdrawn and deleted ones too."""
    return set(
        session.scalars(
            select(Entity.id).where(Entity.project_id == project_id, Entity.list_name == name, Entity.event > after)
        )
    )


def made_since(session: Session, project_id: int, name: str, ids: Collection[str], after: int) -> set[str]:
    """Those of these rows that were made after the event: nobody had got them. One whose making was purged is none."""
    columns = [EntityStep.entity_id, EntityStep.event, EntityStep.create]
    at = (EntityStep.project_id, project_id), (EntityStep.list_name, name)
    steps = rows_of_keys(session.connection(), columns, [EntityStep.entity_id], [(id_,) for id_ in sorted(ids)], *at)
    return {step.entity_id for step in steps if step.create} - {step.entity_id for step in steps if step.event <= after}


def codes_of(session: Session, project_id: int, places: Iterable[Any]) -> frozenset[str] | None:
    """The places and everything inside them; None for somebody who is not bound to places."""
    places = list(places)
    if not places:
        return None
    tree = tree_of(session, project_id)
    return frozenset(below for place in places if (code := tree.code_of(place)) for below in tree.below(code))


def place_named(data: Mapping[str, Any], place_property: str | None, tree: Callable[[], PlaceTree]) -> str | None:
    """The code of the place by which a row finds its devices: the nearest one that it names and that exists.

    What nobody knows stays as it was written, so that the row reaches only devices that are not bound to places. None
    for a row that names no place.
    """
    names = (place_property,) if place_property else PLACE_PROPERTIES
    written = [str(data[name]) for name in names if data.get(name)]
    if not written:
        return None
    return next((code for place in written if (code := tree().code_of(place))), written[0])


def tree_of(session: Session, project_id: int, settled: int | None = None, newest: int | None = None) -> PlaceTree:
    """The places of now, read again only when one was changed.

    `settled` is the last event that a writer found: what places changed after it may still be taken back. `newest` is
    the event that changed the last one, for whoever knows it.
    """
    if newest is None:
        newest = places_changed_at(session, project_id)
    keep = newest <= settled if settled is not None else not writes(session)
    return _trees.get(session, project_id, newest, keep, lambda: places_at(session, project_id, newest))


def places_changed_at(session: Session, project_id: int) -> int:
    """The event that last changed a place, 0 if there are none."""
    return max(number or 0 for number in session.connection().execute(_PLACES_CHANGED, {"project": project_id}).one())


# Apart, so that each is one step into its index.
LAST_CHANGES = tuple(
    select(func.max(column)).where(Place.project_id == bindparam("project")).scalar_subquery()
    for column in (Place.opened, Place.closed)
)
_PLACES_CHANGED = select(*LAST_CHANGES)


def writes(session: Session) -> bool:
    """Whether the session is in a transaction that may still be taken back."""
    return bool(session.connection().get_execution_options().get("siby_writing"))


_trees: Kept[PlaceTree] = Kept()


def values_within(reach: Reach) -> tuple[ColumnElement[bool], ...]:
    """The condition that a row has one of the values that the device's properties ask for."""
    if reach.values is None:
        return ()
    if not reach.values:
        return (false(),)  # somebody of whom nothing is noted gets nothing
    return (or_(*(Entity.data[name].as_string() == value for name, value in reach.values)),)


def _assigned(session: Session, project_id: int, name: str, actor_id: int) -> list[Any]:
    """What was given to the device, and what it made itself: a row must not vanish from the tablet that made it."""
    ids = session.scalars(
        select(EntityAssignment.entity_id).where(
            EntityAssignment.project_id == project_id,
            EntityAssignment.list_name == name,
            EntityAssignment.actor_id == actor_id,
        )
    ).all()
    fixed = [(Entity.project_id, project_id), (Entity.list_name, name)]
    columns = [*_COLUMNS, Entity.withdrawn, Entity.deleted_at]
    rows = rows_of_ids(session.connection(), columns, fixed, Entity.id, ids)
    given = [found for *found, withdrawn, deleted_at in rows if not (withdrawn or deleted_at)]
    own = session.execute(
        select(*_COLUMNS).where(
            and_(Entity.project_id == project_id, Entity.list_name == name, Entity.creator_id == actor_id), *_LIVES
        )
    )
    return _by_id({str(row[0]): row for row in [*given, *own]}.values())


def _by_id(rows: Iterable[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: str(row[0]))
