"""When what figures are read from was last changed: looked up once for all figures of an answer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, ScalarSelect, bindparam, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from forms.records import record
from sync.entities.reach import LAST_CHANGES, writes
from sync.models import Event, IndicatorVersion, Membership, Server, Target
from sync.models.probing import rows_of


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
