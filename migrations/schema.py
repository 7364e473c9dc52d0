"""Bringing a database's schema up to date, and saying where it stands."""

import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

TRIES = 10
LOCK_NOT_AVAILABLE = "55P03"


class NewerDatabase(Exception):
    """The database was migrated by a later version of Siby than this one, which must not write to it."""


def upgrade(url: str, revision: str = "head") -> None:
    """Carry out the migrations that the database lacks, up to `revision`."""
    patiently(lambda: command.upgrade(configuration(url), revision))


def downgrade(url: str, revision: str) -> None:
    """Undo migrations down to `revision`; `base` leaves no table."""
    patiently(lambda: command.downgrade(configuration(url), revision))


def check(url: str) -> None:
    """Raises alembic's `CommandError` where the models say something else than the migrations made."""
    command.check(configuration(url))


def current(engine: Engine) -> str | None:
    """The last migration that the database has had, None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def pending(engine: Engine) -> list[str]:
    """The migrations that the database lacks, in the order in which they are to be made; else raises `NewerDatabase`."""
    script = ScriptDirectory.from_config(configuration(""))
    last = current(engine)
    try:
        script.get_revision(last or "base")
    except CommandError as error:
        raise NewerDatabase(f"The database is at migration {last}, which this version does not know.") from error
    steps = script.iterate_revisions("head", last or "base")
    return [step.revision for step in reversed(list(steps))]


def patiently(migrate: Callable[[], None]) -> None:
    """Tries again when others hold a table that is to be changed; the steps made so far stay made."""
    for attempt in range(1, TRIES + 1):
        try:
            migrate()
        except OperationalError as error:
            if attempt == TRIES or getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            time.sleep(attempt)
        else:
            return


def configuration(url: str) -> Config:
    """Alembic's configuration without any file, so that an installed package can migrate too."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["url"] = url
    return config
