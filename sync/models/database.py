"""Opening a database so that commits are durable and savepoints hold, and beginning a transaction that will write."""

from __future__ import annotations

import datetime as dt
import json as stdlib_json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import JSON, CompoundSelect, Connection, Date, Engine, Select, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool, QueuePool
from sqlalchemy.types import TypeEngine

from sync.models.base import Base
from sync.models.straight import Answer, Straight
from sync.models.turns import WAITS, InTurn

_WRITING, _USED_AT = "siby_writing", "siby_used_at"
_MAY_BE_AHEAD, _STRAIGHT = "siby_may_be_ahead", "siby_straight"
# Statements after which psycopg forgets what is prepared.
_FORGETFUL = ("ROLLB", "DROP ", "ALTER", "DISCA", "DEALL")
# A connection that lay unused for so long may have died, and is tried before anybody gets it.
_TRIED_AFTER_SECONDS = 1.0
# So many times the connections that a pool keeps are opened when many are wanted at once.
_AT_MOST = 2
# Rows that are taken from the driver at once.
_PORTION = 50
_BESIDE = threading.Lock()
_LARGE_ROWS = 30_000
# Of so many rows PostgreSQL is sent the plain values, which need not be waited for.
_FEW = 6
_SMALL_TABLES = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    " AND relname = ANY (:names) AND reltuples < :large ORDER BY relname"
)
Converter = Callable[[Any], Any]

# For what is no number and no text the driver of SQLite looks for somebody who adapts it, before it takes it as it is.
# To look in vain takes ten times as long as to bind the value.
sqlite.register_adapter(type(None), lambda none: none)
sqlite.register_adapter(memoryview, bytearray)


def open_engine(url: str | URL, pool_size: int = 10) -> Engine:
    """An engine for `sqlite:///file` or `postgresql+psycopg://…`.

    SQLite runs with WAL, synchronous=FULL and foreign keys, under the driver that carries its own, mended SQLite.
    """
    engine = create_engine(url, **engine_options(url, pool_size))
    prepare_engine(engine)
    return engine


def engine_options(url: str | URL, pool_size: int) -> dict[str, Any]:
    """What `create_engine` is to be given beside the address; Flask-SQLAlchemy takes the same."""
    options: dict[str, Any] = {"json_serializer": _to_json, "json_deserializer": orjson.loads}
    options["hide_parameters"] = True  # answers and names have no place in the tracebacks of a log
    options["pool_use_lifo"] = True  # few connections in use, each of which keeps pages of its own in memory
    if make_url(url).get_backend_name() == "sqlite":
        options |= {"module": sqlite}
        options["connect_args"] = {"timeout": WAITS, "check_same_thread": False, "factory": InTurn}
    return options | {"pool_size": pool_size, "max_overflow": pool_size * (_AT_MOST - 1)}


def prepare_engine(engine: Engine) -> None:
    """Set the session up on each new connection of an engine made with `engine_options`."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_sqlite_up)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _set_postgres_up)
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", _try_if_idle(engine.dialect))
        event.listen(engine, "before_cursor_execute", _keep_in_order)
        event.listen(engine, "commit", _commit_what_was_sent)
        event.listen(engine, "rollback", _doubt_unless_lost)
        event.listen(engine, "reset", lambda _driver, record, _state: _doubt(record.info))


def begin_writing(session: Session) -> Connection:
    """Begin the transaction that will write, ending one that has only read.

    On SQLite a transaction that read first cannot always become a writing one, so it has to say so at its beginning;
    what was read before may have changed and is forgotten.
    """
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("begin_writing comes before the first change")
    session.rollback()
    return session.connection(execution_options={_WRITING: True})


@contextmanager
def writing_soon(engine: Engine, wait: dt.timedelta) -> Iterator[Session]:
    """A session of its own that writes and is committed at the end. Where others hold what it needs for longer than
    `wait`, it gives up with an OperationalError; where they are at such a thing themselves, or all connections are
    taken, with a TimeoutError."""
    milliseconds = int(wait.total_seconds() * 1000)
    with (
        _one_beside(engine.pool, wait),
        engine.connect() as connection,
        _patience(connection, milliseconds),
        Session(connection) as session,
    ):
        begin_writing(session)
        if not is_sqlite(session):
            session.connection().exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
        yield session
        session.commit()


@contextmanager
def _one_beside(pool: Pool, wait: dt.timedelta) -> Iterator[None]:
    """Whoever wants a second connection beside the one that it holds does so alone: two dozen who wait for one another
    to give theirs back would wait until all lose patience. Where there is none left, it waits for none."""
    if not _BESIDE.acquire(timeout=wait.total_seconds()):
        raise NoConnection("others are at it")
    try:
        if isinstance(pool, QueuePool) and pool.checkedout() >= _AT_MOST * pool.size():
            raise NoConnection("all are taken")
        yield
    finally:
        _BESIDE.release()


@contextmanager
def _patience(connection: Connection, milliseconds: int) -> Iterator[None]:
    """SQLite keeps it for the connection, from before a transaction begins."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.waits = milliseconds / 1000
    driver.execute(f"PRAGMA busy_timeout = {milliseconds}")
    try:
        yield
    finally:
        driver.waits = WAITS
        driver.execute(f"PRAGMA busy_timeout = {WAITS * 1000:.0f}")


