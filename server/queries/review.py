"""What pages show of decisions about many."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sync.models import BulkReviewed, ReviewBulk


@dataclass(frozen=True, slots=True)
class BulkSeen:
    """A decision about many: what the submissions became, how many there were, whether it was taken back."""

    id: int
    state: str | None
    submissions: int
    undone: bool


def bulk_review(session: Session, project_id: int, number: int) -> BulkSeen | None:
    """The decision under this number, if there is one."""
    row = session.get(ReviewBulk, (project_id, number))
    if row is None:
        return None
    mine = BulkReviewed.project_id == project_id, BulkReviewed.bulk == number
    return BulkSeen(
        number,
        row.state,
        session.scalar(select(func.count()).select_from(BulkReviewed).where(*mine)) or 0,
        row.undone is not None,
    )
