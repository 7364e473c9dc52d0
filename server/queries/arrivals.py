"""What came into a project: by day, form and place, and how much of it nobody has looked at."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.kept.remembered import Remembered
from sync.dedup.pairs import OPEN
from sync.models import Entity, Event, Match, Quarantined, Submission
from sync.models.database import fetch_rows
from sync.review.queue import deleted_forms


@dataclass(frozen=True, slots=True)
class Standing:
    """All submissions of living forms that were not deleted: by place as they name it, and by review state."""

    by_place: Mapping[str | None, int]
    by_review: Mapping[str | None, int]

    @property
    def to_review(self) -> int:
        """What nobody has decided about: as it came, or as it was sent again."""
        return self.by_review.get(None, 0) + self.by_review.get("edited", 0)


@dataclass(slots=True)
class Lately:
    """What came in on some days: how many on each, by form, and by place."""

    by_day: dict[dt.date, int]
    by_form: Counter[str] = field(default_factory=Counter)
    by_place: Counter[str | None] = field(default_factory=Counter)


def standing(session: Session, project_id: int) -> Standing:
    """Reads a part of every submission, so what was found is remembered until anything in the project changes."""
    return _standing.get(session, project_id, (), lambda: _count(session, project_id))


def lately(session: Session, project_id: int, now: dt.datetime, zone: str, days: int) -> Lately:
    """The last `days` days in the project's time zone, today included; the cost is that of what came in on them."""
    tz = ZoneInfo(zone)
    today = now.astimezone(tz).date()
    shown = [today - dt.timedelta(days=before) for before in reversed(range(days))]
    return _lately.get(session, project_id, (zone, *shown), lambda: _count_since(session, project_id, tz, shown))


def in_conflict(session: Session, project_id: int) -> dict[str, int]:
    """How many rows of each list were changed in two places at once, and are not settled."""
    query = (
        select(Entity.list_name, func.count())
        .where(
            Entity.project_id == project_id,
            Entity.conflict.is_not(None),
            Entity.deleted_at.is_(None),
            Entity.withdrawn.is_(False),
        )
        .group_by(Entity.list_name)
        .order_by(Entity.list_name)
    )
    return dict(session.execute(query).all())


def open_pairs(session: Session, project_id: int) -> dict[str, int]:
    """How many pairs of each list wait for somebody to say whether they are one."""
    rows = session.execute(
        select(Match.list_name, func.count())
        .where(Match.project_id == project_id, Match.state == OPEN, Match.probability.is_not(None))
        .group_by(Match.list_name)
    )
    return dict(rows.all())


def last_arrival(session: Session, project_id: int) -> dt.datetime | None:
    """When the last submission came in."""
    # The id belongs to what is asked, so that also a database without statistics goes by the primary key.
    query = select(Submission.received_at).where(
        Submission.project_id == project_id, Submission.id > 0, Submission.deleted_at.is_(None)
    )
    return session.scalar(query.order_by(Submission.id.desc()).limit(1))


def quarantined(session: Session, project_ids: list[int]) -> dict[int, int]:
    """How many items in the quarantine of each project nobody has decided about."""
    rows = session.execute(
        select(Quarantined.project_id, func.count())
        .where(Quarantined.project_id.in_(project_ids), Quarantined.state == "open")
        .group_by(Quarantined.project_id)
    )
    return dict(rows.all())


def _count(session: Session, project_id: int) -> Standing:
    of_project = Submission.project_id == project_id
    in_the_bin = session.scalars(deleted_forms(project_id)).all()

    def by(column: Any) -> Mapping[str | None, int]:
        """All are counted in an index; the few that are not to be are counted by themselves."""

        def counted(*where: Any) -> Counter[str | None]:
            return Counter(dict(session.execute(select(column, func.count()).where(*where).group_by(column)).all()))

        found = counted(of_project)
        found.subtract(counted(of_project, Submission.deleted_at.is_not(None)))
        for form_id in in_the_bin:
            found.subtract(counted(of_project, Submission.form_id == form_id, Submission.deleted_at.is_(None)))
        return {key: number for key, number in found.items() if number}

    return Standing(by(Submission.place), by(Submission.review_state))


def _count_since(session: Session, project_id: int, tz: ZoneInfo, days: Sequence[dt.date]) -> Lately:
    begins = [dt.datetime.combine(day, dt.time(), tz).astimezone(dt.UTC) for day in days]
    found = Lately(dict.fromkeys(days, 0))
    first = session.scalar(
        select(Event.submission_id)
        .where(Event.project_id == project_id, Event.at >= begins[0], Event.kind == "submitted")
        .order_by(Event.at, Event.number)
        .limit(1)
    )
    if first is None:
        return found
    columns: list[Any] = [Submission.received_at, Submission.form_id, Submission.place]
    query = select(*columns).where(
        Submission.project_id == project_id,
        Submission.id >= first,
        Submission.received_at >= begins[0],
        Submission.deleted_at.is_(None),
        Submission.form_id.not_in(deleted_forms(project_id)),
    )
    for received_at, form_id, place in fetch_rows(session.connection(), query):
        found.by_day[days[bisect_right(begins, received_at) - 1]] += 1
        found.by_form[form_id] += 1
        found.by_place[place] += 1
    return found


_lately: Remembered[Lately] = Remembered()
_standing: Remembered[Standing] = Remembered()
