"""Whether figures count a submission: the one place that decides."""

from __future__ import annotations

import datetime as dt

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
