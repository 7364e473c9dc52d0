"""Filters of the list of submissions that are kept under a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from sync.errors import NotFound, Unexpected
from sync.intake.items import storable
from sync.journal import Journal
from sync.models import SavedView

LONGEST_NAME = 80
MOST = 200  # in a project


def views_of(session: Session, project_id: int, actor_id: int | None) -> Sequence[SavedView]:
    """One's own and those of the whole project, by name."""
    return session.scalars(
        select(SavedView)
        .where(SavedView.project_id == project_id, or_(SavedView.shared, SavedView.actor_id == actor_id))
        .order_by(SavedView.name, SavedView.id)
    ).all()


def save_view(journal: Journal, name: str, filters: Mapping[str, str], shared: bool) -> int:
    """Keep filters under a name; one of the same name and the same reach is replaced. Gives its id.

    Raises Unexpected for a name that is empty or too long, and when there are too many.
    """
    name = storable(" ".join(name.split()))
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Unexpected(f"The name of a view has between one and {LONGEST_NAME} characters.")
    actor_id = journal.actor_id or 0
    session, same = journal.session, (SavedView.project_id == journal.project_id, SavedView.name == name)
    session.execute(delete(SavedView).where(*same, SavedView.actor_id == actor_id, SavedView.shared.is_(shared)))
    there = select(func.count()).select_from(SavedView).where(SavedView.project_id == journal.project_id)
    if (session.scalar(there) or 0) >= MOST:
        raise Unexpected(f"A project has at most {MOST} saved views; delete some first.")
    view = SavedView(
        project_id=journal.project_id,
        id=journal.new_id(),
        actor_id=actor_id,
        shared=shared,
        name=name,
        filters=dict(filters),
        at=journal.now,
    )
    session.add(view)
    return view.id


def forget_view(journal: Journal, view_id: int, of_others: bool) -> SavedView:
    """Delete a view; one that somebody else has made only if that is allowed. Raises NotFound."""
    view = journal.session.get(SavedView, (journal.project_id, view_id))
    if view is None or not (view.actor_id == journal.actor_id or (view.shared and of_others)):
        raise NotFound
    journal.session.delete(view)
    return view
