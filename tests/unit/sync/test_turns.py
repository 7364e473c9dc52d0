from __future__ import annotations

import datetime as dt
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from sync.models import turns
from sync.models.database import begin_writing, open_engine, writing_soon
from sync.models.turns import WAITS

SOON = dt.timedelta(milliseconds=30)
# Another process that begins to write, says so, and goes on until somebody ends it.
HOLDER = """
import sys
from sqlalchemy.orm import Session
from sync.models.database import begin_writing, open_engine

with Session(open_engine(sys.argv[1])) as session:
    begin_writing(session)
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'turns.sqlite'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    with Session(engine) as session:
        begin_writing(session).execute(text("CREATE TABLE counted (number INTEGER)"))
        session.commit()
    yield engine
    engine.dispose()


# Another process that has the turn, though it does not write.
FIRST_IN_LINE = """
import fcntl, sys

turn = open(sys.argv[1].removeprefix("sqlite:///") + "-turn")
fcntl.flock(turn, fcntl.LOCK_EX)
print("first", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(code: str, url: str) -> Iterator[None]:
    other = subprocess.Popen([sys.executable, "-c", code, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline()
    try:
        yield
    finally:
        other.kill()
        other.communicate()


def is_free(engine: Engine) -> bool:
    try:
        with writing_soon(engine, SOON):
            return True
    except OperationalError:
        return False


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_a_writer_has_its_turn_until_the_end_of_its_transaction(engine: Engine, end: str) -> None:
    with Session(engine) as session:
        begin_writing(session)
        assert not is_free(engine)

        getattr(session, end)()

        assert is_free(engine)


def test_whoever_only_reads_waits_for_nobody(engine: Engine) -> None:
    with Session(engine) as writer, Session(engine) as reader:
        begin_writing(writer).execute(text("INSERT INTO counted VALUES (1)"))

        assert reader.scalar(text("SELECT count(*) FROM counted")) == 0


def test_a_killed_process_leaves_its_turn_to_others(engine: Engine, url: str) -> None:
    with another_process(HOLDER, url):
        assert not is_free(engine)

    assert is_free(engine)


def test_processes_line_up_before_they_ask_sqlite(engine: Engine, url: str) -> None:
    with another_process(FIRST_IN_LINE, url):
        assert not is_free(engine)

    assert is_free(engine)


def test_threads_line_up_behind_the_one_that_waits_for_other_processes(engine: Engine, url: str) -> None:
    def wait_for_turn() -> None:
        with Session(engine) as session:
            begin_writing(session)

    waiting = threading.Thread(target=wait_for_turn)
    with another_process(FIRST_IN_LINE, url):
        waiting.start()
        while not any(lock.locked() for lock in turns._OF_THIS_PROCESS.values()):
            time.sleep(0.001)

        assert not is_free(engine)
    waiting.join()

    assert is_free(engine)


def test_who_was_in_a_hurry_is_as_patient_as_others_afterwards(engine: Engine) -> None:
    with writing_soon(engine, SOON) as session:
        driver: Any = session.connection().connection.driver_connection
        hurried = driver.waits

    assert (hurried, driver.waits) == (SOON.total_seconds(), WAITS)


def test_where_nobody_can_line_up_they_write_all_the_same(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "turns.sqlite-turn").unlink()
    (tmp_path / "turns.sqlite-turn").symlink_to(tmp_path / "nowhere" / "turn")

    assert is_free(engine)
    with Session(engine) as session:
        begin_writing(session)
        assert not is_free(engine)


def test_the_line_is_open_to_whoever_may_open_the_database(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "turns.sqlite-turn").unlink()
    (tmp_path / "turns.sqlite").chmod(0o640)

    assert is_free(engine)

    assert stat.S_IMODE((tmp_path / "turns.sqlite-turn").stat().st_mode) == 0o640


def test_a_connection_that_was_dropped_has_no_turn(engine: Engine) -> None:
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    connection.detach()
    driver.begin_writing()
    assert not is_free(engine)

    del driver, connection

    assert is_free(engine)


def test_who_does_not_line_up_is_waited_for_all_the_same(engine: Engine, tmp_path: Path) -> None:
    other = sqlite.connect(str(tmp_path / "turns.sqlite"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not is_free(engine)

    other.execute("COMMIT")
    other.close()

    assert is_free(engine)


def test_two_dozen_writers_lose_nothing(engine: Engine) -> None:
    def count() -> None:
        for _ in range(20):
            with Session(engine) as session:
                connection = begin_writing(session)
                number = connection.scalar(text("SELECT count(*) FROM counted"))
                connection.execute(text("INSERT INTO counted VALUES (:number)"), {"number": number})
                session.commit()

    threads = [threading.Thread(target=count) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with engine.connect() as connection:
        assert list(connection.scalars(text("SELECT number FROM counted"))) == list(range(240))
