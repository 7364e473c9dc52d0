"""Runs migrations for the alembic command and for `migrations.schema`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import JSON, Engine, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from server.settings import load_settings
from sync.models import Base
from sync.models.base import UtcDateTime
from sync.models.database import begin_writing, open_engine
from sync.models.submissions import SEARCHED

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


def migrate() -> None:
    """On the database of the caller's settings, or as a script on standard output with `--sql`."""
    url = database_url()
    if context.is_offline_mode():
        context.configure(url=url, literal_binds=True, **options(url))
        with context.begin_transaction():
            context.run_migrations()
        return
    engine = open_engine(url)
    try:
        if engine.dialect.name == "sqlite":
            migrate_sqlite(engine)
        else:
            migrate_postgresql(engine)
    finally:
        engine.dispose()


def database_url() -> str:
    """The address given by `migrations.schema`, else that of the settings."""
    given: str | None = context.config.attributes.get("url")
    if given:
        return given
    settings = load_settings()
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings.database_url


def migrate_sqlite(engine: Engine) -> None:
    """All steps in one transaction. A table that is rebuilt is dropped in between, so references are checked after."""
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=OFF"))
    with Session(engine) as session:
        begin_writing(session)
        connection = session.connection()
        context.configure(connection=connection, **options(str(engine.url)))
        with context.begin_transaction():
            context.run_migrations()
        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
            raise RuntimeError(f"The migration would leave {len(broken)} references without their target.")
        session.commit()


def migrate_postgresql(engine: Engine) -> None:
    """Each step in a transaction of its own, which gives up rather than hold up those who are at work."""
    with engine.connect() as connection:
        connection.exec_driver_sql("SET lock_timeout = '2s'")
        connection.commit()
        context.configure(connection=connection, transaction_per_migration=True, **options(str(engine.url)))
        with context.begin_transaction():
            context.run_migrations()


def options(url: str) -> dict[str, Any]:
    """What comparing and writing migrations needs to know of us."""
    return {
        "target_metadata": Base.metadata,
        "render_as_batch": url.startswith("sqlite"),
        "include_object": is_ours,
        "render_item": render,
        "process_revision_directives": number,
    }


def is_ours(_: object, name: str | None, kind: str, reflected: bool, __: object) -> bool:
    """Whether the models are to have it too: not what PostgreSQL makes by itself."""
    return not (reflected and kind == "column" and name == SEARCHED)


def render(kind: str, item: object, autogenerating: AutogenContext) -> str | Literal[False]:
    """A migration names plain column types, so that it stays readable when ours have changed."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, JSON) and isinstance(item.dialect_impl(POSTGRESQL), JSONB):
        autogenerating.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    return False


def number(_: MigrationContext, __: str | Iterable[str | None], directives: list[MigrationScript]) -> None:
    """Migrations are numbered in the order in which they were written."""
    versions = Path(__file__).parent / "versions"
    for directive in directives:
        directive.rev_id = f"{len(list(versions.glob('[0-9]*.py'))) + 1:04d}"


migrate()
