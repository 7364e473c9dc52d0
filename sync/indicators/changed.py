"""When what figures are read from was last changed: looked up once for all figures of an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import BindParameter, ScalarSelect, bindparam, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from forms.records import record
from sync.entities.reach import LAST_CHANGES, writes
from sync.models import Event, IndicatorVersion, Membership, Server, Target
from sync.models.kept import Kept
from sync.models.probing import rows_of

Read = TypeVar("Read")
AsOf = Callable[[Session, int, int], Read]  # of a project by its number, as of an event


@record
class Changed:
    """The last event that changed each, 0 if none did. In another `epoch`, events have other numbers.

    Where something is tried out nothing is kept of persons, and nobody looks when they were changed.
    """

    epoch: str | None
    settings: int
    places: int
    definitions: int
    targets: int
    persons: int = 0


def last_changes(session: Session, project_id: int) -> Changed:
    """As the session sees them now, so that only what was changed since is read again."""
    changed = _TRIED if writes(session) else _CHANGED
    [(epoch, settings, *others)] = rows_of(session.connection(), changed, {"project": project_id})
    events = [event or 0 for event in others]
    return Changed(epoch, settings or 0, *map(max, events[::2], events[1::2]))


def as_of_event(
    kept: Kept[Read], session: Session, project_id: int, changed: tuple[str | None, int], as_of: int, read: AsOf[Read]
) -> Read:
    """What `read` finds as of an event. What holds still is kept; `changed` says in which epoch, and by which event it
    was last changed, for there may be another change by now."""
    _, newest = changed
    if newest > as_of:
        return read(session, project_id, as_of)
    return kept.get(session, project_id, changed, not writes(session), lambda: read(session, project_id, newest))


def _last(changed: InstrumentedAttribute[Any]) -> ScalarSelect[Any]:
    return select(func.max(changed)).where(changed.class_.project_id == _OF_PROJECT).scalar_subquery()


_OF_PROJECT: BindParameter[int] = bindparam("project")
_SETTINGS = (
    select(func.max(Event.number))
    .where(Event.project_id == _OF_PROJECT, literal_column("kind = 'settings'"))
    .scalar_subquery()
)
# Apart, so that each is one step into its index.
_OTHERS = [_last(changed) for table in (IndicatorVersion, Target) for changed in (table.opened, table.closed)]
_TRIED = select(select(Server.epoch).scalar_subquery(), _SETTINGS, *LAST_CHANGES, *_OTHERS)
_CHANGED = _TRIED.add_columns(*(_last(changed) for changed in (Membership.opened, Membership.closed)))
