"""What a coordinator decides about a submission: its review state, and what is said about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sync.errors import Stale, Unexpected
from sync.intake.items import storable
from sync.journal import Journal
from sync.models import Comment
from sync.models.database import insert_rows
from sync.review.counting import APPROVED, REJECTED
from sync.review.standing import entities_follow, figures_follow, standing, touch

STATES = (None, "edited", "hasIssues", "rejected", "approved")
_LONGEST_COMMENT = 10_000


def set_review_state(journal: Journal, submission_id: int, state: str | None, seen: int | None = None) -> int | None:
    """Decide on a submission; counts, entities and contributions follow. Gives the event, None if it was decided so.

    `seen` is the event of the submission that the coordinator was looking at: Stale if it has changed since. None as
    state takes a decision back. Raises Unexpected for a state that there is not.
    """
    if state not in STATES:
        raise Unexpected(f"{state!r} is not a review state; it is null, edited, hasIssues, rejected or approved.")
    submission = standing(journal, submission_id)
    if seen is not None and seen < submission.event:
        raise Stale
    before = submission.review_state
    if state == before:
        return None
    event = journal.record(kind_of(before, state), submission_id, {"from": before, "to": state})
    touch(journal, submission_id, event, review_state=state)
    if {REJECTED, APPROVED} & {before, state}:
        entities_follow(journal, submission, state)
    figures_follow(journal, [submission_id], event)
    return event


def add_comment(journal: Journal, submission_id: int, body: str, at: dt.datetime | None = None) -> int:
    """Write down what a coordinator says; the device is told if it has something to correct. Gives the comment's id.

    `at` is when it was said, if that was on another server.
    """
    text = comment_text(body)
    standing(journal, submission_id)
    event, comment_id = write_comments(journal, [submission_id], text, at)[submission_id]
    touch(journal, submission_id, event)
    return comment_id


def comment_text(body: str) -> str:
    """A comment as it is kept. Raises Unexpected for an empty or endless one."""
    text: str = storable(body.strip())
    if not text or len(text) > _LONGEST_COMMENT:
        raise Unexpected(f"A comment has between one and {_LONGEST_COMMENT} characters.")
    return text


def write_comments(
    journal: Journal, submission_ids: Sequence[int], text: str, at: dt.datetime | None = None
) -> dict[int, tuple[int, int]]:
    """Say the same about each of these submissions; the event and the comment's id by submission. Their rows are still
    to be touched."""
    said = {id_: (journal.record("commented", id_), journal.new_id()) for id_ in submission_ids}
    rows = [
        {
            "project_id": journal.project_id,
            "id": comment_id,
            "submission_id": submission_id,
            "actor_id": journal.actor_id,
            "body": text,
            "at": at or journal.now,
        }
        for submission_id, (_, comment_id) in said.items()
    ]
    insert_rows(journal.session.connection(), Comment.__table__, rows)  # type: ignore[arg-type]
    return said


def kind_of(before: str | None, state: str | None) -> str:
    """The kind of event that a decision is."""
    if state == REJECTED:
        return "rejected"
    return "restored" if before == REJECTED else "reviewed"
