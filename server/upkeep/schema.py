"""Whether the database fits this program, and bringing it up to date."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from sqlalchemy import inspect, text

import migrations
from server.db import db
from server.settings import Settings
from sync.errors import Refusal


class NotSetUp(Refusal):
    code = 503.2
    title = "There is no database yet. Run: siby init"


class Outdated(Refusal):
    code = 503.3
    title = "The database is older than this program. Make a backup, then run: siby migrate"


class TooNew(Refusal):
    code = 503.4
    title = "The database was made by a later version of this program. Install that version"


def migrate(settings: Settings) -> list[str]:
    """Carry out the migrations that the database lacks; gives their names."""
    lacking = pending()
    if lacking:
        # alembic takes a quarter of a second to load, which a server that is starting does not have.
        import_module("migrations.schema").upgrade(settings.database_url)
    return lacking


def require_up_to_date() -> None:
    """Raises NotSetUp, Outdated or TooNew."""
    lacking = pending()
    if version() is None:
        raise NotSetUp
    if lacking:
        raise Outdated


def pending() -> list[str]:
    """The migrations that the database lacks, in order. Raises TooNew for one that this program does not know."""
    steps, found = known(), version()
    if found is not None and found not in steps:
        raise TooNew
    return steps[steps.index(found) + 1 :] if found else steps


def version() -> str | None:
    """The last migration that the database has had, None for an empty one."""
    with db.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def known() -> list[str]:
    """The migrations of this program, in the order in which they are made: `0001_….py`."""
    versions = Path(str(migrations.__file__)).parent / "versions"
    return sorted(path.name.split("_")[0] for path in versions.glob("[0-9]*.py"))
