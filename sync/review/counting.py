"""Whether figures count a submission: the one place that decides."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ColumnElement, func

from sync.models import Submission

REJECTED = "rejected"
APPROVED = "approved"


def counts(
    project_counts: str, review_state: str | None, double_of: int | None, deleted_at: dt.datetime | None
) -> bool:
    """All but rejected and deleted ones and second copies, or the approved ones of these.

    `project_counts` is the project's setting: `received` or `approved`.
    """
    if deleted_at is not None or double_of is not None or review_state == REJECTED:
        return False
    return project_counts != APPROVED or review_state == APPROVED


def counting_by(rule: str) -> ColumnElement[bool]:
    """The same, by a project's setting, as a condition on submissions."""
    lives = Submission.deleted_at.is_(None) & Submission.double_of.is_(None)
    state = func.coalesce(Submission.review_state, "")
    return lives & (state == APPROVED if rule == APPROVED else state != REJECTED)
