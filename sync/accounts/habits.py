"""How often devices are heard of, and which have been silent for longer than they usually are."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sync.accounts.people import HAS_LOST_ITS_TOKEN
from sync.models import Actor, Submission, Token

LOOKED_BACK = dt.timedelta(days=90)
_FEWEST_GAPS = 2
_PATIENCE = 1.5
_AT_ONCE = 500
_NEW = 7  # days in which a device may be set up before anybody wonders


@dataclass(frozen=True, slots=True)
class Habit:
    """A device, when it was last heard of, and how many days it usually lets pass between two days on which it sends.

    Nine times of ten it came back within `usual` days, in the last ninety; None where it has sent on fewer than three
    days. `silent` counts the days since it was heard of, else since it was made.
    """

    actor_id: int
    name: str
    last: dt.datetime | None
    usual: int | None
    silent: int
    shut_out: bool = False

    @property
    def is_overdue(self) -> bool:
        """Silent for half as long again as usual; or never heard of a week after it was made. Of one that is shut out
        nobody expects to hear."""
        if self.shut_out:
            return False
        if self.last is None:
            return self.silent > _NEW
        return self.usual is not None and self.silent > max(self.usual * _PATIENCE, self.usual + 1)


def habits(session: Session, project_id: int, now: dt.datetime, only: Sequence[int] | None = None) -> list[Habit]:
    """Of the devices that may send, or of `only` these, by name. What they sent is counted in an index, by day."""
    query = (
        select(Actor.id, Actor.name, Actor.created_at, func.max(Token.last_used_at), HAS_LOST_ITS_TOKEN)
        .outerjoin(Token, Token.actor_id == Actor.id)
        .where(Actor.project_id == project_id, Actor.kind == "device", Actor.disabled_at.is_(None))
        .group_by(Actor.id, Actor.name, Actor.created_at)
        .order_by(Actor.name, Actor.id)
    )
    query = query.where(~HAS_LOST_ITS_TOKEN) if only is None else query.where(Actor.id.in_(only))
    devices = session.execute(query).all()
    days, latest = _days_of_sending(session, project_id, [device.id for device in devices], now)
    found = []
    for actor_id, name, created_at, used_at, shut_out in devices:
        sent = days.get(actor_id, [])
        last = max((at for at in (used_at, latest.get(actor_id)) if at is not None), default=None)
        silent = (now.date() - (last or created_at).date()).days
        found.append(Habit(actor_id, name, last, usual_gap(sent), max(silent, 0), shut_out))
    return found


def usual_gap(days: Sequence[dt.date]) -> int | None:
    """The number of days within which the next day of sending came, nine times of ten."""
    gaps = sorted((later - earlier).days for earlier, later in pairwise(days))
    if len(gaps) < _FEWEST_GAPS:
        return None
    return gaps[-(-len(gaps) * 9 // 10) - 1]


def _days_of_sending(
    session: Session, project_id: int, actor_ids: Sequence[int], now: dt.datetime
) -> tuple[dict[int, list[dt.date]], dict[int, dt.datetime]]:
    """The days on which each sent, and when it did last."""
    day = func.date(Submission.received_at)
    found: dict[int, list[dt.date]] = defaultdict(list)
    latest: dict[int, dt.datetime] = {}
    for start in range(0, len(actor_ids), _AT_ONCE):
        rows = session.execute(
            select(Submission.actor_id, day, func.max(Submission.received_at))
            .where(
                Submission.project_id == project_id,
                Submission.actor_id.in_(actor_ids[start : start + _AT_ONCE]),
                Submission.received_at >= now - LOOKED_BACK,
            )
            .group_by(Submission.actor_id, day)
            .order_by(Submission.actor_id, day)
        )
        for actor_id, written, at in rows:
            # SQLite gives a text, PostgreSQL a date.
            found[actor_id].append(dt.date.fromisoformat(str(written)))
            latest[actor_id] = at
    return found, latest
