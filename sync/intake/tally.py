"""What a device has done today and has to do again, for the receipt that its user reads."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, or_, select, text
from sqlalchemy.orm import Session

from forms.records import record
from sync.models import Comment, Submission
from sync.models.base import UtcDateTime
from sync.models.probing import unseen

COUNTED_TO = 500


@record
class Tally:
    """How many submissions came today, by the project's clock, and how many were sent back; each counted to
    `COUNTED_TO`, as a token that many tablets share may have sent many thousands."""

    today: int
    to_correct: int


def tally_of(session: Session, project_id: int, actor_id: int, now: dt.datetime, tz: dt.tzinfo) -> Tally:
    """One that was rejected without a word asks for nothing."""
    return Tally(*session.connection().execute(_TALLY, {"project": project_id, **counted(actor_id, now, tz)}).one())


def counted(actor_id: int, now: dt.datetime, tz: dt.tzinfo) -> dict[str, Any]:
    """What `TALLY` is to be given beside the project."""
    midnight = now.astimezone(tz).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"actor": actor_id, "midnight": midnight}


# PostgreSQL plans once for all what says how far it goes.
_COUNTED_TO: ColumnElement[int] = literal_column(str(COUNTED_TO))
# A plan for a day on which little came looks cheaper than one for any day, so PostgreSQL would make one for each form:
# for all that is asked along with these two numbers.
_OWN = (
    Submission.project_id == unseen("project", Submission.project_id.type),
    Submission.actor_id == unseen("actor", Submission.actor_id.type),
    Submission.deleted_at.is_(None),
)
_TODAY = select(Submission.id).where(*_OWN, Submission.received_at >= unseen("midnight", UtcDateTime()))
_COMMENTED = (
    select(Comment.id)
    .where(Comment.project_id == Submission.project_id, Comment.submission_id == Submission.id)
    .correlate(Submission)
    .exists()
)
_SENT_BACK = select(Submission.id).where(
    *_OWN,
    # As the index has it, so that it is used.
    text("review_state IN ('hasIssues', 'rejected')"),
    or_(Submission.review_state == "hasIssues", _COMMENTED),
)
# The two numbers of a tally, for whoever asks for more in one statement.
TALLY = tuple(
    select(func.count()).select_from(ids.limit(_COUNTED_TO).subquery()).scalar_subquery()
    for ids in (_TODAY, _SENT_BACK)
)
_TALLY = select(*TALLY)
