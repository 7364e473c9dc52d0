"""What REST and pages both do to a submission: decide, comment, delete, restore; each with its act, and committed."""

from __future__ import annotations

from server import current
from server.acts.changing import begin, finish
from server.db import session
from server.logs import log
from sync.accounts.audit import record_act
from sync.review.decide import add_comment, set_review_state
from sync.review.removing import delete_submission, restore_submission


def decide(pid: int, number: int, state: str | None, seen: int | None, comment: str | None = None) -> int | None:
    """Give a submission its state, and say why in the same transaction; gives the event, None if it had the state.

    Raises Stale when it has changed after `seen`; then nothing of it is done, and nothing is said.
    """
    journal = begin(pid)
    event = set_review_state(journal, number, state, seen)
    if event is not None:
        details = {"state": state, "event": event}
        record_act(session(), pid, current.origin(), "submission.reviewed", current.now(), str(number), details)
    if comment is not None:
        add_comment(journal, number, comment)
        record_act(session(), pid, current.origin(), "submission.commented", current.now(), str(number))
    journal.close()
    session().commit()
    log("submission_reviewed", project=pid, submission=number, state=state)
    return event


def say(pid: int, number: int, body: str) -> int:
    """Comment on a submission; gives the comment's id."""
    journal = begin(pid)
    comment_id = add_comment(journal, number, body)
    finish(journal, "submission.commented", str(number))
    return comment_id


def delete(pid: int, number: int) -> None:
    """Put a submission into the bin. Raises NotFound."""
    journal = begin(pid)
    event = delete_submission(journal, number)
    finish(journal, "submission.deleted", str(number), {"event": event})
    log("submission_deleted", project=pid, submission=number)


def restore(pid: int, number: int) -> None:
    """Take a submission out of the bin. Raises NotFound."""
    journal = begin(pid)
    event = restore_submission(journal, number)
    finish(journal, "submission.restored", str(number), {"event": event})
    log("submission_restored", project=pid, submission=number)
