"""One new record against a list that is stored: by the keys of the product, in its tables."""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, text
from sqlalchemy.orm import Session

from bench.installation import DURABLE
from bench.processes import memory_of, worked
from bench.records import Drawn, Registration
from bench.report import Line, middle, p95, p99
from sync.dedup.keys import Held, members
from sync.dedup.pairs import Likeness
from sync.dedup.training import train_list
from sync.dedup.yardsticks import yardstick_of
from sync.journal import open_journal
from sync.models import Base, Entity, EntityList, MatchKey, Project
from sync.models.database import insert_rows, open_engine
from sync.models.probing import rows_of_ids
from tests.support.databases import SERVER_SETTINGS, start_server, stop_server

LIST = "people"
_PROJECT = 1
PROBES = 500
_DRAWN = 50_000
_KEPT_BACK = 2 * PROBES  # about half of them are of people who are there
_AT_ONCE = 5_000
_LEARNT_FROM = 10_000
_NOW = dt.datetime(2026, 3, 31, tzinfo=dt.UTC)
_ROLES = {
    role: role
    for role in (
        *("first_name", "last_name", "sex", "birth_year", "age", "asked_on"),
        *("phone", "village", "commune", "group"),
    )
}


_COLUMNS = "project_id, list_name, key, entity_id"
# What tells the ids of copies apart.
_ORIGINAL, _VERSION = "-4000-", "-4{:03x}-"
_COPY = text(
    f"""
    INSERT INTO entities (project_id, list_name, id, label, data, version, withdrawn, event, created_at)
    SELECT project_id, list_name, replace(id, '{_ORIGINAL}', :copy), label, data, version, withdrawn, event, created_at
    FROM entities WHERE id LIKE '%{_ORIGINAL}%'
    """
)


def measure_looking(kind: str, size: int) -> list[Line]:
    """Fills a list with so many records, and looks others up of people who are there, each in a transaction of its own.

    Nothing is stored meanwhile; what is learnt is learnt from the first 10,000.
    """
    with _database(kind) as engine:
        with Session(engine) as session:
            session.add(Project(id=_PROJECT, name="bench", created_at=_NOW))
            session.flush()
            properties = list(_ROLES)
            session.add(
                EntityList(project_id=_PROJECT, name=LIST, properties=properties, matching=_ROLES, created_at=_NOW)
            )
            session.commit()
        probes, truth = _fill(engine, size)
        if kind == "postgresql":  # its own housekeeping would do so; nobody does on SQLite
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE"))
        return _look_up(engine, size, probes, truth)


def _fill(engine: Engine, size: int) -> tuple[list[Registration], dict[str, set[str]]]:
    """The records that were kept back, and the stored ones of each of their people.

    No more than 50,000 are drawn. They are stored as often as it takes, under other ids and keys, as if they lived in
    other communes: those do not find each other, and drawing a million took longer than all the rest.
    """
    drawn = Drawn(0).registrations(min(_DRAWN, size) + _KEPT_BACK)
    kept = drawn[:-_KEPT_BACK]
    people: dict[str, set[str]] = {}
    for one in kept:
        people.setdefault(one.person, set()).add(_uuid(one))
    held: list[Held] = []
    for portion in _portions(kept):
        with Session(engine) as session:
            held += _store(session.connection(), portion)
            session.commit()
        if portion[-1] is kept[min(_LEARNT_FROM, len(kept)) - 1]:
            with Session(engine) as session:
                journal = open_journal(session, _PROJECT, None, _NOW)
                train_list(journal, LIST)
                journal.close()
                session.commit()
    copies = size // len(kept)
    for copy in range(1, copies):
        with engine.begin() as connection:
            connection.execute(_COPY, {"copy": _VERSION.format(copy)})
    print(f"  {copies * len(kept):,} records stored", file=sys.stderr, flush=True)
    _store_keys(engine, held, copies)
    return [one for one in drawn[-_KEPT_BACK:] if one.person in people][:PROBES], people


def _store_keys(engine: Engine, held: list[Held], copies: int) -> None:
    """In the order of the table, and the other index last: one by one they would take an hour."""
    held.sort()
    rows = (
        (_PROJECT, LIST, key + copy, id_.replace(_ORIGINAL, _VERSION.format(copy)))
        for key, id_ in held
        for copy in range(copies)
    )
    [index] = MatchKey.__table__.indexes  # type: ignore[attr-defined]
    index.drop(engine)
    with engine.begin() as connection:
        connection.execute(delete(MatchKey))  # those that learning has stored
        driver: Any = connection.connection.driver_connection
        if engine.dialect.name == "postgresql":
            with driver.cursor() as cursor, cursor.copy(f"COPY match_keys ({_COLUMNS}) FROM STDIN") as copied:
                for row in rows:
                    copied.write_row(row)
        else:
            driver.executemany(f"INSERT INTO match_keys ({_COLUMNS}) VALUES (?, ?, ?, ?)", rows)
    index.create(engine)
    print(f"  {len(held) * copies:,} keys stored", file=sys.stderr, flush=True)


