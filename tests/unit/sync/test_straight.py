"""Statements by libpq's own calls, on a connection that stays psycopg's."""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections.abc import Iterator
from threading import Timer

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from sync.models import straight as module
from sync.models.database import execute_plainly, open_engine, sent_ahead
from sync.models.straight import Straight


@pytest.fixture
def driver(postgres_url: str) -> Iterator[psycopg.Connection]:
    url = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TEMPORARY TABLE seen (id BIGINT PRIMARY KEY, said TEXT)")
        connection.commit()
        yield connection


@pytest.fixture
def straight(driver: psycopg.Connection) -> Straight:
    return Straight(driver)


def _prepared(driver: psycopg.Connection) -> int:
    row = driver.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'siby%'").fetchone()
    assert row is not None
    return int(row[0])


def test_values_come_back_as_psycopg_gives_them(driver: psycopg.Connection, straight: Straight) -> None:
    said = ("Sìrakɔrɔ ✓ ' \\", -(2**63), 2**63 - 1, 1.5, True, None, b"\x00\xff", dt.date(2026, 2, 28))
    kinds = ("TEXT", "BIGINT", "BIGINT", "FLOAT8", "BOOLEAN", "TEXT", "BYTEA", "DATE")
    chosen = ", ".join(f"${number}::{kind}" for number, kind in enumerate(kinds, 1))
    theirs = driver.execute("SELECT " + ", ".join(f"%s::{kind}" for kind in kinds), said).fetchall()

    for _ in range(5):  # before and after it is prepared
        assert straight.ask(f"SELECT {chosen}", said).fetchall() == theirs == [said]
    assert straight.ask("SELECT $1::BIGINT[], $2::TEXT[]", [[1, 2**40], ["a", None]]).fetchall() == [
        ([1, 2**40], ["a", None])
    ]
    assert [code for _, code in straight.ask("SELECT 1::BIGINT, 'a'::TEXT").description] == [20, 25]


def test_what_is_sent_is_answered_in_order_and_committed_by_psycopg(
    driver: psycopg.Connection, straight: Straight
) -> None:
    for number in range(50):
        straight.send("INSERT INTO seen VALUES ($1, $2)", (number, "x" * 100_000))
    found = straight.send("SELECT count(*) FROM seen")
    assert found.fetchall() == []
    straight.catch_up()
    assert found.fetchall() == [(50,)]

    driver.rollback()
    assert straight.ask("SELECT count(*) FROM seen", alone=True).fetchall() == [(0,)]
    straight.send("INSERT INTO seen VALUES ($1, $2)", (1, "kept"))
    straight.catch_up()
    driver.commit()
    driver.rollback()
    assert straight.ask("SELECT said FROM seen").fetchall() == [("kept",)]


def test_a_commit_goes_along_with_what_was_sent(driver: psycopg.Connection, straight: Straight) -> None:
    straight.send("INSERT INTO seen VALUES ($1, $2)", (1, "a"))
    straight.commit()
    assert driver.info.transaction_status == TransactionStatus.IDLE

    straight.send("INSERT INTO seen VALUES ($1, $2)", (2, "b"))
    straight.send("INSERT INTO seen VALUES ($1, $2)", (1, "c"))
    with pytest.raises(psycopg.errors.UniqueViolation):
        straight.commit()
    assert driver.info.transaction_status == TransactionStatus.INERROR
    driver.rollback()
    assert straight.ask("SELECT said FROM seen").fetchall() == [("a",)]


