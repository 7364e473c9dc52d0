"""What a webhook is told next, and what follows from how it answered."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from sync.models import (
    CURRENT,
    Actor,
    Attachment,
    Delivery,
    Event,
    Project,
    Server,
    StoredFile,
    Submission,
    SubmissionVersion,
    Webhook,
)

_STORED, _EDITED = "submission.stored", "submission.edited"
# What an event of the journal may be to a receiver.
_TYPES: Mapping[str, tuple[str, ...]] = {
    "submitted": (_STORED,),
    "completed": (_STORED, _EDITED),
    "edited": (_EDITED, _STORED),
    "reviewed": ("submission.reviewed",),
    "rejected": ("submission.reviewed",),
    "restored": ("submission.restored", "submission.reviewed"),
    "deleted": ("submission.deleted",),
    "published": ("form.published",),
}
# Nothing is said of these until all files of the submission are here; `completed` says it then.
_WHEN_COMPLETE = ("submitted", "edited")
# So many events that may be told are looked at in one go, among so many that may be none of those.
_AT_ONCE, _AMONG = 50, 10_000
_FIRST_WAIT = dt.timedelta(seconds=10)
_LONGEST_WAIT = dt.timedelta(hours=6)
_PATIENCE = dt.timedelta(days=14)
# So often a receiver may say no to one event before it is set aside for the next.
_REFUSALS = 5
# What is no fault of the event itself.
_PASSING = frozenset({401, 403, 404, 407, 408, 421, 425, 429})


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery as it goes over the wire."""

    event: int
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: the status of the answer, or why there was none. `retry_after` is in seconds."""

    status: int | None
    error: str | None
    milliseconds: int
    retry_after: int | None = None

    @property
    def heard(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def due(session: Session, now: dt.datetime) -> list[tuple[int, int]]:
    """The webhooks that have something to hear now, as project and id; those that waited longest first."""
    query = (
        select(Webhook.project_id, Webhook.id)
        .join(Project, Project.id == Webhook.project_id)
        .where(
            Webhook.state != "paused",
            Webhook.told < Project.last_event,
            Project.deleted_at.is_(None),
            or_(Webhook.next_at.is_(None), Webhook.next_at <= now),
        )
        .order_by(Webhook.next_at, Webhook.told)
    )
    return [(row.project_id, row.id) for row in session.execute(query)]


def next_message(session: Session, hook: Webhook, now: dt.datetime) -> Message | None:
    """The first event after those it was told that it wishes to hear of; None if there is none among the next ones.

    What it has no wish for is passed over for good, a part of a long journal at a time: the caller commits, and asks
    again as long as `told` goes on.
    """
    last = session.scalars(select(Project.last_event).where(Project.id == hook.project_id)).one()
    until = min(last, hook.told + _AMONG)
    wished = [kind for kind, types in _TYPES.items() if not hook.types or not set(types).isdisjoint(hook.types)]
    events = session.scalars(
        select(Event)
        .where(
            Event.project_id == hook.project_id,
            Event.number > hook.told,
            Event.number <= until,
            Event.kind.in_(wished),
        )
        .order_by(Event.number)
        .limit(_AT_ONCE)
    ).all()
    for event in events:
        kind = _type_of(session, hook, event)
        if (not hook.types or kind in hook.types) and not _is_incomplete(session, event):
            return _message(session, hook, event, kind, now)
        hook.told = event.number
    if len(events) < _AT_ONCE:
        hook.told = until
    return None


def ping_message(hook: Webhook, now: dt.datetime) -> Message:
    """A delivery of the type `ping`, which tells of no event: it shows whether a receiver is there."""
    payload = {
        "id": f"{hook.project_id}-{hook.id}-ping-{now:%Y%m%dT%H%M%S%f}",
        "type": "ping",
        "project": hook.project_id,
        "timestamp": now.isoformat(),
        "data": {},
    }
    return _signed(hook, hook.told, payload, now)


def note(session: Session, hook: Webhook, event: int, outcome: Outcome, now: dt.datetime) -> None:
    """Write down how an attempt ended. Events are told in order, so one that was not heard holds up those after it.

    A receiver that refuses this very event five times is told the next one. One that cannot be reached is tried
    again, ever more rarely, for two weeks; then a person has to say that it should go on.
    """
    attempt = 1 + (
        session.scalar(
            select(func.max(Delivery.attempt)).where(
                Delivery.project_id == hook.project_id, Delivery.webhook_id == hook.id, Delivery.event == event
            )
        )
        or 0
    )
    hook.failures = 0 if outcome.heard else hook.failures + 1
    parked = _is_refusal(outcome.status) and _refusals(session, hook, event) + 1 >= _REFUSALS
    session.add(
        Delivery(
            project_id=hook.project_id,
            webhook_id=hook.id,
            event=event,
            attempt=attempt,
            at=now,
            status=outcome.status,
            error=outcome.error,
            parked=parked,
            milliseconds=outcome.milliseconds,
        )
    )
    hook.last_status, hook.last_error = outcome.status, outcome.error
    paused = hook.state == "paused"  # by somebody, while it was being told
    if outcome.heard or parked:
        hook.told, hook.failures, hook.next_at = event, 0, None
        hook.state = "paused" if paused else "active"
    elif paused or outcome.status == 410 or _lost_patience(session, hook, event, now):
        hook.state, hook.next_at = "paused", None
    else:
        hook.state, hook.next_at = "failing", now + _wait(hook.failures, outcome.retry_after)


def sign(secret: str, message_id: str, at: int, body: bytes) -> str:
    """The signature after the Standard Webhooks specification: HMAC-SHA256 over id, time in seconds and body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def _type_of(session: Session, hook: Webhook, event: Event) -> str:
    first, *second = _TYPES[event.kind]
    if event.kind == "restored":
        # Of a deletion, or of a rejection: the journal has one word for both.
        return first if (event.details or {}).get("deleted") else second[0]
    if event.kind in ("completed", "edited"):
        return _EDITED if _corrects(session, hook, event) else _STORED
    return first


