"""Connections to PostgreSQL die while they lie idle, or in use; nobody is told more often than needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from sync.models import Server, database
from sync.models.database import execute_plainly, looking, open_engine
from sync.models.probing import rows_of


@pytest.fixture
def pool(postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(postgres_url)
    yield engine
    engine.dispose()


def _backend(pool: Engine) -> int:
    with pool.connect() as connection:
        found: int = connection.scalar(text("SELECT pg_backend_pid()"))
        return found


def _backend_plainly(pool: Engine) -> int:
    with looking(pool) as connection:
        found: int = execute_plainly(connection, "SELECT pg_backend_pid()").fetchall()[0][0]
        return found


def test_a_connection_that_died_while_it_lay_idle_is_replaced_unseen(
    pool: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_TRIED_AFTER_SECONDS", 0.0)
    _end_backends(pool, [_backend(pool)])

    assert _backend(pool)


@pytest.mark.parametrize("ask", [_backend, _backend_plainly])
def test_one_that_dies_between_two_requests_costs_one_of_them_and_all_others_are_opened_anew(
    pool: Engine, ask: Callable[[Engine], int]
) -> None:
    with pool.connect() as one, pool.connect() as other:
        backends = [connection.scalar(text("SELECT pg_backend_pid()")) for connection in (one, other)]
    _end_backends(pool, backends)

    with pytest.raises(OperationalError) as raised:
        ask(pool)
    afterwards = [ask(pool) for _ in range(4)]

    assert raised.value.connection_invalidated  # which the web answers with 503 and Retry-After
    assert not set(afterwards) & set(backends)


def test_a_statement_that_goes_to_the_driver_plainly_tells_of_a_dead_connection_too(pool: Engine) -> None:
    with pool.connect() as connection:
        _end_backends(pool, [connection.scalar(text("SELECT pg_backend_pid()"))])

        with pytest.raises(OperationalError) as raised:
            rows_of(connection, select(Server.epoch), {})

    assert raised.value.connection_invalidated
    assert _backend(pool)


def test_on_postgresql_a_page_starts_no_other_processes_and_answers_are_packed_the_cheapest_way(pool: Engine) -> None:
    offered = "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
    with pool.connect() as connection:
        cost, packed, lz4 = (
            connection.scalar(text(asked))
            for asked in ("SHOW parallel_setup_cost", "SHOW default_toast_compression", offered)
        )

    assert (cost, packed) == ("10000", "lz4" if lz4 else "pglz")


def _end_backends(pool: Engine, backends: list[int]) -> None:
    plain = make_url(pool.url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        for backend in backends:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
