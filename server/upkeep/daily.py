"""What is done once a day: erasing what was deleted long ago, and no longer waiting for what never came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock, current
from server.db import release
from server.logs import log
from sync.accounts.audit import Origin, record_act
from sync.entities.writing import force_held
from sync.journal import Journal, open_journal
from sync.models import Project
from sync.models.database import begin_writing
from sync.review.removing import Purged, forget_contents, projects_to_purge, purge, purge_discarded

# The reference server waits as long for the step of an offline branch that comes before.
_HELD_FOR = dt.timedelta(days=5)


def purge_deleted(opened: Session, now: dt.datetime) -> int:
    """Purge every project of what it threw away long enough ago, each in transactions of its own, so that nobody waits
    long; gives how many submissions and discarded items went."""
    projects = projects_to_purge(opened, now)
    count = 0
    for project_id, before in projects.items():
        count += _purge(opened, project_id, "submission.purged", purge, before, now)
        count += _purge(opened, project_id, "quarantine.purged", purge_discarded, before, now)
    release()
    forget_contents(opened, current.store(), now)
    begin_writing(opened)  # as the caller, who commits, left it
    return count


def apply_held(opened: Session, now: dt.datetime) -> int:
    """Apply the entity steps that have waited too long, each project in a transaction of its own; gives how many."""
    count = 0
    for project_id in opened.scalars(select(Project.id).where(Project.deleted_at.is_(None))).all():
        journal = open_journal(opened, project_id, None, clock.now)
        if forced := force_held(journal, now - _HELD_FOR):
            journal.close()
            opened.commit()
            count += forced
        else:
            opened.rollback()
    begin_writing(opened)  # as the caller, who commits, left it
    return count


def _purge(
    opened: Session,
    project_id: int,
    act: str,
    take: Callable[[Journal, dt.datetime], Purged],
    before: dt.datetime,
    now: dt.datetime,
) -> int:
    count = 0
    while True:
        journal = open_journal(opened, project_id, None, now)
        purged = take(journal, before)
        if not purged.count:
            opened.rollback()
            return count
        details = {"count": purged.count, "files": len(purged.contents)}
        record_act(opened, project_id, Origin(None), act, now, None, details)
        journal.close()
        opened.commit()
        for sha256 in purged.contents:
            current.store().set_aside(sha256)
        count += purged.count
        log("purged", project=project_id, what=act, **details)
