"""Who has which submission before him: coordinators who review at once are each shown another one.

It is a courtesy and no lock. Nobody is kept from deciding, and what is decided over somebody is caught by `seen`; so a
lease that was lost, or two that were taken in the same instant, cost a second look and nothing else.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sync.models import ReviewLease

# Longer than most look at one; whoever closes the laptop is in nobody's way for longer than that.
LASTS = dt.timedelta(minutes=3)


def take_lease(session: Session, project_id: int, actor_id: int, submission_id: int, now: dt.datetime) -> None:
    """Have this submission, and let go of the one before."""
    row = session.get(ReviewLease, (project_id, actor_id))
    if row is None:
        row = ReviewLease(project_id=project_id, actor_id=actor_id)
        session.add(row)
    row.submission_id, row.until = submission_id, now + LASTS
    session.flush()


def leave(session: Session, project_id: int, actor_id: int) -> None:
    """Have none any more."""
    session.execute(delete(ReviewLease).where(ReviewLease.project_id == project_id, ReviewLease.actor_id == actor_id))


def held_by_others(session: Session, project_id: int, actor_id: int, now: dt.datetime) -> dict[int, int]:
    """Submission → the coordinator who has it before him now."""
    rows = session.execute(
        select(ReviewLease.submission_id, ReviewLease.actor_id).where(
            ReviewLease.project_id == project_id, ReviewLease.actor_id != actor_id, ReviewLease.until > now
        )
    )
    return dict(rows.all())