def begin_reading(session: Session) -> None:
    """Say that the session will only read until it rolls back or begins to write.

    On PostgreSQL that spares beginning and ending a transaction, in which each statement would see what is committed
    at its own moment anyway.
    """
    if not is_sqlite(session) and not session.in_transaction():
        session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})


def begin_one_state(session: Session) -> Connection:
    """Begin a transaction in which each statement sees the same state of the database."""
    options = {} if is_sqlite(session) else {"isolation_level": "REPEATABLE READ"}
    return session.connection(execution_options=options)


class Bare:
    """A connection of the pool with what plain statements ask of one, and no transaction. To be closed."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.dialect = engine, engine.dialect
        try:
            self.connection = engine.raw_connection()
        except self.dialect.loaded_dbapi.Error as error:
            raise _wrapped(self.dialect, error, lost=False) from error
        self.info = self.connection.info

    def close(self) -> None:
        """Give it back."""
        self.connection.close()


@contextmanager
def looking(at: Session | Engine) -> Iterator[Connection | Bare]:
    """For a few looks, each of which sees what is committed at its own moment: the connection of the session's
    transaction if there is one, else one without any, which costs a tenth of beginning and ending one.
    """
    if isinstance(at, Session) and at.in_transaction():
        yield at.connection()
        return
    bare = Bare(at if isinstance(at, Engine) else at.get_bind().engine)
    try:
        yield bare
    finally:
        bare.close()


def learn_sizes(session: Session) -> int:
    """Let the database look at samples of its tables, so that it chooses among their indexes by more than a guess: of
    two that begin alike it would take the one that was made last, and read all rows of a project to find one.

    PostgreSQL does it by itself after a minute or two, in which thousands of rows may have come; those that it knows to
    be large are left to it. Gives how many tables and indexes SQLite looked at.
    """
    connection = session.connection()
    if not is_sqlite(session):
        small = connection.scalars(_SMALL_TABLES, {"names": list(Base.metadata.tables), "large": _LARGE_ROWS}).all()
        if small:
            connection.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {', '.join(small)}")
        return 0
    connection.exec_driver_sql("PRAGMA analysis_limit = 400")
    wanted = connection.exec_driver_sql("PRAGMA optimize(0x10003)").fetchall()  # what would be done: one row for each
    connection.exec_driver_sql("PRAGMA optimize(0x10002)")
    return len(wanted)


@contextmanager
def sent_ahead(connection: Connection) -> Iterator[None]:
    """Inside, PostgreSQL is sent what is to be sent `ahead` without waiting for what it says to each.

    It has answered, and what it refused is raised, before the next statement that is none of these, and at the end.
    Whoever commits inside has that sent along, and waits once for all.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    info = connection.info
    info[_MAY_BE_AHEAD] = True
    try:
        yield
        if not connection.closed:
            _catch_up(connection)
    finally:
        if not connection.invalidated and not connection.closed:
            info.pop(_MAY_BE_AHEAD, None)
            with suppress(DBAPIError):  # there is another error already, or all was well
                _catch_up(connection)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows, all with the same keys, by the way that costs each database least.

    On PostgreSQL that is COPY, or the plain values of a few rows; on SQLite the driver's own `executemany`.
    """
    if not rows:
        return
    names = tuple(rows[0])
    columns: Iterable[Sequence[Any]] = zip(*map(itemgetter(*names), rows), strict=True)
    if not connection.in_transaction():
        connection.begin()
    if connection.dialect.name == "postgresql":
        # A column that is NULL throughout is left out: to send it costs, also where nothing is said.
        given = {name: values for name, values in zip(names, columns, strict=True) if values.count(None) < len(rows)}
        if len(rows) > _FEW:
            _copy_rows(connection, table, given)
            return
        statement, as_json = _few_rows(table, tuple(given), len(rows))
        for name in as_json:
            given[name] = [_to_json_or_none(value) for value in given[name]]
        in_order = [*chain.from_iterable(zip(*given.values(), strict=True))]
        execute_plainly(connection, statement, in_order, ahead=True, rows=len(rows))
        return
    sent = {}
    for values, (name, convert) in zip(columns, _senders(table, names, connection.dialect), strict=True):
        values = _converted(values, convert) if convert else values
        if values.count(None) < len(values):  # to bind it costs, also where nothing is said
            sent[name] = values
    execute_plainly(connection, _values(table, tuple(sent)), [*zip(*sent.values(), strict=True)], many=True)


def _copy_rows(connection: Connection, table: Table, given: Mapping[str, Sequence[Any]]) -> None:
    """`given` are the values by column. What was sent ahead is waited for first: nothing can go along with a COPY."""
    statement, kinds = _copying(table, tuple(given))
    columns = [
        map(_IN_BINARY[kind], values) if kind in _IN_BINARY else values
        for kind, values in zip(kinds, given.values(), strict=True)
    ]
    _catch_up(connection)
    errors = connection.dialect.loaded_dbapi
    cursor: Any = connection.connection.cursor()
    try:
        with cursor, cursor.copy(statement) as copy:
            # JSON comes as the bytes that it is sent as.
            copy.set_types(["bytea" if kind in _IN_BINARY else kind for kind in kinds])
            for row in zip(*columns, strict=True):
                copy.write_row(row)
    except OverflowError as error:
        raise _raised(connection, errors.DataError(str(error)), statement) from error
    except errors.Error as error:
        raise _raised(connection, error, statement) from error


def _converted(values: Sequence[Any], convert: Converter) -> Sequence[Any]:
    first = values[0]
    if all(value is first for value in values):  # such as the moment at which a batch came
        return [convert(first)] * len(values)
    return [*map(convert, values)]


def execute_plainly(
    connection: Connection | Bare,
    statement: str,
    values: Any = (),
    *,
    many: bool = False,
    ahead: bool = False,
    rows: int = 1,
) -> Any:
    """The driver's own cursor, for a statement in the driver's own words, or on PostgreSQL what answers like one:
    SQLAlchemy's way there takes ten times as long as SQLite takes for a row by its key. Errors are raised as SQLAlchemy
    raises them. On SQLite no transaction begins.

    `ahead`: nobody asks what it did, so it may be sent ahead. PostgreSQL may be given several `rows`, one row after the
    other.
    """
    if connection.dialect.name == "postgresql":
        return _execute_straight(connection, statement, values, ahead, rows)
    cursor = connection.connection.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(statement, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _raised(connection, error, statement) from error
    return cursor


def _execute_straight(
    connection: Connection | Bare, statement: str, values: Sequence[Any], ahead: bool, rows: int
) -> Answer:
    straight = _straight(connection)
    try:
        if ahead and _MAY_BE_AHEAD in connection.info:
            return straight.send(statement, values, rows=rows)
        straight.catch_up()
        return straight.ask(statement, values, alone=isinstance(connection, Bare), rows=rows)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _raised(connection, error, statement) from error


def execute_streamed(connection: Connection, statement: str, values: Any) -> Iterator[Answer]:
    """On PostgreSQL, the same as `execute_plainly`, in one cursor after the other: it hands out some rows while it
    makes the next. Until the last one, nothing else can be asked of the connection."""
    straight = _straight(connection)
    try:
        straight.catch_up()
        yield from straight.stream(statement, values, _PORTION)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _raised(connection, error, statement) from error


def _straight(connection: Connection | Bare) -> Straight:
    straight: Straight | None = connection.info.get(_STRAIGHT)
    if straight is None:
        driver: Any = connection.connection.driver_connection
        straight = connection.info[_STRAIGHT] = Straight(driver)
    return straight


def _raised(connection: Connection | Bare, error: Any, statement: str | None = None) -> Any:
    """An error of the driver as SQLAlchemy raises it; of a lost connection all that the pool keeps are opened anew."""
    dialect, driver = connection.dialect, connection.connection
    lost = dialect.is_disconnect(error, driver, None)
    if lost:
        connection.engine.pool._invalidate(driver, error)
        if isinstance(connection, Connection):
            connection.invalidate(error)
    return _wrapped(dialect, error, statement, lost=lost)


def _wrapped(dialect: Dialect, error: Any, statement: str | None = None, *, lost: bool) -> Any:
    errors = dialect.loaded_dbapi.Error
    return DBAPIError.instance(
        statement, None, error, errors, hide_parameters=True, connection_invalidated=lost, dialect=dialect
    )


def fetch_rows(connection: Connection, query: Select[Any] | CompoundSelect[Any]) -> list[tuple[Any, ...]]:
    """What a query of table columns finds, as plain tuples: thousands of them are here in half the time that it takes
    to make SQLAlchemy's rows of them."""
    return [*each_row(connection, query, {})]


