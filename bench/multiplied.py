"""What `make demo` left, as the years of a federation: everything of it as often as it takes, past the server.

A copy of the demo has people of its own, with the same names; it came in four weeks before the next one. All that is
kept beside the submissions (contributions, registries, pairs, who is who) is there as often as they are.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, case, func, insert, literal_column, select, text, update

from server.upkeep.schema import known
from sync.models import Base, Project
from sync.models.database import open_engine

_DAYS = 28  # between a copy and the next one
_AT_ONCE = 5_000
_UUID = 36  # letters
_VERSIONS = "-01236789abcdef"  # of the entities of each copy; those of the demo have 4 and 5

# What tells the copies apart, by how it is changed.
_EVENTS = ("event", "opened", "closed", "number")
_IDS = ("id", "submission_id", "double_of", "bulk")
_NAMES = ("instance_id", "current_instance_id", "parent")
_ENTITIES = ("entity_id", "a", "b", "person_id", "fewest_id", "most_id", "subject")
_MOMENTS = ("at", "received_at", "updated_at")
_TABLES: Mapping[str, tuple[str, ...]] = {
    "events": ("number", "submission_id", "at"),
    "submissions": (
        *("id", "double_of", "event", "instance_id", "current_instance_id", "subject"),
        *("received_at", "updated_at"),
    ),
    "submission_versions": ("submission_id", "event", "instance_id", "parent", "received_at"),
    "repeat_rows": ("submission_id",),
    "attachments": ("submission_id", "instance_id"),
    "contributions": ("submission_id", "opened", "closed", "subject"),
    "entities": ("entity", "event"),
    "entity_steps": ("entity_id", "submission_id", "event"),
    "memberships": ("entity_id", "opened", "closed", "person_id", "fewest_id", "most_id"),
    "matches": ("id", "a", "b", "event"),
    "match_decisions": ("id", "a", "b", "bulk", "event"),
    "match_keys": ("key", "entity_id"),
}


def multiply(folder: Path, database_url: str, submissions: int) -> None:
    """Puts the demo of a folder into an empty database, and makes at least so many submissions of it.

    Ends the program with a remedy if the demo was made by another version.
    """
    source = open_engine(f"sqlite:///{folder / 'siby.sqlite'}")
    target = open_engine(database_url)
    try:
        with source.connect() as from_, target.begin() as to:
            if from_.scalar(text("SELECT version_num FROM alembic_version")) != known()[-1]:
                raise SystemExit(
                    f"{folder} is of another version: make the demo again, or SIBY_FOLDER={folder} siby migrate"
                )
            _carry_over(from_, to)
        with target.begin() as connection:
            table = Base.metadata.tables["submissions"]
            there = connection.scalar(select(func.count()).select_from(table)) or 1
            copies = max(0, -(-submissions // there) - 1)
            [project] = connection.execute(select(Project.id, Project.last_event, Project.last_id))
            _move_back(connection, copies)
        for copy in range(1, copies + 1):
            with target.begin() as connection:
                for name, changed in _TABLES.items():
                    _copy(connection, name, changed, copy, project)
                connection.execute(
                    update(Project).values(
                        last_event=project.last_event * (copy + 1), last_id=project.last_id * (copy + 1)
                    )
                )
        with target.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    finally:
        source.dispose()
        target.dispose()


def _carry_over(from_: Connection, to: Connection) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        to.execute(table.delete())
    for table in Base.metadata.sorted_tables:
        for rows in from_.execution_options(stream_results=True).execute(select(table)).mappings().partitions(_AT_ONCE):
            to.execute(insert(table), [dict(row) for row in rows])


def _move_back(connection: Connection, copies: int) -> None:
    """What is there becomes the oldest copy."""
    for name, changed in _TABLES.items():
        table = Base.metadata.tables[name]
        moments = {column: _earlier(connection, table.c[column], copies) for column in changed if column in _MOMENTS}
        if moments:
            connection.execute(update(table).values(moments))


def _copy(connection: Connection, name: str, changed: tuple[str, ...], copy: int, project: Any) -> None:
    table = Base.metadata.tables[name]
    kinds: list[tuple[tuple[str, ...], Callable[[Any], Any]]] = [
        (_EVENTS, lambda column: column + copy * project.last_event),
        (_IDS, lambda column: _shifted(column, copy * project.last_id)),
        (_NAMES, lambda column: column + f"-{copy}"),
        (_ENTITIES, lambda column: _other(column, copy)),
        (_MOMENTS, lambda column: _earlier(connection, column, -copy)),
        (("key",), lambda column: column + copy),
    ]
    values = []
    for column in table.columns:
        changes = [change for names, change in kinds if column.name in names and column.name in changed]
        if name == "entities" and column.name == "id":
            changes = [change for names, change in kinds if names is _ENTITIES]
        values.append(changes[0](column) if changes else column)
    original = _original(table, project)
    connection.execute(
        insert(table).from_select([column.name for column in table.columns], select(*values).where(*original))
    )


def _other(column: Any, copy: int) -> Any:
    """Another UUID, in the same order to others as this one: its version tells that it is no entity of the demo.
    Subjects that are no entities stay."""
    length = func.length(column)
    other = func.substr(column, 1, length - 22) + _VERSIONS[copy] + func.substr(column, length - 20)
    return case((length >= _UUID, other), else_=column)


def _shifted(column: Any, by: int) -> Any:
    """What no submission asked for stays so."""
    return case((column > 0, column + by), else_=column)


def _original(table: Table, project: Any) -> list[Any]:
    """The rows that were there before anything was copied."""
    if table.name == "events":
        return [table.c.number <= project.last_event]
    if "event" in table.c:
        return [table.c.event <= project.last_event]
    if "opened" in table.c:
        return [table.c.opened <= project.last_event]
    if "submission_id" in table.c:
        return [table.c.submission_id <= project.last_id]
    entities = Base.metadata.tables["entities"]
    return [table.c.entity_id.in_(select(entities.c.id).where(entities.c.event <= project.last_event))]


def _earlier(connection: Connection, column: Any, copies: int) -> Any:
    days = copies * _DAYS
    if connection.dialect.name == "sqlite":
        return func.strftime("%Y-%m-%d %H:%M:%f000", column, f"{-days} days")
    return column - literal_column(f"interval '{days} days'")