def _store(connection: Connection, some: Sequence[Registration]) -> list[Held]:
    """Stores these records, and gives the keys by which they are found."""
    yardstick = yardstick_of(connection, _PROJECT, LIST, _ROLES)
    rows: list[dict[str, Any]] = []
    keys: list[Held] = []
    for one in some:
        data = {role: said for role, said in one.said.items() if said}
        rows.append(
            {
                "project_id": _PROJECT,
                "list_name": LIST,
                "id": _uuid(one),
                "label": "",
                "data": data,
                "version": 1,
                "withdrawn": False,
                "event": 1,
                "created_at": _NOW,
            }
        )
        keys += [(key, rows[-1]["id"]) for key in yardstick.keys(yardstick.profile(rows[-1]["id"], data, _NOW))]
    insert_rows(connection, Entity.__table__, rows)  # type: ignore[arg-type]
    return keys


def _look_up(engine: Engine, size: int, probes: Sequence[Registration], truth: dict[str, set[str]]) -> list[Line]:
    times, processor, databases, looked_at = [], [], [], []
    found = kept = true = 0
    memory = 0.0
    for number, one in enumerate(probes):
        if number == len(probes) // 5:
            memory = memory_of(os.getpid())[os.getpid()]
        with engine.connect() as connection:
            backend = _backend(connection)
            before = worked(backend)
            began, cpu = time.perf_counter(), time.process_time()
            likenesses, candidates = _candidates(connection, one)
            times.append((time.perf_counter() - began) * 1000)
            processor.append((time.process_time() - cpu) * 1000)
            databases.append((worked(backend) - before) * 1000)
        looked_at.append(candidates)
        right = truth[one.person]
        true += len(right)
        found += len(right & candidates)
        kept += len(right & likenesses.keys())
    grown = memory_of(os.getpid())[os.getpid()] - memory
    least = 0.97 if size >= 1_000_000 else None
    return [
        Line("look-up and scoring, median", middle(times), "ms", note=f"of {len(probes)} records"),
        Line("look-up and scoring, p95", p95(times), "ms", most=10 if size >= 1_000_000 else None),
        Line("look-up and scoring, p99", p99(times), "ms"),
        *(
            Line(
                f"processor time of {whose}, p95",
                p95(some),
                "ms",
                note=f"median {middle(some):.1f}, p99 {p99(some):.1f}",
            )
            for whose, some in (("our process", processor), ("the database's process", databases))
            if any(some)
        ),
        Line("candidates, median", middle([len(some) for some in looked_at]), ""),
        Line("candidates, p95", p95([len(some) for some in looked_at]), ""),
        Line("true duplicates among the candidates", found / max(true, 1), "", least=least),
        Line("true duplicates among the kept", kept / max(true, 1), ""),
        Line("memory grown over the last four fifths", grown, "MB", most=5 if size >= 1_000_000 else None),
    ]


def _backend(connection: Connection) -> list[int]:
    """The process that works for this connection; SQLite works in ours."""
    driver: Any = connection.connection.driver_connection
    return [driver.info.backend_pid] if connection.dialect.name == "postgresql" else []


def _candidates(connection: Connection, one: Registration) -> tuple[dict[str, Likeness], set[str]]:
    """Whom the record may be, and with whom it was compared."""
    yardstick = yardstick_of(connection, _PROJECT, LIST, _ROLES)
    profile = yardstick.profile("new", one.said, _NOW)
    keys = yardstick.keys(profile)
    most = max(map(yardstick.cap, keys))
    blocks = members(connection, _PROJECT, LIST, keys, most + 1)
    ids = {id_ for key, some in blocks.items() if len(some) <= yardstick.cap(key) for id_ in some}
    fixed = [(Entity.project_id, _PROJECT), (Entity.list_name, LIST)]
    rows = rows_of_ids(connection, [Entity.id, Entity.data, Entity.created_at], fixed, Entity.id, sorted(ids))
    yardstick.prepare([profile])
    found = {}
    for row in rows:
        likeness = yardstick.likeness(profile, yardstick.profile(row.id, row.data, row.created_at))
        if likeness is not None:
            found[row.id] = likeness
    return found, ids


@contextmanager
def _database(kind: str) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="siby-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'siby.sqlite'}"
        else:
            start_server(folder / "cluster", os.getpid(), SERVER_SETTINGS | DURABLE)
            url = f"postgresql+psycopg://siby@/postgres?host={folder / 'cluster'}"
        engine = open_engine(url)
        try:
            Base.metadata.create_all(engine)
            yield engine
        finally:
            engine.dispose()
            if kind == "postgresql":
                stop_server(folder / "cluster")


def _portions(some: Sequence[Registration]) -> Iterator[list[Registration]]:
    rest = iter(some)
    while portion := list(islice(rest, _AT_ONCE)):
        yield portion


def _uuid(one: Registration) -> str:
    return f"{one.id[:8]}-{one.id[8:12]}-4000-8000-{one.id[12:]}00000000"
