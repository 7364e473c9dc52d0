"""What pages show of a project follows what has happened in it, so that nobody has to wait for it."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from flask import Flask
from sqlalchemy import or_, select, update

from server import clock
from server.db import release, session
from server.kept.asking import ask_again
from server.kept.remembered import DEAR_SECONDS, VERSION
from server.logs import log, log_failure
from sync.models import Event, Project, WorkedOut
from sync.models.database import begin_writing

# What somebody has looked at lately is brought up to date once nothing has happened in its project for so long.
_FOLLOWED, _CALM = dt.timedelta(days=7), dt.timedelta(seconds=60)

# Whoever began with one so long ago will not finish it.
_GIVEN_UP = dt.timedelta(minutes=10)


def follow(app: Flask) -> float:
    """Bring up to date the cheapest of what is dear and behind; gives the seconds that it took, 0 if there is nothing.

    What comes out no nearer to now is not tried again until a visitor asks for it: it was of a day that is over, or of
    an indicator that there is no more.
    """
    with app.app_context():
        row = session().execute(_behind(clock.now())).first()
        release()
    if row is None:
        return 0.0
    began = time.monotonic()
    try:
        ask_again(app, row.asked)
    except Exception:
        log_failure("following_failed", project=row.project_id)
    with app.app_context():
        begin_writing(session())
        same = WorkedOut.project_id == row.project_id, WorkedOut.kind == row.kind, WorkedOut.event == row.event
        session().execute(update(WorkedOut).where(*same, WorkedOut.taken_at.is_(None)).values(asked=None))
        session().commit()
    seconds = time.monotonic() - began
    log("followed", project=row.project_id, seconds=round(seconds, 1))
    return seconds


def _behind(now: dt.datetime) -> Any:
    return (
        select(WorkedOut.project_id, WorkedOut.kind, WorkedOut.event, WorkedOut.asked)
        .join(Project, Project.id == WorkedOut.project_id)
        .join(Event, (Event.project_id == Project.id) & (Event.number == Project.last_event))
        .where(
            WorkedOut.asked.is_not(None),
            or_(WorkedOut.taken_at.is_(None), WorkedOut.taken_at < now - _GIVEN_UP),
            WorkedOut.event < Project.last_event,
            WorkedOut.seconds >= DEAR_SECONDS,
            WorkedOut.used_at > now - _FOLLOWED,
            WorkedOut.kind.contains(f'"{VERSION}"', autoescape=True),
            Event.at < now - _CALM,
            Project.deleted_at.is_(None),
        )
        .order_by(WorkedOut.seconds, WorkedOut.kind)
        .limit(1)
    )
