"""What a list's comparison has learnt, for people to read."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.models import MatchModel


def model_in_force(session: Session, project_id: int, list_name: str) -> MatchModel | None:
    """The last version; None for a list from which nothing was learnt yet, which is compared by default."""
    query = select(MatchModel).where(MatchModel.project_id == project_id, MatchModel.list_name == list_name)
    return session.scalars(query.order_by(MatchModel.version.desc()).limit(1)).one_or_none()
