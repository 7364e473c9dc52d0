"""What `siby doctor` looks at."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path

from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from server import clock
from server.db import db, session
from server.settings import Settings
from server.upkeep.keeping import last_backup
from server.upkeep.schema import TooNew, pending, version
from sync.accounts.audit import NO_PROJECT, first_broken
from sync.accounts.installation import installation
from sync.models import Project, Quarantined, Submission
from sync.projects.validate import java

# SQLite before this may, very rarely, corrupt a file that two connections write to at the same instant.
_MENDED_SQLITE = (3, 51, 3)
_BACKUP_WITHIN = dt.timedelta(hours=48)
_REMEMBERED = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at, and whether it is well; `advises` if it is but somebody should do something yet."""

    good: bool
    text: str
    advises: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, and when."""

    lines: tuple[Line, ...]
    at: dt.datetime


def examined(settings: Settings) -> Examined:
    """Everything as it was found within the last minute, but for the file of the database, which it takes seconds to
    read through. Who asks meanwhile waits for what another has found."""
    with _one_at_a_time:
        known = _known.get(db.engine)
        if known is None or not dt.timedelta() <= clock.now() - known.at < _REMEMBERED:
            known = _known[db.engine] = Examined(tuple(examine(settings, thorough=False)), clock.now())
        return known


def examine(settings: Settings, *, thorough: bool = True) -> Iterator[Line]:
    """Everything in turn; what depends on something that is not well is left out. `thorough`: also whether the file of
    a SQLite database is sound."""
    yield Line(True, f"Siby {version_of('siby')}, Python {platform.python_version()}, {platform.system()}")
    yield _room(settings)
    if (closed := unwritable(settings)) is not None:
        yield Line(False, f"Nothing can be written to {closed}")
    yield _validation()
    yield _address(settings)
    try:
        yield _engine(thorough)
    except DBAPIError as error:
        yield Line(False, f"The database cannot be reached: {str(error.orig).strip()}")
        return
    fits = _schema()
    yield fits
    if fits.good:
        yield from _contents()


def unwritable(settings: Settings) -> Path | None:
    """What of the data belongs to another account, or lies on a disk that can only be read."""
    parts = (settings.folder, settings.files_folder, *_files_of_sqlite(settings))
    return next((part for part in parts if part.exists() and not os.access(part, os.W_OK)), None)


def _files_of_sqlite(settings: Settings) -> Iterator[Path]:
    """Those that it writes, with their folder; not the copies that somebody has put beside them."""
    if settings.database and not settings.database.startswith("sqlite:///"):
        return
    file = Path(settings.database.removeprefix("sqlite:///") or settings.folder / "siby.sqlite")
    yield file.parent
    for end in ("", "-wal", "-shm", "-turn"):
        yield file.with_name(file.name + end)


_known: weakref.WeakKeyDictionary[Engine, Examined] = weakref.WeakKeyDictionary()
_one_at_a_time = threading.Lock()


def _room(settings: Settings) -> Line:
    folder = settings.files_folder
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    words = f"{free // 2**20:,} MB free where files are kept ({settings.reserve_mb} MB are held in reserve)"
    return Line(free > settings.reserve, words)


def _validation() -> Line:
    """Nothing stops without Java; only nobody tells an author that ODK Collect will not open a form."""
    program = java()
    if program is None:
        words = "No Java: workbooks are checked by pyxform alone, no form by ODK Validate. Install Java 11 or newer"
        return Line(True, words, advises=True)
    return Line(True, f"Forms are tried with ODK Validate before they are published ({program})")


def _address(settings: Settings) -> Line:
    """Whoever asks by another address, or makes one up, gets codes and links that lead there."""
    if settings.public_url:
        return Line(True, f"Codes of tablets and links to photos lead to {settings.public_url}")
    words = "Codes of tablets and links to photos lead to whatever address they were asked for at. Set SIBY_PUBLIC_URL"
    return Line(True, words, advises=True)


def _engine(thorough: bool) -> Line:
    with db.engine.connect() as connection:
        if db.engine.dialect.name == "sqlite":
            found = str(connection.scalar(text("SELECT sqlite_version()")))
            mended = tuple(int(part) for part in found.split(".")) >= _MENDED_SQLITE
            if not thorough:
                return Line(mended, f"SQLite {found}, WAL, synchronous=FULL; siby doctor also reads its file through")
            sound = connection.scalar(text("PRAGMA quick_check")) == "ok"
            words = f"SQLite {found}, WAL, synchronous=FULL; quick check {'passed' if sound else 'FAILED'}"
            return Line(mended and sound, words)
        return Line(True, f"PostgreSQL {connection.scalar(text('SHOW server_version'))}")


def _schema() -> Line:
    try:
        lacking, found = pending(), version()
    except TooNew as error:
        return Line(False, error.detail)
    if found is None:
        return Line(False, "The database is empty: run siby init")
    if lacking:
        return Line(False, f"Migrations to be made: {', '.join(lacking)}: make a backup, then run siby migrate")
    return Line(True, f"No migration is pending (the database is at {found})")


def _contents() -> Iterator[Line]:
    here = installation(session())
    if here is None:
        yield Line(False, "The installation has no epoch: run siby init")
        return
    yield _backup(here.created_at)
    yield _clock(here.epoch)
    for project in session().scalars(select(Project).where(Project.deleted_at.is_(None)).order_by(Project.id)):
        yield Line(True, f"Project {project.id}, {project.name}: {_in(project.id)}")
        yield _trail(project.id)
    yield _trail(NO_PROJECT)


def _clock(epoch: str) -> Line:
    if clock.is_behind():
        words = f"By a clock for practice it is {clock.now():%Y-%m-%d %H:%M} UTC here: siby clock true puts it right"
        return Line(True, words, advises=True)
    return Line(True, f"Epoch {epoch}; it is {clock.now():%Y-%m-%d %H:%M} UTC here, which should be right")


def _backup(founded: dt.datetime) -> Line:
    """Nothing is saved yet in the first two days: nobody has to be told."""
    last, now = last_backup(), clock.now()
    remedy = "siby backup FILE makes one"
    if last is None:
        return Line(now - founded < _BACKUP_WITHIN, f"No backup was made here yet: {remedy}", advises=True)
    hours = int((now - last).total_seconds()) // 3600
    if now - last < _BACKUP_WITHIN:
        return Line(True, f"The last backup was made {hours} hours ago ({last:%Y-%m-%d %H:%M} UTC)")
    return Line(False, f"The last backup was made {hours} hours ago ({last:%Y-%m-%d %H:%M} UTC): {remedy}")


def _in(project_id: int) -> str:
    stored = session().scalar(select(func.count()).select_from(Submission).where(Submission.project_id == project_id))
    waiting = session().scalar(
        select(func.count())
        .select_from(Quarantined)
        .where(Quarantined.project_id == project_id, Quarantined.state == "open")
    )
    lacking = session().scalar(
        select(func.count()).select_from(Submission).where(Submission.project_id == project_id, Submission.missing > 0)
    )
    return f"{stored or 0:,} submissions, {lacking or 0:,} wait for files, {waiting or 0:,} in quarantine"


def _trail(project_id: int) -> Line:
    broken = first_broken(session(), project_id)
    if project_id == NO_PROJECT:
        if broken is None:
            return Line(True, "The audit trail of the accounts is whole")
        return Line(False, f"The audit trail of the accounts was changed at its row {broken}")
    if broken is None:
        return Line(True, f"The audit trail of project {project_id} is whole")
    return Line(False, f"The audit trail of project {project_id} was changed at its row {broken}")