def _corrects(session: Session, hook: Webhook, event: Event) -> bool:
    """Whether what is edited or completed by the event is a correction of what was told before: of what this receiver
    has heard of or has no wish to hear of, of what was completed by then, or had all its files before the next version
    came."""
    project_id, submission_id = event.project_id, event.submission_id
    versions = session.execute(
        select(SubmissionVersion.event, SubmissionVersion.instance_id, Event.at, Event.details)
        .join(Event, (Event.project_id == SubmissionVersion.project_id) & (Event.number == SubmissionVersion.event))
        .where(
            SubmissionVersion.project_id == project_id,
            SubmissionVersion.submission_id == submission_id,
            SubmissionVersion.event <= event.number,
        )
        .order_by(SubmissionVersion.number)
    ).all()
    if len(versions) < 2:
        return False
    if hook.types and _STORED not in hook.types:
        return True
    replaced = {
        version.instance_id: following.at
        for version, following in pairwise(versions)
        if not (version.details or {}).get("incomplete")
    }
    if replaced.keys() - _lacking_when(session, event, replaced):
        return True
    heard = exists().where(
        Delivery.project_id == project_id,
        Delivery.webhook_id == hook.id,
        Delivery.event == Event.number,
        Delivery.status.between(200, 299),
    )
    # The journal has no index by submission; the versions say between which of its events to look.
    before = exists().where(
        Event.project_id == project_id,
        Event.number.between(versions[0].event, versions[-1].event),
        Event.number != event.number,
        Event.submission_id == submission_id,
        or_(Event.kind == "completed", and_(Event.kind.in_(_WHEN_COMPLETE), heard)),
    )
    return bool(session.scalar(select(before)))


def _lacking_when(session: Session, event: Event, replaced: Mapping[str, dt.datetime]) -> set[str]:
    """Those of these versions, by instance id, of which a file was not here when they were replaced, as far as it can
    be told afterwards: nothing was written down about it once."""
    here = (StoredFile.project_id == Attachment.project_id) & (StoredFile.sha256 == Attachment.sha256)
    rows = session.execute(
        select(Attachment.instance_id, Attachment.present, StoredFile.stored_at)
        .outerjoin(StoredFile, here)
        .where(
            Attachment.project_id == event.project_id,
            Attachment.submission_id == event.submission_id,
            Attachment.instance_id.in_(replaced),
        )
    )
    return {id_ for id_, present, at in rows if not present or (at is not None and at > replaced[id_])}