def each_row(
    connection: Connection, query: Select[Any] | CompoundSelect[Any], given: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """The same row by row, as they are asked for: what is in a row that was left is out of memory, and whoever reads
    JSON reads it twice as fast."""
    return chain.from_iterable(_portions(connection, query, given))


def _portions(
    connection: Connection, query: Select[Any] | CompoundSelect[Any], given: Mapping[str, Any]
) -> Iterator[Iterable[tuple[Any, ...]]]:
    dialect = connection.dialect
    with connection.execute(query, given) as result:
        cursor: Any = result.cursor
        # PostgreSQL's numbers are told apart by their codes.
        converters = [
            _remembering(column.type.dialect_impl(dialect), dialect, described[1])
            for column, described in zip(query.selected_columns, cursor.description, strict=True)
        ]
        while rows := cursor.fetchmany(_PORTION):
            if not any(converters):
                yield rows
                continue
            columns = (
                map(convert, values) if convert else values
                for values, convert in zip(zip(*rows, strict=True), converters, strict=True)
            )
            yield zip(*columns, strict=True)


def _remembering(kind: TypeEngine[Any], dialect: Dialect, code: Any) -> Converter | None:
    """The same few days come again and again. What was read from JSON is its reader's, who may change it."""
    convert = kind.result_processor(dialect, code)
    return convert if convert is None or isinstance(kind, JSON) else cache(convert)


@cache
def _few_rows(table: Table, names: tuple[str, ...], rows: int) -> tuple[str, tuple[str, ...]]:
    """The statement, and which columns it takes as JSON text."""
    kinds = _kinds(table, names)
    casts = [f"TEXT::{kind}" if kind in _AS_JSON else kind for kind in kinds]
    marks = (f"${number}::{cast}" for number, cast in enumerate(casts * rows, 1))
    values = ", ".join(f"({', '.join(row)})" for row in zip(*[marks] * len(casts), strict=True))
    return (
        f'INSERT INTO "{table.name}" ({_quoted(names)}) VALUES {values}',  # noqa: S608 — the names come from the metadata
        tuple(name for name, kind in zip(names, kinds, strict=True) if kind in _AS_JSON),
    )


@cache
def _copying(table: Table, names: tuple[str, ...]) -> tuple[str, list[str]]:
    """The statement, and the types of the columns."""
    statement = f'COPY "{table.name}" ({_quoted(names)}) FROM STDIN (FORMAT BINARY)'
    return statement, [kind.lower() for kind in _kinds(table, names)]


def _kinds(table: Table, names: tuple[str, ...]) -> list[str]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return [table.c[name].type.compile(dialect) for name in names]


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


@cache
def _values(table: Table, names: tuple[str, ...]) -> str:
    marks = ", ".join("?" * len(names))
    return f'INSERT INTO "{table.name}" ({_quoted(names)}) VALUES ({marks})'  # noqa: S608 — the names come from the metadata


@cache
def _senders(table: Table, names: tuple[str, ...], dialect: Dialect) -> list[tuple[str, Converter | None]]:
    """How the values of each column are handed to SQLite."""
    return [(name, _sender(table.c[name].type.dialect_impl(dialect), dialect)) for name in names]


def _sender(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    if isinstance(kind, JSON):
        return _to_json
    if isinstance(kind, Date):
        return _iso_day  # as SQLAlchemy writes it, in half the time
    return kind.bind_processor(dialect)


def _iso_day(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _binary_json(value: object) -> bytes | None:
    """As it is among binary values."""
    return None if value is None else _to_json(value).encode()


def _binary_jsonb(value: object) -> bytes | None:
    """The same after the number of its format."""
    return None if value is None else b"\x01" + _to_json(value).encode()


def _to_json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # integers beyond 64 bits
        return stdlib_json.dumps(value, ensure_ascii=False, allow_nan=False)


def _to_json_or_none(value: object) -> str | None:
    return None if value is None else _to_json(value)


_IN_BINARY = {"json": _binary_json, "jsonb": _binary_jsonb}
_AS_JSON = frozenset(kind.upper() for kind in _IN_BINARY)


def _set_sqlite_up(connection: Any, _record: object) -> None:
    # The driver begins transactions by itself and too late, so that a released savepoint survives the rollback of its
    # transaction; in manual mode we say BEGIN.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "mmap_size=0",
        "cache_size=-2000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_postgres_up(connection: Any, _record: object) -> None:
    # To start other processes takes longer than to read a page of rows, for which the planner would have some start.
    connection.execute("SET parallel_setup_cost = 10000")
    # Else moments of the last and the first day that there are would be beyond what Python can reckon with.
    connection.execute("SET TIME ZONE 'UTC'")
    # Half the work of storing a submission is to compress its answers, unless by this way; not each server has it.
    connection.execute(
        "SELECT set_config(name, 'lz4', false) FROM pg_settings"
        " WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"
    )
    connection.commit()


def _note_use(_connection: object, record: Any) -> None:
    record.info[_USED_AT] = time.monotonic()
    record.info.pop(_MAY_BE_AHEAD, None)  # whoever gets it next has not said so


def _try_if_idle(dialect: Dialect) -> Callable[..., None]:
    """Trying each time would cost a round trip each time. One that dies within the second is noticed by its user, who
    is told to come again."""

    def try_it(connection: Any, record: Any, _proxy: object) -> None:
        if time.monotonic() - record.info.get(_USED_AT, time.monotonic()) < _TRIED_AFTER_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error  # the others died with it; all are opened anew

    return try_it


def _keep_in_order(connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
    straight: Straight | None = connection.info.get(_STRAIGHT)
    if straight is None:
        return
    _catch_up(connection)
    if statement.lstrip()[:5].upper() in _FORGETFUL:
        straight.doubt()


def _catch_up(connection: Connection, *, commit: bool = False) -> None:
    """Wait for the answers to what was sent ahead. Raises what executing it would have raised."""
    straight: Straight | None = connection.info.get(_STRAIGHT)
    if straight is None:
        return
    try:
        straight.commit() if commit else straight.catch_up()
    except connection.dialect.loaded_dbapi.Error as error:
        raise _raised(connection, error) from error


def _commit_what_was_sent(connection: Connection) -> None:
    """psycopg, which is told to commit next, finds nothing left to do. SQLAlchemy takes the transaction for ended,
    whether or not what was sent had failed."""
    try:
        _catch_up(connection, commit=True)
    except DBAPIError:
        if not connection.invalidated:
            _doubt(connection.info)
            driver: Any = connection.connection.driver_connection
            driver.rollback()
        raise


def _doubt_unless_lost(connection: Connection) -> None:
    if not connection.invalidated:
        _doubt(connection.info)


def _doubt(info: dict[Any, Any]) -> None:
    straight: Straight | None = info.get(_STRAIGHT)
    if straight is not None:
        straight.doubt()


def _begin_sqlite(connection: Connection) -> None:
    if not connection.get_execution_options().get(_WRITING):
        execute_plainly(connection, "BEGIN")
        return
    try:
        connection.connection.driver_connection.begin_writing()  # type: ignore[union-attr]
    except sqlite.Error as error:
        raise _raised(connection, error) from error


def is_sqlite(session: Session) -> bool:
    """Whether the session speaks to SQLite."""
    return session.get_bind().dialect.name == "sqlite"
