"""Writing a backup: every table as it stood at one moment, then every file that it names, while work goes on."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from sqlalchemy import Column, Connection, Engine, cast, inspect, select, type_coerce
from sqlalchemy.types import JSON, Boolean, Date, Double, Integer, LargeBinary, Text

from sync.errors import NotFound
from sync.intake.content import ContentStore
from sync.keeping.archive import (
    FORMAT,
    Origin,
    Part,
    Tally,
    file_member,
    first_member,
    last_member,
    part_member,
    write_archive,
)
from sync.models import Base, Lease, LoginFailures, Server, StoredFile, Upload, WorkedOut
from sync.models.base import UtcDateTime

# What means nothing elsewhere or later: uploads whose bytes are on their way, who may do what just now, failed log-ins;
# and what can be worked out anew.
LEFT_OUT = frozenset({Upload.__tablename__, Lease.__tablename__, LoginFailures.__tablename__, WorkedOut.__tablename__})
_ROWS = 500  # of one part, each with an instance or a batch's receipts at worst
_PART = 4 << 20


def back_up(
    engine: Engine, store: ContentStore, program: str, migration: str, now: dt.datetime, tally: Tally
) -> Iterator[bytes]:
    """The bytes of a backup of the whole installation. `tally` is filled as it goes, and complete at the end.

    All tables are of one moment: on PostgreSQL one REPEATABLE READ transaction, on SQLite one reading transaction.
    What later migrations add may be missing, so that a backup can be made before them.
    Files are only ever added, and those thrown away stay for a day, so what the tables name is there.
    """
    with _one_moment(engine) as connection:
        yield from write_archive(_members(connection, store, program, migration, now, tally))


def kind_of(column: Column[Any]) -> str:
    """How the values of a column are written."""
    kinds: Sequence[tuple[type, str]] = (
        (UtcDateTime, "time"),
        (JSON, "json"),
        (LargeBinary, "bytes"),
        (Boolean, "yes"),
        (Date, "day"),
        (Integer, "number"),
        (Double, "real"),
        (Text, "text"),
    )
    for type_, kind in kinds:
        if isinstance(column.type, type_):
            return kind
    raise RuntimeError(f"nobody has said how {column} is kept")


@contextmanager
def _one_moment(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def _members(
    connection: Connection, store: ContentStore, program: str, migration: str, now: dt.datetime, tally: Tally
) -> Iterator[tuple[str, int, Iterable[bytes]]]:
    epoch = connection.scalar(select(Server.epoch))
    if epoch is None:
        raise NotFound("There is nothing to save yet: run siby init.")
    yield first_member(Origin(FORMAT, program, migration, epoch, now.isoformat()))
    hashed = sha256()
    there = inspect(connection).get_multi_columns()
    for table in Base.metadata.sorted_tables:
        name = str(table.name)
        made = {column["name"] for column in there.get((None, name), ())}
        if name in LEFT_OUT or not made:
            continue
        tally.rows[name] = 0
        columns = [column for column in table.columns if column.name in made]
        for number, part in enumerate(_parts(connection, name, columns)):
            member, size, [body] = part_member(number, part)
            hashed.update(body)
            tally.rows[name] += len(part.rows)
            yield member, size, [body]
    tally.sha256 = hashed.hexdigest()
    yield from _files(connection, store, tally)
    tally.rows = {name: count for name, count in tally.rows.items() if count}
    yield last_member(tally)


def _parts(connection: Connection, table: str, columns: Sequence[Column[Any]]) -> Iterator[Part]:
    kinds = [kind_of(column) for column in columns]
    names = [column.name for column in columns]
    # JSON goes as it is written: numbers of any length, and the difference between no value and null, stay.
    as_text = cast if connection.dialect.name == "postgresql" else type_coerce
    asked = [as_text(column, Text) if kind == "json" else column for column, kind in zip(columns, kinds, strict=True)]
    rows: list[Sequence[Any]] = []
    size = 0
    # One row at a time from the database's own cursor: a part is closed by its size.
    for row in connection.execution_options(stream_results=True, max_row_buffer=_ROWS).execute(select(*asked)):
        rows.append(tuple(row))
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if len(rows) == _ROWS or size >= _PART:
            yield Part(table, names, kinds, rows)
            rows, size = [], 0
    if rows:
        yield Part(table, names, kinds, rows)


def _files(connection: Connection, store: ContentStore, tally: Tally) -> Iterator[tuple[str, int, Iterable[bytes]]]:
    """Each content once, however many projects hold it."""
    query = select(StoredFile.sha256).distinct().order_by(StoredFile.sha256)
    for (name,) in connection.execution_options(stream_results=True, max_row_buffer=_ROWS).execute(query):
        try:
            source = store.open(name)
        except FileNotFoundError:
            tally.lacking.append(name)
            continue
        with source:
            size = os.fstat(source.fileno()).st_size
            tally.files += 1
            tally.bytes += size
            yield file_member(name, size, source)