def _is_incomplete(session: Session, event: Event) -> bool:
    """Whether its submission lacks files, or has become complete by an event of its own since. Asked of one that would
    be told and no others: the journal is looked through up to the last event about the submission."""
    if event.kind not in _WHEN_COMPLETE:
        return False
    completed = exists().where(
        Event.project_id == event.project_id,
        Event.submission_id == event.submission_id,
        Event.kind == "completed",
        Event.number.between(event.number + 1, Submission.event),
    )
    query = select(Submission.id).where(
        Submission.project_id == event.project_id,
        Submission.id == event.submission_id,
        or_(Submission.missing > 0, completed),
    )
    return session.scalar(query) is not None


def _message(session: Session, hook: Webhook, event: Event, kind: str, now: dt.datetime) -> Message:
    epoch = session.scalars(select(Server.epoch)).one()  # numbers of events come again after a restore
    message_id = f"{epoch}-{hook.project_id}-{hook.id}-{event.number}"
    payload = {
        "id": message_id,
        "type": kind,
        "project": hook.project_id,
        "event": event.number,
        "timestamp": event.at.isoformat(),
        "data": _data(session, hook, event),
    }
    return _signed(hook, event.number, payload, now)


def _signed(hook: Webhook, event: int, payload: dict[str, Any], now: dt.datetime) -> Message:
    body = orjson.dumps(payload)
    at = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Siby-Webhooks/1",
        "webhook-id": payload["id"],
        "webhook-timestamp": str(at),
        "webhook-signature": sign(hook.secret, payload["id"], at, body),
    }
    return Message(event, hook.url, headers, body)


def _data(session: Session, hook: Webhook, event: Event) -> dict[str, Any]:
    if event.submission_id is None:
        return dict(event.details or {})
    row = session.execute(
        select(Submission, SubmissionVersion.answers, Actor.name)
        .join(SubmissionVersion, CURRENT)
        .outerjoin(Actor, Actor.id == Submission.actor_id)
        .where(Submission.project_id == event.project_id, Submission.id == event.submission_id)
    ).one_or_none()
    if row is None:
        return {"submission": str(event.submission_id)}  # purged since
    submission, answers, sender = row
    told: dict[str, Any] = {
        "submission": str(submission.id),
        "form": submission.form_id,
        "version": submission.form_version,
        "instance_id": submission.instance_id,
        "current_instance_id": submission.current_instance_id,
        "edits": submission.versions - 1,
        "review_state": submission.review_state,
        "received_at": submission.received_at.isoformat(),
        "deleted_at": submission.deleted_at.isoformat() if submission.deleted_at else None,
        "sender": sender,
    }
    return told | {"answers": answers} if hook.answers and submission.deleted_at is None else told


def _wait(failures: int, retry_after: int | None) -> dt.timedelta:
    wait = min(_FIRST_WAIT * int(2 ** min(failures - 1, 20)), _LONGEST_WAIT)
    asked = dt.timedelta(seconds=min(retry_after or 0, int(_LONGEST_WAIT.total_seconds())))
    return max(wait, asked)


def _is_refusal(status: int | None) -> bool:
    return status is not None and 400 <= status < 500 and status not in _PASSING


def _refusals(session: Session, hook: Webhook, event: int) -> int:
    """How often the receiver has said no to the event so far; what else went wrong is no fault of the event."""
    said = session.scalars(select(Delivery.status).where(*_attempts_since(hook, event)))
    return sum(map(_is_refusal, said))


def _lost_patience(session: Session, hook: Webhook, event: int, now: dt.datetime) -> bool:
    first = session.scalar(select(func.min(Delivery.at)).where(*_attempts_since(hook, event)))
    return first is not None and now - first > _PATIENCE


def _attempts_since(hook: Webhook, event: int) -> list[ColumnElement[bool]]:
    """To tell it of the event, since somebody last changed it or had it told again."""
    own = Delivery.project_id == hook.project_id, Delivery.webhook_id == hook.id, Delivery.event == event
    return [*own, Delivery.at >= (hook.updated_at or hook.created_at)]
