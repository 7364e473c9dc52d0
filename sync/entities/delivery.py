"""What a device gets of a list: its rows, the file that they make for ODK's clients, and a hash of exactly that."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import re
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from forms.xforms.corrections import OWN_LISTS
from sync.accounts.roles import role_in
from sync.entities.notices import notices_for, notices_since
from sync.entities.reach import changed_since, made_since, places_changed_at, reach_of, rows_within, writes
from sync.entities.registers import list_of
from sync.models import Actor, Entity, EntityList, Event, Project

ENTITY_LIST, APPROVAL_ENTITY_LIST = "entityList", "approvalEntityList"
_ASKED = "siby_last_event"
# Whoever changed a device may have waited so long before others heard of it, while events had later times.
_IN_DOUBT = dt.timedelta(minutes=2)
_FIXED = ("name", "label", "__version")
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A row of a list as a device gets it. `data` has the properties of the list, all of them."""

    name: str
    label: str
    version: int
    data: dict[str, str]


@dataclass(frozen=True, slots=True)
class ListChange:
    """What is different for a device. With `whole`, `upserts` are all that it gets, and everything else goes."""

    whole: bool
    upserts: list[DeviceRow]
    deletes: list[str]


def list_names_of(session: Session, project_id: int) -> list[str]:
    """The lists of a project, and the two that every device has for itself."""
    names = session.scalars(
        select(EntityList.name).where(EntityList.project_id == project_id, EntityList.deleted_at.is_(None))
    )
    return sorted({*names, *OWN_LISTS})


def list_type(session: Session, project_id: int, list_name: str) -> str | None:
    """How a manifest tells Collect what a list is; None for one that Collect is to take for a plain file.

    A device's own lists are plain: Collect keeps an entity list once for all forms, and these differ by form.
    """
    if list_name in OWN_LISTS:
        return None
    return APPROVAL_ENTITY_LIST if list_of(session, project_id, list_name).approval_required else ENTITY_LIST


def rows_for(
    session: Session, project_id: int, list_name: str, actor: Actor, form_id: str | None = None
) -> Iterator[DeviceRow]:
    """The device's rows by id. `form_id` is the form whose file it is, for the lists that depend on it.

    Raises NotFound for a list that there is not.
    """
    yield from _table(session, project_id, list_name, actor, form_id).rows()


def csv_for(session: Session, project_id: int, list_name: str, actor: Actor, form_id: str | None = None) -> bytes:
    """The rows as ODK's clients read them: `name,label,__version` and the properties, values verbatim, RFC 4180."""
    return _table(session, project_id, list_name, actor, form_id).as_csv()


def state_for(session: Session, project_id: int, list_name: str, actor: Actor, form_id: str | None = None) -> str:
    """`md5:` and the hash of what `csv_for` gives. It is worked out again only when something of the list changed."""
    last = _last_event(session, project_id)
    device = (project_id, list_name, form_id, actor.id)
    role = role_in(session, actor, project_id) if actor.kind == "user" else None
    said = (last, role, tuple(actor.places), actor.language, tuple(sorted(actor.properties.items())))
    if (state := _states.get(session, device, said)) is not None:
        return state
    if list_name in OWN_LISTS:
        state = _hash(csv_for(session, project_id, list_name, actor, form_id))
    else:
        state = _state_of_list(session, project_id, list_of(session, project_id, list_name), actor)
    _states.put(session, device, said, state)
    return state


def change_for(
    session: Session, project_id: int, list_name: str, actor: Actor, after: int | None, form_id: str | None = None
) -> ListChange | None:
    """What has changed for the device since the event, all of it for None; None if nothing has."""
    if list_name in OWN_LISTS:
        if after is not None and not (
            notices_since(session, project_id, actor, after) or is_changed(session, project_id, actor, after)
        ):
            return None
        return ListChange(True, list(rows_for(session, project_id, list_name, actor, form_id)), [])
    known = list_of(session, project_id, list_name)
    if after is None or _regrouped(session, known, actor, after):
        return ListChange(True, list(rows_for(session, project_id, list_name, actor)), [])
    changed = changed_since(session, project_id, list_name, after)
    if not changed:
        return None
    upserts = [row for row in rows_for(session, project_id, list_name, actor) if row.name in changed]
    others = changed.difference(row.name for row in upserts)
    deletes = sorted(others - made_since(session, project_id, list_name, others, after))
    return ListChange(False, upserts, deletes) if upserts or deletes else None


