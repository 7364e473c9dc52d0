"""The quarantine: what devices sent and could not be filed, and what a coordinator does with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sync.errors import AlreadyDecided, NotFound, Unexpected
from sync.intake.items import storable
from sync.intake.prepare import Ready, Surroundings, unpack
from sync.intake.receipts import Receipt
from sync.intake.receive import parked_anew, read_again, receive_again
from sync.journal import Journal
from sync.models import Quarantined
from sync.review.paging import PAGE, Page, cursor_to, id_at

OPEN = "open"
STATES = (OPEN, "resolved", "discarded")
ACTIONS = ("retry", "accept_as_edit", "discard", "restore")
_FILED = frozenset({"stored", "duplicate", "edited"})


@dataclass(frozen=True, slots=True)
class Parked:
    """An item in quarantine, without its bytes. `reason` is a code, `message` a sentence."""

    id: int
    instance_id: str | None
    form_id: str | None
    form_version: str | None
    edits: str | None
    actor_id: int
    device: str | None
    reason: str
    message: str
    received_at: dt.datetime
    state: str
    resolution: Mapping[str, Any] | None
    discarded_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of it. `receipt` is that of the new attempt; None for an item that was discarded or restored."""

    parked: Parked
    receipt: Receipt | None


def quarantined_items(
    session: Session,
    project_id: int,
    state: str | None,
    cursor: str | None = None,
    limit: int = PAGE,
    reason: str | None = None,
) -> tuple[Page[Parked], int]:
    """A page of the items in this state, or in any, oldest first; and how many there are in all. `reason` is a code."""
    if state is not None and state not in STATES:
        raise Unexpected(f"{state!r} is not a state; it is one of {', '.join(STATES)}.")
    where = [Quarantined.project_id == project_id]
    if state is not None:
        where.append(Quarantined.state == state)
    if reason is not None:
        where.append(Quarantined.reason == reason)
    count = session.scalar(select(func.count()).select_from(Quarantined).where(*where)) or 0
    after = id_at(cursor)
    if after is not None:
        where.append(Quarantined.id > after)
    rows = session.execute(select(*_COLUMNS).where(*where).order_by(Quarantined.id).limit(limit + 1)).all()
    items = [Parked(*row) for row in rows[:limit]]
    return Page(items, cursor_to(items[-1].id) if len(rows) > limit else None), count


def quarantined_by_reason(session: Session, project_id: int, state: str) -> dict[str, int]:
    """How many items are in this state, by reason, the most first."""
    query = (
        select(Quarantined.reason, func.count())
        .where(Quarantined.project_id == project_id, Quarantined.state == state)
        .group_by(Quarantined.reason)
    )
    found: dict[str, int] = dict(session.execute(query).all())
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def quarantined_item(session: Session, project_id: int, id_: int) -> Parked:
    """Raises NotFound."""
    row = session.execute(
        select(*_COLUMNS).where(Quarantined.project_id == project_id, Quarantined.id == id_)
    ).one_or_none()
    if row is None:
        raise NotFound
    return Parked(*row)


def raw_of(session: Session, project_id: int, id_: int) -> bytes:
    """The bytes as they were sent: XML, or the item as JSON where it had none. Raises NotFound."""
    packed = session.scalars(
        select(Quarantined.raw).where(Quarantined.project_id == project_id, Quarantined.id == id_)
    ).one_or_none()
    if packed is None:
        raise NotFound
    return unpack(packed)


def readable_of(session: Session, project_id: int, id_: int, now: dt.datetime) -> Ready | None:
    """An item as it would be filed now; None for what cannot be. Raises NotFound."""
    parked = session.get(Quarantined, (project_id, id_))
    if parked is None:
        raise NotFound
    return read_again(Surroundings(session, project_id, now), parked)


def resolve(journal: Journal, id_: int, action: str, reason: str | None = None) -> Resolved:
    """Do as a coordinator decided: `retry`, `discard`, or `accept_as_edit`: a conflict becomes the next version.

    What cannot be filed this time either stays open, and the receipt says why. What was discarded waits again after
    `restore`, until it is purged like what was deleted; other bytes stay for good. Raises AlreadyDecided for an item
    that is not open any more, or for one to be restored that nobody has discarded.
    """
    if action not in ACTIONS:
        raise Unexpected(f"{action!r} is not an action; it is one of {', '.join(ACTIONS)}.")
    parked = journal.session.get(Quarantined, (journal.project_id, id_), populate_existing=True)
    if parked is None:
        raise NotFound
    if parked.state != ("discarded" if action == "restore" else OPEN):
        raise AlreadyDecided(details={"state": parked.state, "resolution": parked.resolution})
    if action == "restore":
        _restore(journal, parked)
        return Resolved(quarantined_item(journal.session, journal.project_id, id_), None)
    reason = storable(reason)
    receipt = _try_again(journal, parked, action) if action != "discard" else None
    if receipt is None or receipt.outcome in _FILED or parked_anew(journal, parked):
        _decide(journal, parked, action, reason, receipt)
    return Resolved(quarantined_item(journal.session, journal.project_id, id_), receipt)


def _restore(journal: Journal, parked: Quarantined) -> None:
    parked.state, parked.resolution, parked.discarded_at = OPEN, None, None
    journal.record("quarantined", None, {"quarantine": str(parked.id), "reason": parked.reason})
    journal.session.flush()


def _try_again(journal: Journal, parked: Quarantined, action: str) -> Receipt:
    return receive_again(journal, parked, as_edit=action == "accept_as_edit")


def _decide(journal: Journal, parked: Quarantined, action: str, reason: str | None, receipt: Receipt | None) -> None:
    submission_id = receipt.submission if receipt else None
    parked.state = "resolved" if receipt else "discarded"
    parked.discarded_at = None if receipt else journal.now
    parked.resolution = {
        "action": action,
        "reason": reason,
        "outcome": receipt.outcome if receipt else None,
        "submission": str(submission_id) if submission_id is not None else None,
        "actor": journal.actor_id,
        "at": journal.now.isoformat(),
    }
    journal.record(parked.state, submission_id, {"quarantine": str(parked.id), "action": action, "reason": reason})
    journal.session.flush()


_COLUMNS = [getattr(Quarantined, field.name) for field in fields(Parked)]
