"""Backups of this installation: made while it works, read back into an empty one, and how long ago the last was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version as version_of
from typing import IO

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server import clock, current
from server.db import db, session
from server.upkeep.schema import NotSetUp, TooNew, known, migrate, pending, version
from sync.accounts.audit import NO_PROJECT, Origin, record_act
from sync.errors import Exists, Unparseable
from sync.intake.content import ContentStore
from sync.keeping import archive
from sync.keeping.archive import Archive, Tally
from sync.keeping.restoring import begin_new_epoch, hold_webhooks, load_rest, require_empty
from sync.keeping.saving import back_up
from sync.models import Audit
from sync.models.database import begin_writing

MADE = "backup.made"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came out of a backup, and the name of the time that begins with it."""

    origin: archive.Origin
    tally: Tally
    epoch: str
    held: int  # webhooks that wait for somebody to let them go on
    migrated: list[str]


def backing_up(by: Origin, tally: Tally) -> Iterator[bytes]:
    """The bytes of a backup, for whoever sends or writes them; the request may be over by then. Once the last of them
    is taken, the audit trail tells that it was made. The tables may be those of an earlier version of the program."""
    pending()  # raises TooNew
    engine, store, migration = db.engine, current.store(), version()
    if migration is None:
        raise NotSetUp
    return _pieces(engine, store, migration, by, tally)


def restore(source: IO[bytes], by: Origin) -> Restored:
    """Read a backup into this installation, which has to be empty: all of it or nothing.

    The tables are made as they were when it was saved, filled, and then brought up to date.
    """
    whole = Archive(source)
    members = whole.members()
    origin = next(members)
    if not isinstance(origin, archive.Origin):
        raise Unparseable("The backup does not begin with what it is of.")
    if origin.migration not in known():
        raise TooNew("The backup was made by a later version of this program. Install that version.")
    _prepare(origin.migration)
    begin_writing(session())
    require_empty(session().connection())
    tally = load_rest(session().connection(), whole, members, current.store())
    epoch = begin_new_epoch(session().connection())
    held = hold_webhooks(session().connection())
    details = {"made_at": origin.made_at, "epoch_before": origin.epoch, "epoch": epoch, "webhooks_paused": held}
    record_act(session(), NO_PROJECT, by, "backup.restored", clock.now(), details=details)
    session().commit()
    return Restored(origin, tally, epoch, held, migrate(current.settings()))


def last_backup() -> dt.datetime | None:
    """When the last one was made."""
    query = select(Audit.at).where(Audit.project_id == NO_PROJECT, Audit.action == MADE)
    return session().scalar(query.order_by(Audit.number.desc()).limit(1))


def _pieces(engine: Engine, store: ContentStore, migration: str, by: Origin, tally: Tally) -> Iterator[bytes]:
    yield from back_up(engine, store, version_of("siby"), migration, clock.now(), tally)
    with Session(engine) as after:
        begin_writing(after)
        details = {"rows": sum(tally.rows.values()), "files": tally.files, "lacking": len(tally.lacking)}
        record_act(after, NO_PROJECT, by, MADE, clock.now(), details=details)
        after.commit()


def _prepare(migration: str) -> None:
    """Make the tables as they were then."""
    found = version()
    if found is None:
        # alembic takes a quarter of a second to load, which no other command is to wait for.
        import_module("migrations.schema").upgrade(current.settings().database_url, migration)
    elif found != migration:
        require_empty(session().connection())
        raise Exists(
            f"The tables here are those of migration {found}, the backup has those of {migration}. Restore into an "
            "empty database, before siby init."
        )