def test_what_only_the_commit_refuses_is_raised_and_not_committed(
    driver: psycopg.Connection, straight: Straight
) -> None:
    straight.ask("CREATE TEMPORARY TABLE once (id BIGINT UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    driver.commit()
    for _ in range(2):
        straight.send("INSERT INTO once VALUES ($1)", (1,))
    with pytest.raises(psycopg.errors.UniqueViolation):
        straight.commit()

    assert driver.info.transaction_status == TransactionStatus.IDLE
    assert straight.ask("SELECT count(*) FROM once").fetchall() == [(0,)]


def test_the_first_that_fails_is_raised_and_the_connection_goes_on(
    driver: psycopg.Connection, straight: Straight
) -> None:
    straight.send("INSERT INTO seen VALUES ($1, $2)", (1, "a"))
    straight.send("INSERT INTO seen VALUES ($1, $2)", (1, "b"))
    straight.send("SELECT 1 / 0")
    with pytest.raises(psycopg.errors.UniqueViolation):
        straight.catch_up()
    straight.doubt()
    driver.rollback()
    with pytest.raises(psycopg.errors.UndefinedTable):
        straight.ask("SELECT * FROM nowhere")
    driver.rollback()
    with pytest.raises(psycopg.DataError):
        straight.ask("SELECT $1::TEXT", ("\x00",))
    driver.rollback()

    assert straight.ask("SELECT count(*) FROM seen").fetchall() == [(0,)]


def test_what_psycopg_forgot_when_it_rolled_back_is_prepared_again(
    driver: psycopg.Connection, straight: Straight
) -> None:
    def ask() -> None:
        for _ in range(4):
            assert straight.ask("SELECT $1::BIGINT", (7,)).fetchall() == [(7,)]

    ask()
    for _ in range(7):
        driver.execute("SELECT 1", prepare=True)
    assert _prepared(driver) == 1
    straight.doubt()
    driver.rollback()
    assert _prepared(driver) == 0  # all of them, not only its own
    driver.commit()
    ask()

    straight.doubt()
    driver.rollback()  # and here it forgets nothing
    ask()
    assert _prepared(driver) == 1


def test_no_more_are_kept_prepared_than_so_many(
    driver: psycopg.Connection, straight: Straight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    for number in range(8):
        for _ in range(4):
            assert straight.ask(f"SELECT $1::BIGINT + {number}", (1,)).fetchall() == [(1 + number,)]

    assert _prepared(driver) == 3


def test_what_is_used_again_and_again_stays_prepared_among_much_else(
    driver: psycopg.Connection, straight: Straight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    for number in range(8):
        for _ in range(4):
            straight.ask("SELECT $1::BIGINT", (1,))
            straight.ask(f"SELECT $1::BIGINT + {number}", (1,))

    names = driver.execute("SELECT name FROM pg_prepared_statements WHERE statement = 'SELECT $1::BIGINT'").fetchall()
    assert names == [("siby_1",)]


def test_rows_are_prepared_once_wherever_one_of_them_has_nothing(
    driver: psycopg.Connection, straight: Straight
) -> None:
    statement = "INSERT INTO seen VALUES ($1::BIGINT, $2::TEXT), ($3::BIGINT, $4::TEXT)"
    wanted = [(0, None), (1, "b"), (2, "c"), (3, None), (4, "e"), (5, "f"), (6, None), (7, "h"), (8, "i"), (9, "j")]

    for first, second in zip(wanted[::2], wanted[1::2], strict=True):
        straight.send(statement, (*first, *second), rows=2)
    straight.catch_up()

    assert straight.ask("SELECT * FROM seen ORDER BY id").fetchall() == wanted
    assert _prepared(driver) == 1


def test_a_column_may_have_values_of_several_types(straight: Straight) -> None:
    for _ in range(4):
        asked = straight.ask("VALUES ($1::FLOAT8), ($2::FLOAT8), ($3::FLOAT8)", (1, 2.5, None), rows=3)
        assert asked.fetchall() == [(1.0,), (2.5,), (None,)]


def test_what_could_not_be_prepared_is_not_taken_for_prepared(driver: psycopg.Connection, straight: Straight) -> None:
    for _ in range(2):
        straight.ask("SELECT $1::BIGINT", (1,))
    straight.send("SELECT 1 / 0")
    straight.send("SELECT $1::BIGINT", (1,))  # would be prepared, but what is before it fails
    with pytest.raises(psycopg.errors.DivisionByZero):
        straight.catch_up()
    driver.rollback()

    assert straight.ask("SELECT $1::BIGINT", (2,)).fetchall() == [(2,)]


def test_a_transaction_of_another_sort_is_begun_as_such(driver: psycopg.Connection, straight: Straight) -> None:
    driver.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

    assert straight.ask("SHOW transaction_isolation").fetchall() == [("repeatable read",)]


def test_alone_no_transaction_begins(driver: psycopg.Connection, straight: Straight) -> None:
    straight.ask("SELECT 1", alone=True)
    assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    straight.ask("SELECT 1")
    assert driver.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


def test_a_connection_that_died_is_said_to_have(driver: psycopg.Connection, straight: Straight) -> None:
    straight.ask("SELECT 1", alone=True)
    with pytest.raises(psycopg.OperationalError):
        straight.ask("SELECT pg_terminate_backend(pg_backend_pid())", alone=True)
    assert driver.closed


def test_what_was_prepared_for_other_columns_fails_once_and_goes_on(
    driver: psycopg.Connection, straight: Straight
) -> None:
    for _ in range(4):
        straight.ask("SELECT id FROM seen", alone=True)
    driver.execute("ALTER TABLE seen ALTER COLUMN id TYPE NUMERIC")
    driver.commit()

    with pytest.raises(psycopg.errors.FeatureNotSupported):
        straight.ask("SELECT id FROM seen", alone=True)
    assert straight.ask("SELECT id FROM seen", alone=True).fetchall() == []


def test_a_number_that_no_column_could_hold_is_the_fault_of_the_data(straight: Straight) -> None:
    with pytest.raises(psycopg.DataError):
        straight.ask("SELECT $1::BIGINT", (2**63,))


def test_a_value_that_cannot_be_sent_leaves_nothing_open(driver: psycopg.Connection, straight: Straight) -> None:
    straight.send("SELECT 1")
    with pytest.raises(psycopg.ProgrammingError):
        straight.send("SELECT $1::TEXT", (object(),))
    straight.catch_up()
    with pytest.raises(psycopg.ProgrammingError):
        straight.ask("SELECT $1::TEXT", (object(),))

    assert straight.ask("SELECT 1").fetchall() == [(1,)]


def test_a_commit_waits_for_what_was_sent(postgres_url: str) -> None:
    engine = open_engine(postgres_url, pool_size=1)

    def insert_one() -> None:
        with engine.connect() as connection, sent_ahead(connection):
            connection.begin()
            execute_plainly(connection, "INSERT INTO heard VALUES ($1)", (1,), ahead=True)
            connection.commit()

    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE heard (id BIGINT PRIMARY KEY)")
    insert_one()
    with pytest.raises(IntegrityError):
        insert_one()

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT id FROM heard").all() == [(1,)]
    engine.dispose()


def test_who_is_interrupted_while_waiting_leaves_nobody_working(driver: psycopg.Connection, straight: Straight) -> None:
    pid = driver.info.backend_pid
    straight.send("SELECT pg_sleep(20)")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    try:
        with pytest.raises(KeyboardInterrupt):
            straight.catch_up()
    finally:
        signal.signal(signal.SIGINT, before)
    with psycopg.connect(driver.info.dsn) as other:
        still = other.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchall()

    assert ("active",) not in still


def test_rows_are_handed_out_as_they_come(driver: psycopg.Connection, straight: Straight) -> None:
    numbers = "SELECT n, 'é' || n FROM generate_series(1, $1::BIGINT) n"
    portions = [answer.fetchall() for answer in straight.stream(numbers, (120,), 50)]
    assert [row for rows in portions for row in rows] == [(n, f"é{n}") for n in range(1, 121)]
    assert max(map(len, portions)) == 50
    assert driver.info.transaction_status == TransactionStatus.INTRANS

    assert [answer.fetchall() for answer in straight.stream(numbers, (0,), 50)] == [[]]


def test_whoever_leaves_a_stream_or_breaks_it_can_ask_on(driver: psycopg.Connection, straight: Straight) -> None:
    numbers = straight.stream("SELECT n FROM generate_series(1, $1::BIGINT) n", (10_000,), 50)
    assert next(numbers).fetchall()[0] == (1,)
    for ask in (straight.ask, straight.send):
        with pytest.raises(psycopg.ProgrammingError):
            ask("SELECT 1")  # the rest would be lost, and nobody would know
    numbers.close()
    assert straight.ask("SELECT 1").fetchall() == [(1,)]

    seen: list[list[tuple[int]]] = []
    faulty = straight.stream("SELECT 1 / (n - 200) FROM generate_series(1, 300) n", (), 50)
    with pytest.raises(psycopg.errors.DivisionByZero):
        seen.extend(answer.fetchall() for answer in faulty)
    assert sum(map(len, seen)) in (150, 199)  # of the last portion, what had come before the fault
    driver.rollback()
    assert straight.ask("SELECT 2").fetchall() == [(2,)]