def _regrouped(session: Session, known: EntityList, actor: Actor, after: int) -> bool:
    """Whether since the event the list, the device or the places were changed so that other rows may reach it."""
    if known.event > after or is_changed(session, known.project_id, actor, after):
        return True
    return bool(actor.places) and places_changed_at(session, known.project_id) > after


def is_changed(session: Session, project_id: int, actor: Actor, after: int) -> bool:
    """Whether the device itself may have been changed since the event: of that the journal says nothing."""
    if actor.updated_at is None:
        return False
    at = session.scalar(select(Event.at).where(Event.project_id == project_id, Event.number == after))
    return at is None or actor.updated_at >= at - _IN_DOUBT


def _state_of_list(session: Session, project_id: int, known: EntityList, actor: Actor) -> str:
    """Devices with the same reach share it."""
    last = session.scalar(
        select(func.max(Entity.event)).where(Entity.project_id == project_id, Entity.list_name == known.name)
    )
    reach = reach_of(session, actor, known)
    key, stamp = (project_id, known.name, reach), (last, known.event, tuple(known.properties))
    state = _states.get(session, key, stamp)
    if state is None:
        state = _hash(_Table(known.properties, rows_within(session, project_id, known.name, reach)).as_csv())
        _states.put(session, key, stamp, state)
    return state


def _last_event(session: Session, project_id: int) -> int | None:
    """The project's last event as this transaction first saw it: a refresh asks for the hashes of many lists."""
    transaction = session.get_transaction()
    asked = session.info.get(_ASKED)
    if transaction is not None and asked is not None and asked[:2] == (transaction, project_id):
        seen: int | None = asked[2]
        return seen
    last = session.scalar(select(Project.last_event).where(Project.id == project_id))
    session.info[_ASKED] = (session.get_transaction(), project_id, last)
    return last


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows of id, label, version and properties, with the names of the properties that devices get."""

    properties: Sequence[str]
    content: Sequence[Any]

    def rows(self) -> Iterator[DeviceRow]:
        for name, label, version, data in self.content:
            yield DeviceRow(name, label or name, version, {key: str(data.get(key, "")) for key in self.properties})

    def as_csv(self) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([*_FIXED, *self.properties])
        properties = self.properties
        writer.writerows(
            [name, label or name, version, *(data.get(key, "") for key in properties)]
            for name, label, version, data in self.content
        )
        return _UNREADABLE.sub("", text.getvalue()).encode()


def _table(session: Session, project_id: int, list_name: str, actor: Actor, form_id: str | None) -> _Table:
    if list_name in OWN_LISTS:
        notices = notices_for(session, project_id, list_name, actor, form_id)
        return _Table(notices.properties, notices.rows)
    known = list_of(session, project_id, list_name)
    return _Table(known.properties, rows_within(session, project_id, list_name, reach_of(session, actor, known)))


def _hash(content: bytes) -> str:
    return f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}"


class _States:
    """The hashes that this process has worked out last, by database, each with what it was worked out from."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._kept: weakref.WeakKeyDictionary[Engine, OrderedDict[Any, tuple[Any, str]]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def get(self, session: Session, key: Any, stamp: Any) -> str | None:
        if writes(session):
            return None  # its own changes have no number yet
        with self._lock:
            kept = self._kept.get(session.get_bind().engine)
            if kept is None or key not in kept or kept[key][0] != stamp:
                return None
            kept.move_to_end(key)
            return kept[key][1]

    def put(self, session: Session, key: Any, stamp: Any, state: str) -> None:
        if writes(session):
            return  # what was read may be taken back, and its event number given to something else
        with self._lock:
            kept = self._kept.setdefault(session.get_bind().engine, OrderedDict())
            kept[key] = (stamp, state)
            kept.move_to_end(key)
            while len(kept) > self._bound:
                kept.popitem(last=False)


_states = _States(20_000)
