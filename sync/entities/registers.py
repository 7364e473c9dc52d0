"""Entity lists by hand: making, changing and deleting one, and giving its rows to devices."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from forms.programmes.places import Place as PlaceRow
from forms.workbooks.workbook import unfit_list
from forms.xforms.corrections import OWN_LISTS
from sync.dedup.following import follow_list
from sync.entities.approval import settle_submissions, waiting_submissions
from sync.entities.change import Change
from sync.entities.reach import ASSIGNED, BY_PROPERTY, OWNER, filter_of
from sync.entities.stored import Key
from sync.errors import Exists, NotFound, PendingSubmissions, Unexpected
from sync.journal import Journal
from sync.models import Actor, Entity, EntityAssignment, EntityList
from sync.models.database import insert_rows
from sync.projects.places import places_at, put_places
from sync.review.placed import settle_place_flags

_NAME = re.compile(r"[^\W\d][\w.\-]*\Z")
_AT_ONCE = 2000


def list_of(session: Session, project_id: int, name: str) -> EntityList:
    """Raises NotFound for a list that there is not, or not any more."""
    known = session.get(EntityList, (project_id, name))
    if known is None or known.deleted_at is not None:
        raise NotFound(f"There is no entity list called {name}.")
    return known


def make_list(journal: Journal, name: str, *, approval_required: bool = False) -> EntityList:
    """A new list without properties. Raises Unexpected for what cannot be a name, Exists for one that is taken."""
    _require_name(name, "A list")
    if unfit := unfit_list(name):
        raise Unexpected(unfit)
    if name in OWN_LISTS:
        raise Unexpected(f"Every device has a list called {name} for itself; choose another name.")
    others = journal.session.execute(
        select(EntityList.name, EntityList.deleted_at).where(EntityList.project_id == journal.project_id)
    ).all()
    if any(row.name.lower() == name.lower() and (row.deleted_at is None or row.name != name) for row in others):
        raise Exists(f"The project has a list called {name} already.")
    event = journal.record("list", None, {"list": name, "made": True})
    known = journal.session.get(EntityList, (journal.project_id, name))
    if known is None:
        known = EntityList(project_id=journal.project_id, name=name, properties=[], created_at=journal.now)
        journal.session.add(known)
    else:
        _bury_rows(journal, known, event)
    known.approval_required, known.owner_only, known.access_filter, known.place_property = (
        approval_required,
        False,
        None,
        None,
    )
    known.deleted_at, known.event, known.properties = None, event, []
    journal.session.flush()
    return known


def add_property(journal: Journal, name: str, wanted: str) -> None:
    """One property more, blank in every row. Raises Exists."""
    known = list_of(journal.session, journal.project_id, name)
    _require_name(wanted, "A property")
    if wanted.lower() in ("name", "label") or wanted.startswith("__"):
        raise Unexpected(f"A property cannot be called {wanted}.")
    if wanted.lower() in {each.lower() for each in known.properties}:
        raise Exists(f"The list {name} has a property called {wanted} already.")
    known.properties = [*known.properties, wanted]
    known.event = journal.record("list", None, {"list": name, "property": wanted})
    journal.session.flush()


def change_list(journal: Journal, name: str, changes: Mapping[str, Any], *, convert: bool = False) -> EntityList:
    """Change `approvalRequired`, `ownerOnly`, `accessFilter`, `place_property`; what follows from them follows.

    Approval is asked of submissions that come from then on. Where it is not asked for any more, those that wait for it
    act; PendingSubmissions if there are any and nobody said `convert`. `ownerOnly` holds whatever the `accessFilter`,
    which lets through nothing more while it does.
    """
    known = list_of(journal.session, journal.project_id, name)
    event = journal.record("list", None, {"list": name, "changed": sorted(changes)})
    if "accessFilter" in changes:
        _set_filter(journal, known, changes["accessFilter"])
    if "ownerOnly" in changes:
        known.owner_only = bool(changes["ownerOnly"])
    if "place_property" in changes and changes["place_property"] != known.place_property:
        _require_property(known, changes["place_property"])
        known.place_property = changes["place_property"]
        journal.session.flush()
        settle_places(journal, event, name)
    known.event = event
    wanted = changes.get("approvalRequired", known.approval_required)
    if wanted != known.approval_required:
        _set_approval(journal, known, wanted, event, convert)
    journal.session.flush()
    return known


def delete_list(journal: Journal, name: str) -> None:
    """Take a list from every device. Its rows are kept, and so is what submissions wanted of them."""
    known = list_of(journal.session, journal.project_id, name)
    known.event = journal.record("list", None, {"list": name, "deleted": True})
    known.deleted_at = journal.now
    journal.session.flush()


def assign_rows(journal: Journal, name: str, actor_id: int, entity_ids: Sequence[str], *, only: bool = False) -> int:
    """Give rows to a device; `only` these and no others. From the first time on each device gets from the list what
    was given to it and what it made itself, nothing else. Gives how many it has now. Raises NotFound, Unexpected.
    """
    known = list_of(journal.session, journal.project_id, name)
    _require_device(journal, actor_id)
    wanted = dict.fromkeys(id_.lower().removeprefix("uuid:") for id_ in entity_ids)
    _require_rows(journal, name, wanted)
    of_device = (
        EntityAssignment.project_id == journal.project_id,
        EntityAssignment.list_name == name,
        EntityAssignment.actor_id == actor_id,
    )
    has = set(journal.session.scalars(select(EntityAssignment.entity_id).where(*of_device)))
    gone = has.difference(wanted) if only else set()
    new = [id_ for id_ in wanted if id_ not in has]
    if gone or new or filter_of(known).get("type") != ASSIGNED:
        event = journal.record(
            "assigned", None, {"list": name, "actor": actor_id, "given": len(new), "taken": len(gone)}
        )
        known.owner_only, known.access_filter, known.event = False, orjson.dumps({"type": ASSIGNED}).decode(), event
        journal.session.flush()
        _take(journal, name, actor_id, gone)
        rows = [
            {
                "project_id": journal.project_id,
                "list_name": name,
                "entity_id": id_,
                "actor_id": actor_id,
                "event": event,
            }
            for id_ in new
        ]
        insert_rows(journal.session.connection(), EntityAssignment.__table__, rows)  # type: ignore[arg-type]
    return len(has) + len(new) - len(gone)


def unassign_rows(journal: Journal, name: str, actor_id: int, entity_ids: Collection[str] | None = None) -> int:
    """Take rows from a device, all of them for None; gives how many it had. The list stays one whose rows are given."""
    known = list_of(journal.session, journal.project_id, name)
    if entity_ids is None:
        entity_ids = assigned_rows(journal.session, journal.project_id, name, actor_id)
    taken = _take(journal, name, actor_id, {id_.lower().removeprefix("uuid:") for id_ in entity_ids})
    if taken:
        known.event = journal.record("assigned", None, {"list": name, "actor": actor_id, "given": 0, "taken": taken})
        journal.session.flush()
    return taken


def assigned_rows(session: Session, project_id: int, name: str, actor_id: int) -> list[str]:
    """The rows of a list that were given to a device, by id."""
    return list(
        session.scalars(
            select(EntityAssignment.entity_id)
            .where(
                EntityAssignment.project_id == project_id,
                EntityAssignment.list_name == name,
                EntityAssignment.actor_id == actor_id,
            )
            .order_by(EntityAssignment.entity_id)
        )
    )


def change_places(journal: Journal, places: Sequence[PlaceRow], event: int) -> bool:
    """Make these the places of the project from `event` on; the rows of lists find their devices by them. False, and
    nothing written, if they were its places before."""
    before = places_at(journal.session, journal.project_id, None)
    if not put_places(journal, places, event):
        return False
    settle_places(journal, event)
    settle_place_flags(journal, before, places_at(journal.session, journal.project_id, None), event)
    return True


def settle_places(journal: Journal, event: int, name: str | None = None) -> int:
    """Find the place of every row anew, as when the places themselves have changed; gives how many it was not."""
    query = select(Entity.list_name, Entity.id).where(Entity.project_id == journal.project_id)
    if name is not None:
        query = query.where(Entity.list_name == name)
    keys: list[Key] = [(row.list_name, row.id) for row in journal.session.execute(query)]
    moved = 0
    for start in range(0, len(keys), _AT_ONCE):
        change = Change(journal, journal.session.connection())
        change.look_for_places(keys[start : start + _AT_ONCE])
        if change.differing:
            moved += len(change.differing)
            change.write(event)
    return moved


def _set_filter(journal: Journal, known: EntityList, wanted: Mapping[str, Any] | None) -> None:
    kind = wanted.get("type") if wanted else None
    if kind == BY_PROPERTY:
        rules = wanted.get("rules") if wanted else None
        if not rules:
            raise Unexpected("An access filter by property needs at least one rule.")
        for rule in rules:
            _require_property(known, rule["datasetProperty"])
            if rule["actorProperty"] not in journal.project.device_properties:
                raise Unexpected(f"Devices have no property called {rule['actorProperty']}.")
    elif kind not in (None, OWNER, ASSIGNED):
        raise Unexpected(f"There is no access filter of type {kind!r}; it is {OWNER}, {BY_PROPERTY} or {ASSIGNED}.")
    known.owner_only = known.owner_only or kind == OWNER
    known.access_filter = orjson.dumps(wanted).decode() if kind in (BY_PROPERTY, ASSIGNED) else None


def _set_approval(journal: Journal, known: EntityList, wanted: bool, event: int, convert: bool) -> None:
    if wanted:
        known.approval_required, known.approval_from = True, event
        return
    waiting = waiting_submissions(journal, known.name)
    if waiting and not convert:
        raise PendingSubmissions(details={"count": len(waiting)})
    known.approval_required = False
    journal.session.flush()
    settle_submissions(journal, waiting)


def _bury_rows(journal: Journal, known: EntityList, event: int) -> None:
    """A list that is made anew under the name of a deleted one begins without the rows of that one."""
    journal.session.execute(
        update(Entity)
        .where(Entity.project_id == journal.project_id, Entity.list_name == known.name, Entity.deleted_at.is_(None))
        .values(deleted_at=journal.now, event=event)
        .execution_options(synchronize_session=False)
    )
    follow_list(journal, known.name, event)
    journal.session.execute(
        delete(EntityAssignment).where(
            EntityAssignment.project_id == journal.project_id, EntityAssignment.list_name == known.name
        )
    )


def _take(journal: Journal, name: str, actor_id: int, entity_ids: Collection[str]) -> int:
    taken = 0
    ids = sorted(entity_ids)
    for start in range(0, len(ids), _AT_ONCE):
        done = journal.session.execute(
            delete(EntityAssignment).where(
                EntityAssignment.project_id == journal.project_id,
                EntityAssignment.list_name == name,
                EntityAssignment.actor_id == actor_id,
                EntityAssignment.entity_id.in_(ids[start : start + _AT_ONCE]),
            )
        )
        taken += int(done.rowcount)  # type: ignore[attr-defined]
    return taken


def _require_device(journal: Journal, actor_id: int) -> None:
    actor = journal.session.get(Actor, actor_id)
    if actor is None or actor.project_id != journal.project_id or actor.kind != "device" or actor.disabled_at:
        raise NotFound("The project has no such device.")


def _require_rows(journal: Journal, name: str, ids: Collection[str]) -> None:
    there: set[str] = set()
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        there |= set(
            journal.session.scalars(
                select(Entity.id).where(
                    Entity.project_id == journal.project_id,
                    Entity.list_name == name,
                    Entity.id.in_(wanted[start : start + _AT_ONCE]),
                    Entity.deleted_at.is_(None),
                )
            )
        )
    if unknown := sorted(set(ids) - there):
        raise NotFound(f"The list {name} has no entity {unknown[0]}.", details={"unknown": unknown[:100]})


def _require_name(name: str, what: str) -> None:
    if not _NAME.match(name) or name.startswith("__") or len(name) > 200:
        raise Unexpected(f"{what} is named with letters, digits, points, hyphens and underscores, a letter first.")


def _require_property(known: EntityList, name: str | None) -> None:
    if name is not None and name not in known.properties:
        raise Unexpected(f"The list {known.name} has no property called {name}.")


def count_rows(session: Session, project_id: int) -> dict[str, tuple[int, Any, int]]:
    """By list: how many rows it has, when the last was made, and how many are in conflict."""
    rows = session.execute(
        select(Entity.list_name, func.count(), func.max(Entity.created_at), func.count(Entity.conflict))
        .where(Entity.project_id == project_id, Entity.deleted_at.is_(None), Entity.withdrawn.is_(False))
        .group_by(Entity.list_name)
    )
    return {name: (count, last, conflicts) for name, count, last, conflicts in rows}
