"""How much a device is advised to send at once, by how its last posts went."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from sync.models import Actor

LEAST, FAILING, USUAL, MOST = 1_000_000, 2_000_000, 10_000_000, 20_000_000  # bytes
# After this time half of what was learnt is forgotten: the tablet is in another village now.
_HALF_LIFE = dt.timedelta(hours=6)
# A part should be through in so many seconds; less than so many bytes say nothing about a link.
_SECONDS = 60
_TELLING = 250_000
_WORTH_WRITING = 1.25


@dataclass(frozen=True, slots=True)
class Luck:
    """What a device was last advised, and when."""

    length: int
    at: dt.datetime


def advised(luck: Luck | None, now: dt.datetime) -> int:
    """Bytes of one request: on the way back to the usual length, the longer ago the last news is."""
    if luck is None:
        return USUAL
    forgotten = math.pow(0.5, max(now - luck.at, dt.timedelta()) / _HALF_LIFE)
    return round(USUAL * math.pow(luck.length / USUAL, forgotten))


def after_post(luck: Luck | None, now: dt.datetime, received: int, seconds: float, *, cut: bool) -> Luck | None:
    """What to advise after a post; None if that is about the same as before, and need not be written down.

    A cut link gets what it has just carried, halved, and two megabytes at most. A good one gets twice as much with each
    post, up to what it carries in a minute.
    """
    before = advised(luck, now)
    if cut:
        length = min(FAILING, max(LEAST, received // 2))
    elif received < _TELLING:
        return None
    else:
        carried = min(MOST, max(LEAST, round(received / max(seconds, 0.001) * _SECONDS)))
        length = min(carried, 2 * before) if carried > before else max(carried, before // 2)
    known = luck.length if luck else USUAL
    reached = length == MOST != known
    if not reached and all(max(length, other) < min(length, other) * _WORTH_WRITING for other in (before, known)):
        return None
    return Luck(length, now)


def note_luck(session: Session, actor_id: int, luck: Luck) -> None:
    """Write it down. The caller has begun to write, and commits."""
    session.execute(
        update(Actor)
        .where(Actor.id == actor_id)
        .values(link_bytes=luck.length, link_at=luck.at)
        .execution_options(synchronize_session=False)
    )
