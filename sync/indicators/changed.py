"""When what figures are read from was last changed: looked up once for all figures of an answer."""

from __future__ import annotations

from sqlalchemy import BindParameter, bindparam, func, literal_column, select
from sqlalchemy.orm import Session

from forms.records import record
from sync.entities.reach import LAST_CHANGES
from sync.models import Event, IndicatorVersion, Membership, Server, Target
from sync.models.probing import rows_of


@record
class Changed:
    """The last event that changed each, 0 if none did. In another `epoch`, events have other numbers."""

    epoch: str | None
    settings: int
    places: int
    definitions: int
    targets: int
    persons: int


def last_changes(session: Session, project_id: int) -> Changed:
    """As the session sees them now, so that only what was changed since is read again."""
    [(epoch, settings, *others)] = rows_of(session.connection(), _CHANGED, {"project": project_id})
    events = [event or 0 for event in others]
    return Changed(epoch, settings or 0, *map(max, events[::2], events[1::2]))


_OF_PROJECT: BindParameter[int] = bindparam("project")
_SETTINGS = (
    select(func.max(Event.number))
    .where(Event.project_id == _OF_PROJECT, literal_column("kind = 'settings'"))
    .scalar_subquery()
)
# Apart, so that each is one step into its index.
_OTHERS = [
    select(func.max(changed)).where(table.project_id == _OF_PROJECT).scalar_subquery()
    for table in (IndicatorVersion, Target, Membership)
    for changed in (table.opened, table.closed)
]
_CHANGED = select(select(Server.epoch).scalar_subquery(), _SETTINGS, *LAST_CHANGES, *_OTHERS)
