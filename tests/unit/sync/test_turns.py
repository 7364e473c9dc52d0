from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from sync.models.database import begin_writing, open_engine, writing_soon

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
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "writing\n"
    assert not is_free(engine)

    holder.kill()
    holder.communicate()

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
