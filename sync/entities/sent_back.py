"""To whom a submission goes that was sent back, and whether they were heard of since."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from sync.accounts.habits import habits
from sync.entities.notices import SENT_BACK, asking_form, comments_on, state_of
from sync.models import Actor, Submission


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who sent a submission and is to correct it.

    `kind` is device, user or public_link, `last` when a device was last heard of, `heard` whether that was after the
    submission had last changed. What it fetched then is not known. `asks` says that the form has a question by which
    the correction is begun.
    """

    name: str
    kind: str
    shut_out: bool
    last: dt.datetime | None
    heard: bool
    asks: bool


def receiver_of(session: Session, project_id: int, submission_id: int, now: dt.datetime) -> Receiver | None:
    """None for a submission that nobody is to correct."""
    submission = session.get_one(Submission, (project_id, submission_id))
    comment = comments_on(session, project_id, [submission_id]).get(submission_id)
    if state_of(submission.review_state, 0, more_to_come=False, comment=comment) != SENT_BACK:
        return None
    sender = session.get_one(Actor, submission.actor_id)
    habit = next(iter(habits(session, project_id, now, [sender.id])), None) if sender.kind == "device" else None
    last = habit.last if habit is not None else None
    changed = submission.updated_at or submission.received_at
    return Receiver(
        sender.name,
        sender.kind,
        sender.disabled_at is not None or bool(habit and habit.shut_out),
        last,
        last is not None and last > changed,
        asking_form(session, project_id, submission.form_id) is not None,
    )
