"""Who has which submission or pair before him: coordinators who go through a queue at once are each shown another one.

It is a courtesy and no lock. Nobody is kept from deciding, and what is decided over somebody is caught by `seen`; so a
lease that was lost, or two that were taken in the same instant, cost a second look and nothing else.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sync.models import Match, ReviewLease, Submission

# Longer than most look at one; whoever closes the laptop is in nobody's way for longer than that.
LASTS = dt.timedelta(minutes=3)


def take_lease(session: Session, project_id: int, actor_id: int, subject_id: int, now: dt.datetime) -> None:
    """Have this submission or pair, and let go of what was before."""
    owner = {"project_id": project_id, "actor_id": actor_id}
    taken = {"subject_id": subject_id, "until": now + LASTS}
    again = update(ReviewLease).filter_by(**owner).values(taken).returning(ReviewLease.actor_id)
    if session.scalar(again) is not None:
        return
    try:
        with session.begin_nested():
            session.add(ReviewLease(**owner, **taken))
    except IntegrityError:
        # Another window of the same person was first.
        session.execute(again)


def leave(session: Session, project_id: int, actor_id: int) -> None:
    """Have none any more."""
    session.execute(delete(ReviewLease).where(ReviewLease.project_id == project_id, ReviewLease.actor_id == actor_id))


def held_by_others(
    session: Session, project_id: int, actor_id: int, now: dt.datetime, of: type[Submission | Match]
) -> dict[int, int]:
    """Submission, or pair → the coordinator who has it before him now."""
    rows = session.execute(
        select(ReviewLease.subject_id, ReviewLease.actor_id)
        .join(of, (of.project_id == ReviewLease.project_id) & (of.id == ReviewLease.subject_id))
        .where(ReviewLease.project_id == project_id, ReviewLease.actor_id != actor_id, ReviewLease.until > now)
    )
    return dict(rows.all())
