"""What a project's forms look up outside themselves."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sync.entities.lists import DatabaseLists
from sync.intake.content import store_of


def lists_of(session: Session, project_id: int) -> DatabaseLists:
    """The entity lists and attached CSV files of a project, as secondary instances."""
    return DatabaseLists(session, project_id, lambda sha256: store_of(session).read(sha256))
